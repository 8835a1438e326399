"""A folder of hostile input: valid records are published, invalid ones are named, repairable ones are repaired."""

from __future__ import annotations

import json
import os
from pathlib import Path

import feedparser

from tests.acceptance.test_cli import run
from tests.conftest import SiteKit, issues

GOOD = "Good News\n\nNovember 20, 2026 Topic: Water Tags: MaliNiger\n\nGood News\n\nThe dek.\n\nThe body.\n"


def test_ten_invalid_records_do_not_stop_a_valid_one(kit: SiteKit, tmp_path: Path) -> None:
    """Each invalid record is named with its reason, and the valid one is in every feed."""
    secret = tmp_path / "secret.txt"
    secret.write_text(GOOD)
    kit.write("good.txt", GOOD)
    kit.write("1-empty.txt", "")
    kit.write("2-no-date.txt", "Title\n\nBody without a date.\n")
    kit.write("3-impossible.txt", "Title\n\nFebruary 30, 2026 Topic: X\n\nBody\n")
    kit.write("4-no-title.txt", "November 20, 2026 Topic: X\n\nBody\n")
    kit.write("5-binary.txt", os.urandom(4096) + bytes(64))
    kit.write("6-large.txt", GOOD.encode() + b"x" * 20_000_000)
    kit.write("7-deep.json", "[" * 100_000 + "]" * 100_000)
    kit.write("8-type.json", json.dumps({"title": {"a": 1}, "date": "2026-11-20"}))
    kit.write("9-yaml.md", "---\ntitle: [unclosed\ndate: }\n---\nBody\n")
    (kit.root / "articles/a-link.txt").symlink_to(secret)
    result = run("now", "--json", "--at", "2026-11-23T07:00", "--site", str(kit.root))
    assert result.returncode == 1, result.stderr
    summary = json.loads(result.stdout)
    reasons = {one["where"]: one["reason"] for one in summary["refused"]}
    assert len(reasons) == 10
    for where, words in {
        "1-empty.txt": "empty",
        "2-no-date.txt": "no date line",
        "3-impossible.txt": "impossible date 'February 30, 2026'",
        "4-no-title.txt": "no title",
        "5-binary.txt": "binary",
        "6-large.txt": "larger than ingest.max_bytes",
        "7-deep.json": "nested too deep",
        "8-type.json": "title must be text, not a table",
        "9-yaml.md": "not YAML",
        "a-link.txt": "leads out of the articles folder",
    }.items():
        assert words in reasons[where], where
    for feed in ("all", "topic/water", "tag/mali", "tag/niger"):
        for suffix in ("rss", "atom"):
            (entry,) = feedparser.parse((kit.root / f"feeds/{feed}.{suffix}").read_bytes()).entries
            assert entry.title == "Good News"
    assert issues(kit) == [["Good News"]]


def test_records_with_repairable_faults_are_published(kit: SiteKit) -> None:
    """Byte order marks, other encodings, control characters and lone surrogates are corrected."""
    kit.write("controls.txt", GOOD.replace("Good", "Co\x00nt\x07rol").encode())
    kit.write("surrogate.json", '{"title": "Lone \\ud800 surrogate", "date": "2026-11-20"}')
    kit.write("latin.txt", GOOD.replace("Good", "Café").encode("latin-1"))
    kit.write("windows.txt", GOOD.replace("Good", "“Quoted”").encode("cp1252"))
    kit.write("bom.txt", b"\xef\xbb\xbf" + GOOD.replace("Good", "Bom").replace("\n", "\r\n").encode())
    result = run("now", "--json", "--at", "2026-11-23T07:00", "--site", str(kit.root))
    assert result.returncode == 0, result.stdout
    summary = json.loads(result.stdout)
    assert [one["where"] for one in summary["warnings"]] == [
        "controls.txt",
        "latin.txt",
        "surrogate.json",
        "windows.txt",
    ]
    titles = {entry.title for entry in feedparser.parse((kit.root / "feeds/all.atom").read_bytes()).entries}
    assert titles == {"Control News", "Café News", "“Quoted” News", "Bom News", "Lone \ufffd surrogate"}
