"""The listing of the articles folder."""

from __future__ import annotations

import os
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest

from publisher.articles.scan import BUCKETS, FolderListing, bucket_of, scan_folder
from publisher.articles.scan import scan_folder as package_scan
from publisher.errors import SettingsError

LATER = 10_000_000_000


def look(root: Path, ahead: int = LATER) -> FolderListing:
    return scan_folder(root, time.time_ns() + ahead)


def fingerprints(listing: FolderListing) -> list[str]:
    return [listing.fingerprint(number) for number in range(BUCKETS)]


def test_a_change_alters_only_the_fingerprint_of_its_bucket(tmp_path: Path) -> None:
    """Added, removed and rewritten files are detected, also with an unchanged mtime."""
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


def test_a_recently_changed_file_has_no_signature(tmp_path: Path) -> None:
    """It may change again within the same tick of the file system's clock."""
    (tmp_path / "a.md").write_text("x")
    bucket = bucket_of("a.md")
    assert look(tmp_path, 0).fingerprint(bucket) == ""
    assert look(tmp_path, 0).files(bucket) == {"a.md": ""}
    assert look(tmp_path).files(bucket)["a.md"]


def test_file_systems_with_whole_seconds_are_supported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may change again within the same second."""
    second = 1_000_000_000

    status = SimpleNamespace(st_size=1, st_mtime_ns=5 * second, st_ctime_ns=5 * second)
    entry = SimpleNamespace(name="a.md", stat=lambda **_: status, is_dir=lambda **_: False)
    monkeypatch.setattr(os, "scandir", lambda path: nullcontext([entry]))
    bucket = bucket_of("a.md")
    assert scan_folder(Path(), 6 * second).fingerprint(bucket) == ""
    assert scan_folder(Path(), 8 * second).fingerprint(bucket) != ""


def test_folders_links_and_unusual_names_are_listed(tmp_path: Path) -> None:
    """Hidden files and backups of editors are not."""
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


def test_a_missing_articles_folder_is_a_settings_error(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(SettingsError, match=r"paths.articles"):
        look(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(SettingsError, match="cannot list"):
        look(tmp_path / "file")
    assert package_scan is scan_folder


def names_in(listing: FolderListing) -> set[str]:
    return {name for number in range(BUCKETS) for name in listing.files(number)}


def test_a_loop_of_links_is_listed_with_the_other_files(tmp_path: Path) -> None:
    """A link that cannot be followed has the signature of the link."""
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "one.md").symlink_to("two.md")
    (tmp_path / "two.md").symlink_to("one.md")
    (tmp_path / "long.md").symlink_to("x" * 300)
    assert names_in(look(tmp_path)) == {"a.md", "one.md", "two.md", "long.md"}


def test_folders_may_be_nested_deeper_than_the_recursion_limit(tmp_path: Path) -> None:
    """The depth is limited neither by recursion nor by descriptors."""
    (tmp_path / "a.md").write_text("x")
    folders = [tmp_path]
    try:
        for _ in range(sys.getrecursionlimit() + 100):
            folders.append(Path(f"{folders[-1]}/d"))
            folders[-1].mkdir()
        assert names_in(look(tmp_path)) == {"a.md"}
    finally:
        # By hand, because shutil.rmtree recurses.
        for folder in reversed(folders[1:]):
            folder.rmdir()


def test_files_of_a_folder_that_cannot_be_listed_count_as_present(tmp_path: Path) -> None:
    """A path longer than the kernel allows represents every such folder."""
    (tmp_path / "a.md").write_text("x")
    folder = os.open(tmp_path, os.O_RDONLY)
    name = "d" * 250
    for _ in range(20):
        os.mkdir(name, dir_fd=folder)
        inner = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = inner
    os.close(folder)
    listing = look(tmp_path)
    (unlisted,) = names_in(listing) - {"a.md"}
    assert set(unlisted.split("/")) == {name, ""} and unlisted.endswith("/")
    assert f"{unlisted}any.md" in listing and "other.md" not in listing


@pytest.mark.parametrize("error", [FileNotFoundError, NotADirectoryError])
def test_a_folder_that_is_removed_during_the_scan_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[OSError]
) -> None:
    """Only the articles folder itself must exist."""
    (tmp_path / "a.md").write_text("x")
    (tmp_path / "sub").mkdir()
    real = os.scandir

    def scandir(path: str) -> object:
        if path.endswith("/sub"):
            raise error(2, "gone", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names_in(look(tmp_path)) == {"a.md"}
