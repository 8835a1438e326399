"""The look at the articles folder."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from publisher.errors import SettingsError
from publisher.ingest import scan as package_scan
from publisher.ingest.scan import BUCKETS, Listing, bucket_of, scan

LATER = 10_000_000_000


def look(root: Path, ahead: int = LATER) -> Listing:
    return scan(root, time.time_ns() + ahead)


def fingerprints(listing: Listing) -> list[str]:
    return [listing.fingerprint(number) for number in range(BUCKETS)]


def test_a_change_moves_the_fingerprint_of_its_own_bucket_only(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"{number}.md").write_text("x")
    before = look(tmp_path)
    assert fingerprints(before) == fingerprints(look(tmp_path))
    stamp = (tmp_path / "7.md").stat()
    (tmp_path / "7.md").write_text("y")
    os.utime(tmp_path / "7.md", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    (tmp_path / "new.md").write_text("x")
    (tmp_path / "9.md").unlink()
    after = look(tmp_path)
    moved = {number for number in range(BUCKETS) if before.fingerprint(number) != after.fingerprint(number)}
    assert moved == {bucket_of(name) for name in ("7.md", "new.md", "9.md")}
    assert "new.md" in after and "9.md" not in after and len(after) == 50


def test_a_file_that_may_change_unseen_has_no_signature(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    bucket = bucket_of("a.md")
    assert look(tmp_path, 0).fingerprint(bucket) == ""
    assert look(tmp_path, 0).files(bucket) == {"a.md": ""}
    assert look(tmp_path).files(bucket)["a.md"]


def test_a_clock_that_counts_whole_seconds_is_allowed_for(monkeypatch: pytest.MonkeyPatch) -> None:
    second = 1_000_000_000

    def walk(folder: str, prefix: str) -> list[tuple[str, SimpleNamespace]]:
        return [("a.md", SimpleNamespace(st_size=1, st_mtime_ns=5 * second, st_ctime_ns=5 * second))]

    monkeypatch.setattr(sys.modules["publisher.ingest.scan"], "_walk", walk)
    bucket = bucket_of("a.md")
    assert scan(Path(), 6 * second).fingerprint(bucket) == ""
    assert scan(Path(), 8 * second).fingerprint(bucket) != ""


def test_folders_links_and_names_of_every_kind(tmp_path: Path) -> None:
    (tmp_path / "2026" / "11").mkdir(parents=True)
    (tmp_path / "2026" / "11" / "deep.md").write_text("x")
    (tmp_path / "broken.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "backup~").write_text("x")
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md")).write_text("x")
    names = {name for number in range(BUCKETS) for name in look(tmp_path).files(number)}
    assert names == {"2026/11/deep.md", "broken.md", "loop", "\\xff.md"}
    assert fingerprints(look(tmp_path))


def test_a_folder_that_is_no_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="paths.articles"):
        look(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot list"):
        look(tmp_path / "file")
    assert package_scan is scan
