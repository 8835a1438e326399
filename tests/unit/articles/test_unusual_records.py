"""Records that are rare: unusual dates, broken files, and errors of a parser."""

from __future__ import annotations

import io
import os
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from publisher.articles import scan
from publisher.articles.parsers import ParsedRecord, ParserOptions, RejectedRecord, json_files, parse_file, registry
from publisher.articles.parsers.dates import localize, parse_date
from publisher.articles.parsers.json_files import parse_json, parse_json_lines
from publisher.articles.parsers.publication import parse_publication
from publisher.articles.parsers.registry import parse_each_file
from publisher.articles.parsers.rejected import drafts_in_file
from publisher.articles.parsers.result import DraftRecord, rejection_of
from publisher.articles.parsers.text_export import parse_text_export
from publisher.articles.scan import scan_folder
from publisher.errors import InvalidRecord, SettingsError

ZONE = ZoneInfo("Europe/London")
OPTIONS = ParserOptions(zone=ZONE, max_bytes=20_000)
LINE = '{"id": "%s", "title": "T", "date": "2026-11-20"}\n'


def json_lines(data: bytes, **options: Any) -> list[object]:
    return list(parse_json_lines(io.BytesIO(data), "x.jsonl", ParserOptions(zone=ZONE, max_bytes=20_000, **options)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20261120T070000", datetime(2026, 11, 20, 7, tzinfo=ZONE)),
        ("2026-11-20T07:00:00.25+01:00", datetime.fromisoformat("2026-11-20T07:00:00+01:00")),
        ("2026-11-20", date(2026, 11, 20)),
    ],
)
def test_dates_of_iso_8601_are_read_in_every_form(text: str, expected: date) -> None:
    """In whole seconds, and in the zone of the site without an offset."""
    assert parse_date(text, ZONE) == expected
    assert localize(expected, ZONE) == expected


def test_an_embargo_alone_is_the_date_of_a_record() -> None:
    """And a date that is no text is used as it is."""
    (found,) = parse_json(io.BytesIO(b'{"title": "T", "embargo": "2026-12-01"}'), "x.json", OPTIONS)
    assert isinstance(found, ParsedRecord) and found.record.date == date(2026, 12, 1)


def test_a_lone_surrogate_in_json_is_replaced_with_a_warning() -> None:
    """It has no UTF-8 encoding."""
    (found,) = parse_json(io.BytesIO(b'{"title": "A\\ud800B", "date": "2026-11-20"}'), "x.json", OPTIONS)
    assert isinstance(found, ParsedRecord)
    found.record.title.encode()


def test_an_error_of_the_parser_rejects_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a list, and in a file with a record per line; the others are published."""
    real = json_files.parse_record

    def parse_record(value: Any, *rest: Any, **options: Any) -> Any:
        if value["id"] == "b":
            raise RecursionError
        if value["id"] == "c":
            raise ZeroDivisionError("division by zero")
        return real(value, *rest, **options)

    monkeypatch.setattr(json_files, "parse_record", parse_record)
    items = [LINE % name for name in "abcd"]
    for parsed in (
        list(parse_json(io.BytesIO(f"[{','.join(items)}]".encode()), "x.json", OPTIONS)),
        json_lines("".join(items).encode()),
    ):
        first, second, third, fourth = parsed
        assert isinstance(first, ParsedRecord) and isinstance(fourth, ParsedRecord)
        assert isinstance(second, RejectedRecord) and second.reason == "nested too deep"
        assert isinstance(third, RejectedRecord) and "division by zero" in third.reason
    assert "ZeroDivisionError" in rejection_of("x", ZeroDivisionError("no")).reason


def test_records_before_a_stopped_one_are_not_parsed_again() -> None:
    """The one that stopped the process is rejected with the reason."""
    data = "".join(LINE % name for name in "abc").encode()
    rejected, parsed = json_lines(data, skip_records=2, skip_reason="it took too long")
    assert isinstance(rejected, RejectedRecord)
    assert (rejected.where, rejected.reason) == ("x.jsonl:2", "it took too long")
    assert isinstance(parsed, ParsedRecord) and parsed.where == "x.jsonl:3"


def test_a_line_in_another_encoding_is_rejected_alone() -> None:
    """With the number of the line."""
    first, second = json_lines(b'{"title": "\xff\xfe"}\n' + (LINE % "a").encode())
    assert isinstance(first, RejectedRecord) and first.where == "x.jsonl:1"
    assert isinstance(second, ParsedRecord)


def test_files_are_parsed_one_after_the_other(tmp_path: Path) -> None:
    """A folder that cannot be listed, and a file whose name is no text, are rejected with the reason."""
    (tmp_path / "a.json").write_text(LINE % "a")
    (tmp_path / "open").mkdir()
    (tmp_path / "file").touch()
    names = ["a.json", "open/", "gone/", "file/", "caf\\xe9.md", "b.xyz"]
    found = {name: results[0] for name, results in parse_each_file(tmp_path, names, OPTIONS)}
    assert isinstance(found["a.json"], ParsedRecord)
    reasons = {name: result.reason for name, result in found.items() if isinstance(result, RejectedRecord)}
    assert reasons == {
        "open/": "the folder cannot be listed: it can be listed now. Run this again.",
        "gone/": "the folder cannot be listed: No such file or directory",
        "file/": "the folder cannot be listed: Not a directory",
        "caf\\xe9.md": "the file's name is not UTF-8; rename it",
        "b.xyz": f"unknown file type. Use one of {', '.join(sorted(registry.PARSERS))}",
    }
    assert found["open/"].is_transient  # type: ignore[union-attr]


def test_everything_in_a_drafts_folder_is_a_draft(tmp_path: Path) -> None:
    """Whether it is valid, says so itself, or cannot be used."""
    folder = tmp_path / "_drafts"
    folder.mkdir()
    (folder / "a.md").write_text("---\ntitle: T\ndate: 2026-11-20\n---\nText.\n")
    (folder / "b.md").write_text("---\ntitle: T\ndate: 2026-11-20\ndraft: true\n---\nText.\n")
    (folder / "c.md").write_text("---\ntitle: [\n---\n")
    for name in ("a", "b", "c"):
        (found,) = parse_file(tmp_path, f"_drafts/{name}.md", OPTIONS)
        assert isinstance(found, DraftRecord), name


def test_a_rejected_file_of_another_type_names_no_drafts(tmp_path: Path) -> None:
    """Only known types have fields."""
    (tmp_path / "x.jsonl").write_text('{"draft": true}\n')
    assert drafts_in_file(tmp_path, "x.jsonl", OPTIONS) == ()
    assert drafts_in_file(tmp_path, "gone.md", OPTIONS) == ()


def test_an_impossible_embargo_of_a_text_export_rejects_the_record() -> None:
    """It could be in the future."""
    text = "Headline\nApril 1, 2022\nEmbargo until: 2026-13-45\n\nText.\n"
    with pytest.raises(InvalidRecord, match="impossible embargo until"):
        list(parse_text_export(io.BytesIO(text.encode()), "x.txt", OPTIONS))


def test_a_field_whose_name_is_no_text_says_nothing_about_publication() -> None:
    """As in YAML that a program has written."""
    assert parse_publication({1: True, "title": "x"}).draft == ""  # type: ignore[dict-item]


class Gone:
    """An entry that was removed after its folder was listed."""

    name, path = "gone.md", "/nowhere/gone.md"

    def is_dir(self, *, follow_symlinks: bool) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        raise FileNotFoundError


def test_a_file_that_is_removed_while_its_folder_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next run sees that it is gone."""

    class Entries:
        def __enter__(self) -> list[Gone]:
            return [Gone()]

        def __exit__(self, *_: object) -> None:
            return None

    with monkeypatch.context() as patch:
        patch.setattr(scan.os, "scandir", lambda path: Entries())
        assert list(scan._walk(str(tmp_path), "")) == []


def test_a_first_folder_that_cannot_be_listed_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All articles would count as deleted otherwise."""

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(scan.os, "scandir", refuse)
    with pytest.raises(SettingsError, match=r"cannot list .*: Permission denied"):
        scan_folder(tmp_path, 0)
