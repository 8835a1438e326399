"""The site key: made once, and the same for as long as the database."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from publisher.errors import SettingsError
from publisher.signing import site_key
from publisher.signing.site_key import KEY_FILE, keyring
from tests.conftest import SiteKit

KEY = "k" * 64


def fingerprint(kit: SiteKit) -> str:
    with kit.open() as db, db.write() as connection:
        return keyring(kit.site, connection).fingerprint


def test_a_key_is_made_once_and_only_its_owner_may_read_it(kit: SiteKit) -> None:
    """The second call reads the file of the first."""
    first = fingerprint(kit)
    path = kit.root / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_text().strip()) == 64
    assert fingerprint(kit) == first


def test_the_secret_of_the_settings_is_the_key(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file is made, and another secret is rejected afterwards."""
    monkeypatch.setenv("SITE_SECRET", KEY)
    text = (kit.root / "publisher.toml").read_text()
    kit.settings('secret = { env = "SITE_SECRET" }\n' + text)
    first = fingerprint(kit)
    assert not (kit.root / KEY_FILE).exists() and fingerprint(kit) == first
    monkeypatch.setenv("SITE_SECRET", KEY.upper())
    with pytest.raises(SettingsError, match=r"^secret is not the secret that this database was created with"):
        fingerprint(kit)


@pytest.mark.parametrize("key", ["", "short"])
def test_a_key_that_is_too_short_is_rejected_with_its_place(kit: SiteKit, key: str) -> None:
    """Whether it is in a file or in the settings."""
    (kit.root / KEY_FILE).write_text(key)
    with pytest.raises(SettingsError, match=f"^{KEY_FILE}: "):
        fingerprint(kit)
    (kit.root / "secret").write_text(key)
    kit.settings('secret = { file = "secret" }\n' + (kit.root / "publisher.toml").read_text())
    with pytest.raises(SettingsError, match=r"^secret: "):
        fingerprint(kit)


def test_a_lost_key_is_not_replaced(kit: SiteKit) -> None:
    """With a new key, links in sent messages would stop working."""
    fingerprint(kit)
    (kit.root / KEY_FILE).unlink()
    with pytest.raises(SettingsError, match=r"is missing, and this database was created with it. Restore it"):
        fingerprint(kit)
    assert not (kit.root / KEY_FILE).exists()


def test_the_key_of_another_process_is_used(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process may make the file after this one has looked for it."""
    (kit.root / KEY_FILE).write_text(KEY)
    site_key._create_key_file(kit.root / KEY_FILE)
    assert (kit.root / KEY_FILE).read_text() == KEY


def test_a_key_that_cannot_be_written_is_an_error_with_the_fix(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is stored for the database."""

    def refuse(path: Path, flags: int, mode: int = 0o777) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SettingsError, match=r"Permission denied. Set secret, or make the folder writable"):
        site_key._create_key_file(kit.root / KEY_FILE)
