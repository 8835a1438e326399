"""Staged folders: atomic write-if-changed and precompressed files."""

from __future__ import annotations

import errno
import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest

from publisher.errors import StageError
from publisher.staging import folder as module
from publisher.staging.folder import StagedFolder, StagedWrite
from publisher.staging.precompress import COMPRESSORS


def test_an_unchanged_file_is_not_written_again(tmp_path: Path) -> None:
    """Its time stays the same."""
    with StagedFolder(tmp_path / "feeds") as stage:
        first = stage.put("topic/a.rss", [b"one", b"two"])
    before = os.stat(tmp_path / "feeds" / "topic" / "a.rss")
    with StagedFolder(tmp_path / "feeds") as stage:
        second = stage.put("topic/a.rss", [b"onetwo"])
    assert (first.changed, second.changed) == (True, False)
    assert first.sha256 == second.sha256
    after = os.stat(tmp_path / "feeds" / "topic" / "a.rss")
    assert (after.st_ino, after.st_mtime_ns, after.st_ctime_ns) == (
        before.st_ino,
        before.st_mtime_ns,
        before.st_ctime_ns,
    )
    assert stage.is_unchanged("topic/a.rss", first.size, first.mtime_ns)
    assert [path.name for path in (tmp_path / "feeds").iterdir()] == ["topic"]


@pytest.mark.parametrize("data", [b"two", b"other", b"x" * 100], ids=["same size", "small", "streamed"])
def test_each_version_of_a_file_is_at_least_one_second_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    """HTTP dates have a resolution of one second, so clients could keep the older version."""
    monkeypatch.setattr(module, "MAX_MEMORY_BYTES", 50)

    def put(data: bytes) -> StagedWrite:
        with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
            written = stage.put("all.rss", [data])
            stage.wait_for_compression()
        return written

    first = put(b"one")
    # As after a clock that was ahead.
    os.utime(tmp_path / "all.rss", ns=(first.mtime_ns, first.mtime_ns + 5_000_000_000))
    second, third = put(data), put(b"one")
    seconds = [one.mtime_ns // 1_000_000_000 for one in (first, second, third)]
    assert seconds[0] + 5 < seconds[1] < seconds[2]
    assert third.mtime_ns == os.stat(tmp_path / "all.rss").st_mtime_ns
    assert {os.stat(tmp_path / f"all.rss{suffix}").st_mtime_ns for suffix in COMPRESSORS} == {third.mtime_ns}


def test_large_files_are_streamed_and_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An unchanged large file is not replaced."""
    monkeypatch.setattr(module, "MAX_MEMORY_BYTES", 10)
    with StagedFolder(tmp_path) as stage:
        first = stage.put("a", (b"x" * 7 for _ in range(5)))
        second = stage.put("a", (b"x" * 7 for _ in range(5)))
    assert (first.changed, second.changed) == (True, False)
    assert (tmp_path / "a").read_bytes() == b"x" * 35
    with StagedFolder(tmp_path, dry_run=True) as stage:
        assert not stage.put("a", (b"x" * 7 for _ in range(5))).changed
        assert stage.put("a", (b"y" * 7 for _ in range(5))).changed
    assert (tmp_path / "a").read_bytes() == b"x" * 35


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """It reports what would change."""
    (tmp_path / "old").write_bytes(b"x")
    with StagedFolder(tmp_path, dry_run=True) as stage:
        assert stage.put("a/b", [b"x"]).changed
        assert stage.remove("old")
        assert not stage.remove("nothing")
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_temporary_files_of_a_killed_run_are_deleted(tmp_path: Path) -> None:
    """At the start of the next run."""
    (tmp_path / ".staging").mkdir()
    (tmp_path / ".staging" / "half").write_bytes(b"x")
    with StagedFolder(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_removing_a_file_deletes_folders_that_become_empty(tmp_path: Path) -> None:
    """Up to the staged folder."""
    with StagedFolder(tmp_path) as stage:
        stage.put("tag/a.rss", [b"x"])
        stage.put("tag/b.rss", [b"x"])
        assert stage.remove("tag/a.rss")
        assert (tmp_path / "tag").is_dir()
        assert stage.remove("tag/b.rss")
        assert not (tmp_path / "tag").exists()
        assert not stage.remove("tag/b.rss")
        stage.put("tag/b.rss", [b"x"])


def test_removing_the_last_file_of_a_linked_folder_removes_the_link(tmp_path: Path) -> None:
    """The folder that it leads to, and other files in it, stay."""
    (tmp_path / "elsewhere").mkdir()
    with StagedFolder(tmp_path / "staged") as stage:
        (tmp_path / "staged").mkdir(exist_ok=True)
        (tmp_path / "staged/tag").symlink_to(tmp_path / "elsewhere")
        stage.put("tag/a.rss", [b"x"])
        assert stage.remove("tag/a.rss")
        assert not (tmp_path / "staged/tag").is_symlink()
        assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_file_in_place_of_the_folder_of_a_staged_file_is_kept(tmp_path: Path) -> None:
    """The staged file is gone; the other file belongs to a person."""
    with StagedFolder(tmp_path) as stage:
        (tmp_path / "tag").write_bytes(b"mine")
        assert not stage.remove("tag/a.rss")
    assert (tmp_path / "tag").read_bytes() == b"mine"


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "word"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "writable"), (errno.EIO, "Input/output")]
)
def test_a_failure_at_any_step_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, word: str
) -> None:
    """The error names the file and the reason."""
    with StagedFolder(tmp_path) as stage:
        stage.put("a.rss", [b"old"])

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number), "somewhere")

    def chunks() -> Iterator[bytes]:
        yield b"new"
        if step == "write":
            fail()

    with StagedFolder(tmp_path) as stage:
        with monkeypatch.context() as patch, pytest.raises(StageError, match=word):
            if step != "write":
                patch.setattr(os, step, fail)
            stage.put("a.rss", chunks())
        assert (tmp_path / "a.rss").read_bytes() == b"old"
        assert stage.put("a.rss", [b"new"]).changed


def test_a_file_in_place_of_a_folder_is_reported(tmp_path: Path) -> None:
    """Also a folder in place of a file."""
    (tmp_path / "feeds").write_bytes(b"")
    with (
        pytest.raises(StageError, match="a file in place of a folder"),
        StagedFolder(tmp_path / "feeds") as stage,
    ):
        stage.put("a.rss", [b"x"])
    with StagedFolder(tmp_path / "other") as stage:
        stage.put("a.rss/b", [b"x"])
        with pytest.raises(StageError, match="a folder in place of a file"):
            stage.put("a.rss", [b"x"])
        with pytest.raises(StageError):
            stage.remove("a.rss")


def test_a_link_in_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    """The target of the link is not written."""
    outside = tmp_path / "outside"
    outside.write_bytes(b"x")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "a.rss").symlink_to(outside)
    with StagedFolder(tmp_path / "feeds") as stage:
        assert stage.put("a.rss", [b"x"]).changed
    assert not (tmp_path / "feeds" / "a.rss").is_symlink()
    assert outside.read_bytes() == b"x"


def test_a_modified_file_is_detected(tmp_path: Path) -> None:
    """By its size or its time."""
    with StagedFolder(tmp_path) as stage:
        written = stage.put("a", [b"x"])
    assert not stage.is_unchanged("b", 1, 1)
    (tmp_path / "a").write_bytes(b"y")
    os.utime(tmp_path / "a", ns=(1, 1))
    assert not stage.is_unchanged("a", written.size, written.mtime_ns)


def precompressed(root: Path, name: str) -> dict[str, bytes]:
    return {
        suffix: Path(f"{root / name}{suffix}").read_bytes()
        for suffix in COMPRESSORS
        if Path(f"{root / name}{suffix}").exists()
    }


def test_precompressed_files_have_the_time_of_their_file(tmp_path: Path) -> None:
    """Web servers then send one Last-Modified for all encodings."""
    data = b"text " * 1000
    with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
        written = stage.put("a/b.rss", [data])
        stage.wait_for_compression()
        assert stage.is_unchanged("a/b.rss", written.size, written.mtime_ns)
    found = precompressed(tmp_path, "a/b.rss")
    assert gzip.decompress(found[".gz"]) == brotli.decompress(found[".br"]) == data
    assert {path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()} == {written.mtime_ns}
    assert len(found[".gz"]) < 200


def test_the_same_bytes_give_the_same_precompressed_files(tmp_path: Path) -> None:
    """No time or file name is in them."""
    for name in ("one", "two"):
        with StagedFolder(tmp_path / name, compress=list(COMPRESSORS)) as stage:
            stage.put("x", [b"text " * 1000])
    assert precompressed(tmp_path / "one", "x") == precompressed(tmp_path / "two", "x")


@pytest.mark.parametrize("harm", ["lost", "older", "both"])
def test_missing_or_outdated_precompressed_files_are_written_again(tmp_path: Path, harm: str) -> None:
    """Their time shows that they belong to older bytes."""
    with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
        written = stage.put("x", [b"text"])
    before = precompressed(tmp_path, "x")
    if harm in ("lost", "both"):
        (tmp_path / "x.gz").unlink()
    if harm in ("older", "both"):
        (tmp_path / "x.br").write_bytes(b"older")
    with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
        assert not stage.is_unchanged("x", written.size, written.mtime_ns)
        assert not stage.put("x", [b"text"]).changed
    assert precompressed(tmp_path, "x") == before


def test_precompressed_files_are_deleted_with_their_setting_or_file(tmp_path: Path) -> None:
    """A web server must not serve them any more."""
    with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
        stage.put("x", [b"text"])
    with StagedFolder(tmp_path, compress=[".gz"]) as stage:
        stage.put("x", [b"text"])
    assert set(precompressed(tmp_path, "x")) == {".gz"}
    with StagedFolder(tmp_path, compress=[]) as stage:
        stage.remove("x")
    assert list(tmp_path.iterdir()) == []


def test_a_large_file_is_compressed_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes are not kept in memory."""
    monkeypatch.setattr(module, "MAX_MEMORY_BYTES", 1000)
    monkeypatch.setattr(module, "MAX_QUEUED_BYTES", 10)
    with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
        for number in range(5):
            stage.put(f"{number}", iter([b"text "] * 1000))
            stage.put(f"small{number}", [b"small"])
    assert gzip.decompress(precompressed(tmp_path, "4")[".gz"]) == b"text " * 1000


def test_an_error_of_a_precompressed_file_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the precompressed file."""

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_precompressed", full)
    with StagedFolder(tmp_path, compress=list(COMPRESSORS)) as stage:
        stage.put("x", [b"text"])
        with pytest.raises(StageError, match=r"cannot stage x\.(gz|br): the disk is full"):
            stage.wait_for_compression()
