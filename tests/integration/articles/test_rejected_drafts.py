"""A rejected file with a draft field withdraws its article."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from publisher.articles import drafts_store as drafts
from publisher.articles.parsers import DraftRecord, ParserOptions, RejectedRecord
from publisher.articles.parsers.registry import parse_file
from tests.conftest import NOW, SiteKit, ids, titles

LATER = NOW + timedelta(hours=1)
OPTIONS = ParserOptions(zone=ZoneInfo("UTC"))
BROKEN = "title: One: two: three"


def drafts_of(folder: Path, name: str, text: str | bytes) -> list[DraftRecord]:
    """Return the drafts of a file of which every record is rejected."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    results = parse_file(folder, name, OPTIONS)
    assert results and all(isinstance(one, RejectedRecord) for one in results)
    return [draft for one in results if isinstance(one, RejectedRecord) for draft in one.drafts]


@pytest.mark.parametrize(
    ("head", "statement"),
    [
        (f"---\n{BROKEN}\ndraft: true\n---\nText", "draft: true"),
        (f"---\ndraft: true\n{BROKEN}\n---\nText", "draft: true"),
        (f"---\n{BROKEN}\n\"Is-Draft\" : 'yes'  # not yet\n---\n", "Is-Draft: yes"),
        (f"---\r\n{BROKEN}\r\npublished: false\r\n---\r\n", "published: false"),
        (f"---\n{BROKEN}\nstatus: In-Review\n---\n", "status: In-Review"),
        (f"---\n{BROKEN}\nvisible: no\n---\n", "visible: no"),
        (f"---\n{BROKEN}\nparams:\n  status: draft\n---\n", "status: draft"),
        (f"---\n{BROKEN}\nparams: {{author: A, draft: true}}\n---\n", "draft: true"),
        ("---\ndraft: true\ntitle: One\nno end of the front matter", "draft: true"),
        ("---\ndraft: true\ndraft: false\ntitle: One\ndate: 2026-11-20\n---\n", "draft: true"),
        ("title: One\ndraft: true\n\nA file without a fence.", "draft: true"),
        ('+++\ntitle = "One"\ndraft = true\n+++\n', "draft: true"),
        (f"---\n{BROKEN}\ndraft: true\n---\n".encode("utf-16"), "draft: true"),
        ("---\ndraft: true\n---\n" + "Long. " * 1_000_000, "draft: true"),
        (f"---\n{BROKEN}\nauthor: J\xf6rg\ndraft: true\n---\n".encode("latin-1"), "draft: true"),
    ],
)
def test_rejected_front_matter_is_searched_line_by_line(tmp_path: Path, head: str | bytes, statement: str) -> None:
    """A line with a syntax error does not hide a draft field."""
    (found,) = drafts_of(tmp_path, "a.md", head)
    assert (found.where, found.statement) == ("a.md", statement)


@pytest.mark.parametrize(
    "lines",
    [
        "draft: false",
        "title: A draft: true or false",
        "summary: |\n  draft: true",
        "cover:\n  hidden: true\n  status: draft",
        "# draft: true",
        "tags:\n- draft: true",
        "published: Jan 5, 2026",
        "status: something else",
        "---\ndraft: true",
        "---\nThe status: draft",
    ],
)
def test_an_ambiguous_line_withdraws_nothing(tmp_path: Path, lines: str) -> None:
    """A published article is not withdrawn by a guess."""
    assert drafts_of(tmp_path, "a.md", f"---\n{BROKEN}\n{lines}\n---\n") == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("a.json", '{"title": "One", "draft": true,', [("draft: true", None)]),
        ("a.json", '{"id": "x7", "status": "draft", "cover": {"status": "x"} "date": 1}', [("status: draft", "x7")]),
        ("a.json", '{"cover": {"status": "draft", "id": "x7"}, }', []),
        ("a.json", '{"author": {"published": false}, }', []),
        ("a.json", '{"cover": {"published": false}, }', [("published: false", None)]),
        ("a.json", '{"fields": {"status": "hidden"}, }', [("status: hidden", None)]),
        ("a.json", '{"x": [{"hidden": true}, {"status": "draft"}], }', []),
        ("a.json", '[{"id": 1, "draft": false}, {"id": 2, "draft": true},\n{"id": 3', [("draft: true", "2")]),
        ("a.json", '[{"id": "7", "draft": true, "x": [' + "[]," * 9_999 + "[]]}, 5]", [("draft: true", "7")]),
        (
            "a.jsonl",
            '{"id": 1, "draft": 1\n{"id": 2, "status": "private",}\n',
            [("draft: 1", "1"), ("status: private", "2")],
        ),
        ("a.jsonl", '{"url": "https://a.example/1", "draft": true, "x":\n', [("draft: true", "https://a.example/1")]),
        ("a.jsonl", '{"id": 3, "draft": true, "body": "' + "x" * 5_000_000 + '"}\n', [("draft: true", "3")]),
        ("a.txt", "Status: draft\n" + "Long. " * 1_000_000, [("Status: draft", None)]),
        ("a.md", b"\x89PNG draft: true", []),
        ("a.json", '{"text": "' + '{\\"a\\": ' * 9_000, []),
    ],
)
def test_drafts_in_rejected_files_of_other_formats_are_found(
    tmp_path: Path, name: str, text: str | bytes, found: list[tuple[str, str | None]]
) -> None:
    """In a file of several records a draft is identified by its ID or URL."""
    assert [(one.statement, one.external_id or one.url) for one in drafts_of(tmp_path, name, text)] == found


def test_the_article_of_a_rejected_draft_is_withdrawn(any_kit: SiteKit) -> None:
    """The file is named, and the repaired file is published under the same ID."""
    kit = any_kit
    kit.article("a.md", "One")
    kit.article("b.md", "Two")
    kit.publish()
    known = ids(kit)
    kit.write("a.md", f"---\n{BROKEN}\ndate: 2026-11-20\ndraft: true\n---\nText.\n")
    report = kit.publish(LATER)
    assert (report.exit_status, report.withdrawn, report.drafts) == (1, 1, 1)
    (problem,) = report.rejected
    assert problem.where == "a.md" and problem.reason.endswith("It says draft: true, so its article counts as a draft.")
    assert titles(kit) == ["Two"]
    with kit.open() as db, db.read() as connection:
        assert [one.where for one in drafts.list_drafts(connection)] == ["a.md"]
    again = kit.publish(LATER + timedelta(hours=1))
    assert (again.exit_status, again.withdrawn) == (1, 0)
    kit.article("a.md", "One")
    assert kit.publish(LATER + timedelta(hours=2)).exit_status == 0
    assert sorted(titles(kit)) == ["One", "Two"] and sorted(ids(kit)) == sorted(known)


def test_a_rejected_file_that_is_no_draft_keeps_its_article(any_kit: SiteKit) -> None:
    """A mistake in an edit does not remove the article from feeds."""
    kit = any_kit
    kit.article("a.md", "One")
    kit.publish()
    kit.write("a.md", f"---\n{BROKEN}\ndate: 2026-11-20\ndraft: false\n---\nText.\n")
    report = kit.publish(LATER)
    assert (report.exit_status, report.withdrawn, titles(kit)) == (1, 0, ["One"])


def test_a_rejected_record_of_many_withdraws_its_own_article_only(any_kit: SiteKit) -> None:
    """The other records of the file stay published."""
    kit = any_kit
    records = [{"id": number, "title": f"No. {number}", "date": "2026-11-20"} for number in range(3)]
    kit.write("many.jsonl", "\n".join(map(json.dumps, records)))
    kit.publish()
    lines = [json.dumps(one) for one in records]
    kit.write("many.jsonl", "\n".join([lines[0], lines[1][:-1] + ', "draft": true', lines[2]]))
    report = kit.publish(LATER)
    assert (report.withdrawn, [one.where for one in report.rejected]) == (1, ["many.jsonl:2"])
    assert sorted(titles(kit)) == ["No. 0", "No. 2"]
