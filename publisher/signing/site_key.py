"""The site key: read from the settings or a file, created at first use, and checked against the database."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from publisher.errors import SettingsError
from publisher.settings import Secret, Site
from publisher.signing.keyring import Keyring
from publisher.storage.facts import get_fact, set_fact

#: In the folder of publisher.toml, if ``secret`` is not set.
KEY_FILE: Final = "publisher.key"
_FACT: Final = "key"


def keyring(site: Site, connection: Connection) -> Keyring:
    """Return the site's keyring. The first key that is used with a database stays the only one for it.

    Raises:
        SettingsError: the key cannot be read, or differs from the one that the database was created with.
    """
    known = get_fact(connection, _FACT)
    where = "secret" if site.secret is not None else KEY_FILE
    try:
        ring = Keyring(key=_read_key(site, may_make=known is None).encode())
    except ValueError as error:
        raise SettingsError(f"{where}: {error}") from error
    if known is None:
        set_fact(connection, _FACT, ring.fingerprint)
    elif known != ring.fingerprint:
        raise SettingsError(
            f"{where} is not the secret that this database was created with: links in sent messages would stop working, "
            "and erased subscribers could get mail again. Restore the old one"
        )
    return ring


def _read_key(site: Site, *, may_make: bool) -> str:
    if site.secret is not None:
        return site.secret.reveal(site.root)
    path = site.root / KEY_FILE
    if not path.exists():
        if not may_make:
            raise SettingsError(
                f"{path} is missing, and this database was created with it. Restore it from a backup, or set secret"
            )
        _create_key_file(path)
    return Secret(file=KEY_FILE).reveal(site.root)


def _create_key_file(path: Path) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return
    except OSError as error:
        raise SettingsError(
            f"cannot write {path}: {error.strerror}. Set secret, or make the folder writable"
        ) from error
    with os.fdopen(handle, "w") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
