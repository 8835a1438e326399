"""Same records and same clock, same bytes: in every clone, time zone, locale and hash seed."""

from __future__ import annotations

import filecmp
import shutil
from pathlib import Path

from tests.support.processes import run_in_new_interpreter
from tests.support.processes import run_publish as run

ROOT = Path(__file__).parent.parent.parent


def clone(folder: Path) -> Path:
    folder.mkdir()
    shutil.copy(ROOT / "publisher.toml", folder)
    shutil.copytree(ROOT / "articles", folder / "articles")
    return folder


def differences(one: Path, other: Path) -> list[str]:
    found: list[str] = []

    def walk(compared: filecmp.dircmp[str]) -> None:
        found.extend([*compared.left_only, *compared.right_only, *compared.diff_files, *compared.funny_files])
        for below in compared.subdirs.values():
            walk(below)

    walk(filecmp.dircmp(one, other, ignore=[], hide=[]))
    return found


def test_two_clones_stage_the_same_bytes(tmp_path: Path) -> None:
    """Another folder, time zone, locale and hash seed do not change a byte."""
    one, other = clone(tmp_path / "one"), clone(tmp_path / "other")
    at = "2026-11-23T07:00:00+00:00"
    for name in sorted((other / "articles").iterdir(), reverse=True):
        name.touch()
    first = run_in_new_interpreter("now", "--at", at, cwd=one, TZ="Pacific/Auckland", LC_ALL="C", PYTHONHASHSEED="1")
    second = run_in_new_interpreter(
        "now", "--at", at, cwd=other, TZ="America/Los_Angeles", LC_ALL="C.UTF-8", LANG="de_DE.UTF-8", PYTHONHASHSEED="2"
    )
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    # What the README shows is what the example site gives.
    for words in (
        "articles/  8 files read: 10 new, 0 edited",
        "feeds/     170 files, 170 written",
        "morning No. 1, 8 articles",
    ):
        assert words in first.stdout and words in (ROOT / "README.md").read_text("utf-8")
    for folder in ("feeds", "outbox"):
        assert list((one / folder).rglob("*"))
        assert differences(one / folder, other / folder) == []


def test_a_site_published_in_steps_has_the_same_feeds(tmp_path: Path) -> None:
    """One run over everything, or one run a file in their order: the feeds are the same."""
    one, other = clone(tmp_path / "one"), clone(tmp_path / "other")
    at = "2026-11-23T07:00:00+00:00"
    shutil.rmtree(other / "articles")
    (other / "articles").mkdir()
    for path in sorted((one / "articles").iterdir()):
        shutil.copy(path, other / "articles")
        assert run("now", "--at", at, cwd=other).returncode == 0
    assert run("now", "--at", at, cwd=one).returncode == 0
    assert differences(one / "feeds", other / "feeds") == []
