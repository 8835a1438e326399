"""Files are opened below their folder only, with any links."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.staging.beneath import OutsideError, open_beneath, read_beneath


@pytest.fixture(params=[True, False], ids=["openat2", "walk"])
def with_openat2(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def read(root: Path, name: str, with_openat2: bool) -> bytes:
    with os.fdopen(open_beneath(root, name, with_openat2=with_openat2), "rb") as file:
        return file.read()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder like a Kubernetes ConfigMap and a checkout of git-sync, with secrets outside."""
    root = tmp_path / "articles"
    (root / "..2026_03_05").mkdir(parents=True)
    (root / "..2026_03_05" / "a.md").write_text("config map")
    (root / "..data").symlink_to("..2026_03_05")
    (root / "a.md").symlink_to("..data/a.md")
    (root / "worktrees" / "1234").mkdir(parents=True)
    (root / "worktrees" / "1234" / "b.md").write_text("git-sync")
    (root / "current").symlink_to("worktrees/1234")
    (root / "deep" / "er").mkdir(parents=True)
    (root / "deep" / "er" / "up.md").symlink_to("../../current/b.md")
    (root / "absolute.md").symlink_to(root / "current" / "b.md")
    (tmp_path / "secret").write_text("secret")
    (root / "out.md").symlink_to("../secret")
    (root / "out-absolute.md").symlink_to(tmp_path / "secret")
    (root / "out").symlink_to("..")
    (root / "deep" / "er" / "out.md").symlink_to("../../../secret")
    (root / "twice.md").symlink_to("out.md")
    (root / "loop").symlink_to("loop")
    return root


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.md", b"config map"),
        ("current/b.md", b"git-sync"),
        ("deep/er/up.md", b"git-sync"),
        ("absolute.md", b"git-sync"),
        ("deep/../a.md", b"config map"),
        ("./deep//er/../../a.md", b"config map"),
    ],
)
def test_links_inside_the_folder_are_followed(root: Path, name: str, text: bytes, with_openat2: bool) -> None:
    """The layouts of Kubernetes and git-sync work, with relative and absolute links."""
    assert read(root, name, with_openat2) == text


@pytest.mark.parametrize(
    "name",
    [
        "out.md",
        "out-absolute.md",
        "out/secret",
        "deep/er/out.md",
        "twice.md",
        "../secret",
        "deep/../../secret",
        "a.md/../../../secret",
    ],
)
def test_links_out_of_the_folder_are_rejected(root: Path, name: str, with_openat2: bool) -> None:
    """No combination of links and dots leads out."""
    with pytest.raises((OutsideError, NotADirectoryError)):
        read(root, name, with_openat2)


@pytest.mark.parametrize("name", ["nowhere.md", "loop", "a.md/x", "nul\0.md"])
def test_missing_files_and_invalid_names_raise_os_errors(root: Path, name: str, with_openat2: bool) -> None:
    """Missing files, loops and names that no file can have raise no other error."""
    with pytest.raises((OSError, ValueError)) as caught:
        read(root, name, with_openat2)
    assert not isinstance(caught.value, OutsideError)


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path, with_openat2: bool) -> None:
    """A site may use a folder at another place."""
    (tmp_path / "link").symlink_to(root)
    assert read(tmp_path / "link", "a.md", with_openat2) == b"config map"
    assert read(tmp_path / "link", "absolute.md", with_openat2) == b"git-sync"


def test_named_pipes_and_folders_are_rejected(root: Path) -> None:
    """They are opened without blocking, and not read."""
    os.mkfifo(root / "pipe")
    os.close(open_beneath(root, "pipe"))
    assert read_beneath(root, "pipe", 10) is None
    assert read_beneath(root, "deep", 10) is None
    assert read_beneath(root, "out.md", 10) is None
    assert read_beneath(root, "a.md", 9) is None
    assert read_beneath(root, "a.md", 10) == b"config map"


def test_a_file_that_is_replaced_by_a_link_is_never_followed_out(tmp_path: Path, with_openat2: bool) -> None:
    """There is no race between the check and the opening."""
    root = tmp_path / "articles"
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    (root / "real").write_text("good")
    is_over = threading.Event()

    def exchange() -> None:
        while not is_over.is_set():
            for target in ("real", "../secret"):
                (root / "new").symlink_to(target)
                (root / "new").replace(root / "a.md")

    (root / "a.md").symlink_to("real")
    thread = threading.Thread(target=exchange)
    thread.start()
    try:
        seen = set()
        for _ in range(3_000):
            try:
                seen.add(read(root, "a.md", with_openat2))
            except OSError:
                seen.add(b"refused")
    finally:
        is_over.set()
        thread.join()
    assert seen <= {b"good", b"refused"}
    assert b"good" in seen


def test_no_descriptor_is_left_open(root: Path, with_openat2: bool) -> None:
    """Neither after a success nor after an error."""
    before = len(list(Path("/proc/self/fd").iterdir()))
    for name in ("a.md", "absolute.md", "out.md", "deep/er/out.md", "loop", "nowhere", "deep"):
        try:
            os.close(open_beneath(root, name, with_openat2=with_openat2))
        except OSError:
            continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@given(st.lists(st.sampled_from(["a", "b", "..", ".", "", "up", "self", "out"]), max_size=7))
def test_openat2_and_the_python_code_give_the_same_result(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    """For any path of folders, links and dots."""
    root = tmp_path_factory.getbasetemp() / "agree" / "root"
    if not root.exists():
        (root / "a" / "b").mkdir(parents=True)
        (root / "a" / "up").symlink_to("..")
        (root / "a" / "b" / "up").symlink_to("../..")
        (root / "self").symlink_to("a")
        (root / "out").symlink_to("..")
        (root / "b").write_text("file")
    found = []
    for with_openat2 in (True, False):
        try:
            handle = open_beneath(root, "/".join(parts) or ".", with_openat2=with_openat2)
        except OSError as error:
            found.append(type(error).__name__)
        else:
            found.append(os.fstat(handle).st_ino)
            os.close(handle)
    assert found[0] == found[1]
