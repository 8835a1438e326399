"""Parsing the newsroom's text export."""

from __future__ import annotations

import io
from datetime import date
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.articles.parsers import ParsedRecord, ParserOptions
from publisher.articles.parsers.byline import parse_author_line, parse_image_line
from publisher.articles.parsers.tags import split_tags
from publisher.articles.parsers.text_export import parse_text_export
from publisher.errors import InvalidRecord
from publisher.html.text import plain_text
from publisher.model.articles import Record

OPTIONS = ParserOptions(zone=ZoneInfo("UTC"))

EXPORT = """\
Canal SubscriberSite Votes to Keep Its Lock

April 1, 2022 Topic:\u00a0Public-Works Region:\u00a0Europe Blog Brand:\u00a0The Ledger Tags:\u00a0RussiaFranceUpper CanalsDredging

Canal SubscriberSite Votes to Keep Its Lock

As the boats come back, a village finds that it owns the only gate

The council of a village that few could find on a map voted on Tuesday to keep its lock.

“It is ours,” said the mayor. Russia and France both sent observers.

A third paragraph.

Ilse Vandermeer is a current affairs writer for The Review.

ImageWikipedia"""


def read(text: str | bytes, options: ParserOptions = OPTIONS) -> ParsedRecord:
    data = text.encode() if isinstance(text, str) else text
    (found,) = parse_text_export(io.BytesIO(data), "x.txt", options)
    return found


def record(text: str | bytes) -> Record:
    return read(text).record


def test_every_part_of_an_export_is_parsed() -> None:
    """Title, date, labels, dek, body, author line and image credit."""
    found = read(EXPORT)
    got = found.record
    assert got.title == "Canal SubscriberSite Votes to Keep Its Lock"
    assert got.date == date(2022, 4, 1)
    assert (got.topic, got.region, got.brand) == ("Public-Works", "Europe", "The Ledger")
    assert got.tags == ("Russia", "France", "Upper Canals", "Dredging")
    assert got.dek == "As the boats come back, a village finds that it owns the only gate"
    assert [author.name for author in got.authors] == ["Ilse Vandermeer"]
    assert got.authors[0].bio == "Ilse Vandermeer is a current affairs writer for The Review."
    assert got.image is not None and got.image.credit == "Wikipedia" and got.image.url is None
    assert got.body.count("<p>") == 3
    assert found.warnings == ()


def test_bom_and_crlf_give_no_warning() -> None:
    """Both are common in exports from Windows."""
    found = read(b"\xef\xbb\xbf" + EXPORT.replace("\n", "\r\n").encode())
    assert found == read(EXPORT)


def test_windows_1252_is_detected_with_a_warning() -> None:
    """The text is decoded correctly."""
    found = read(EXPORT.encode("cp1252"))
    assert found.record == record(EXPORT)
    assert found.warnings == ("not UTF-8: read as Windows-1252",)


def test_undefined_bytes_of_windows_1252_are_decoded() -> None:
    """They become control characters, which are dropped with a warning."""
    found = read(EXPORT.replace("A third", "A \u00e9 third").encode("cp1252").replace(b"third", b"thi\x81rd"))
    assert "dropped 1 control character" in found.warnings


def test_control_characters_are_dropped_with_a_warning() -> None:
    """The number of dropped characters is in the warning."""
    found = read(EXPORT.replace("third", "th\x00i\x07rd"))
    assert found.record == record(EXPORT)
    assert found.warnings == ("dropped 2 control characters",)


def test_markup_in_text_is_escaped() -> None:
    """HTML and template syntax in an export are shown as text."""
    got = record(EXPORT.replace("A third paragraph.", "<b>not bold</b> ]]> {{ x }} &amp;"))
    assert "&lt;b&gt;not bold&lt;/b&gt; ]]&gt; {{ x }} &amp;amp;" in got.body


def test_right_to_left_titles_and_emoji_are_kept() -> None:
    """Text of any script is unchanged."""
    got = record("عنوان 😀\n\nMay 2, 2026\n\nعنوان 😀\n\nنص\n")
    assert got.title == "عنوان 😀"
    assert 'dir="rtl"' in got.body


@pytest.mark.parametrize(
    ("line", "topic", "tags"),
    [
        ("Jan. 9, 2026 Tags: A Topic: T", "T", ("A",)),
        ("Sept. 9, 2026", None, ()),
        ("9 September 2026 Topic:\u00a0T", "T", ()),
        ("2026-09-09 Tags: a, b; c", None, ("a", "b", "c")),
        ("Monday, January 9, 2026 Region: R", None, ()),
    ],
)
def test_labels_are_optional_and_may_come_in_any_order(line: str, topic: str | None, tags: tuple[str, ...]) -> None:
    """A missing label is an empty field."""
    got = record(f"Title\n\n{line}\n\nTitle\n\nBody.")
    assert (got.topic, got.tags) == (topic, tags)


def test_labels_may_wrap_onto_more_lines() -> None:
    """The date line may be a paragraph of several lines."""
    got = record("Title\n\nApril 1, 2022 Topic: Long\nTopic Name Region: R\n\nTitle\n\nBody.")
    assert (got.topic, got.region) == ("Long Topic Name", "R")


def test_unknown_text_on_the_date_line_gives_a_warning() -> None:
    """The warning quotes the text."""
    assert read("Title\n\nApril 1, 2022 by Somebody Topic: T\n\nBody.").warnings == (
        "did not understand 'by Somebody' on the date line",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        (" \n\t\n", "empty"),
        ("Title\n\nNo date here.\n", "no date line"),
        ("Title\n\nFebruary 31, 2026\n\nBody", "impossible date 'February 31, 2026'"),
        ("April 1, 2022 Topic: T\n\nBody", "no title"),
        ("Title\n\nApril 1, 0022\n\nBody", "year 22 is not between"),
        ("\n".join(["Title"] + ["line"] * 20 + ["April 1, 2022"]), "no date line"),
    ],
)
def test_an_invalid_export_is_rejected_with_a_reason(text: str, reason: str) -> None:
    """The reason names the missing part."""
    with pytest.raises(InvalidRecord, match=reason):
        read(text)


def test_a_headline_may_begin_with_a_date() -> None:
    """Only a date that labels follow is the date line."""
    assert record("April 1, 2022\n\nApril 3, 2022 Topic: T\n\nBody.").title == "April 1, 2022"


def test_a_missing_dek_leaves_the_body_whole() -> None:
    """A long first paragraph is body."""
    long = "A long first paragraph. " * 20
    got = record(f"Title\n\nApril 1, 2022\n\nTitle\n\n{long}\n\nSecond.")
    assert got.dek is None
    assert got.body.count("<p>") == 2


def test_the_only_paragraph_is_body_and_not_dek() -> None:
    """An article has at least one paragraph of body."""
    got = record("Title\n\nApril 1, 2022\n\nTitle\n\nShort.")
    assert (got.dek, got.body) == (None, "<p>Short.</p>")


def test_author_line_and_image_credit_may_be_in_either_order() -> None:
    """Both are removed from the body."""
    assert record(EXPORT.replace("ImageWikipedia", "").replace("Ilse Vander", "Image: X / Y.\n\nIlse Vander")).image


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("Trevor Bright is a current affairs writer.", ["Trevor Bright"]),
        ("Anna de la Cruz and Bo Li are fellows at a university.", ["Anna de la Cruz", "Bo Li"]),
        ("A. B. Stone, Cem Ali, and Dee O'Neil are reporters.", ["A. B. Stone", "Cem Ali", "Dee O'Neil"]),
        ("Sigrid Aune writes about the North.", ["Sigrid Aune"]),
        ("Ann Lee is an editor. She lives in Oslo. Bob Ray is a poet.", ["Ann Lee", "Bob Ray"]),
        ("John Smith, Jr., is the author of two books.", ["John Smith"]),
        ("Dr. Ursula von der Heide is a professor.", ["Dr. Ursula von der Heide"]),
        ("About the author: Jane Doe is a critic.", ["Jane Doe"]),
        ("Jane Doe is a retired colonel.", ["Jane Doe"]),
        ("Emmanuel Martin is the president of France.", []),
        ("The Kremlin is a fortress.", []),
        ("Mali is a country.", []),
        ("it is the end of the story.", []),
        ("Nobody knows what comes next.", []),
        ("Group 77 is a bloc.", []),
    ],
)
def test_author_lines_are_distinguished_from_body_text(line: str, names: list[str]) -> None:
    """A sentence about a person whom the article mentions is body."""
    body = "President Martin spoke. The Kremlin answered."
    assert [author.name for author in parse_author_line(line, body)] == names


def test_a_very_long_last_paragraph_is_body() -> None:
    """An author line has a maximum length."""
    assert parse_author_line("Jane Doe is a writer. " * 100, "") == ()


@pytest.mark.parametrize(
    ("line", "credit"),
    [
        ("ImageWikipedia", "Wikipedia"),
        ("Image: Reuters / Ana Lima.", "Reuters / Ana Lima"),
        ("Image by Ana Lima", "Ana Lima"),
        ("Image: U.S. Navy / J. Doe, U.S.", "U.S. Navy / J. Doe, U.S."),
        ("Image©AFP", "©AFP"),
        ("Image:", None),
    ],
)
def test_image_credits_are_parsed(line: str, credit: str | None) -> None:
    """Exports join the word Image and the credit in several ways."""
    image = parse_image_line(line)
    assert image is not None
    assert image.credit == credit


@pytest.mark.parametrize(
    "line",
    [
        "Images of the subscriber_site are rare.",
        "Imagery is cheap.",
        "Image recognition is hard.",
        "Image: " + "x" * 300,
    ],
)
def test_paragraphs_that_begin_with_image_are_body(line: str) -> None:
    """Sentences about images are not credits."""
    assert parse_image_line(line) is None


@pytest.mark.parametrize(
    ("run", "text", "vocabulary", "tags", "ambiguous"),
    [
        ("RussiaFranceMaliTuareg RebelsAzawad", "", (), "Russia|France|Mali|Tuareg Rebels|Azawad", ""),
        (
            "NATOVladimir PutinF-16Grain",
            "NATO and Vladimir Putin saw the F-16. Grain too.",
            (),
            "NATO|Vladimir Putin|F-16|Grain",
            "",
        ),
        (
            "NATOVladimir PutinF-16Grain",
            "",
            ("NATO", "Vladimir Putin", "F-16", "Grain"),
            "NATO|Vladimir Putin|F-16|Grain",
            "",
        ),
        ("NATOVladimir PutinGrain", "", (), "NATOVladimir Putin|Grain", "NATOVladimir Putin"),
        ("Aid (USAID)Congo", "", (), "Aid (USAID)|Congo", ""),
        ("McDonaldFrance", "McDonald said", (), "McDonald|France", ""),
        ("YouTubeFrance", "", ("YouTube",), "YouTube|France", ""),
        ("NATOEU", "The EU and NATO", (), "NATO|EU", ""),
        ("USSR", "", (), "USSR", ""),
        ("COVID-19Vaccines", "COVID-19. Vaccines", (), "COVID-19|Vaccines", ""),
        ("ÎlesÉtat", "", (), "Îles|État", ""),
        ("Russia, France; Mali", "", (), "Russia|France|Mali", ""),
        ("RussiaRussia", "", (), "Russia", ""),
        ("", "", (), "", ""),
        ("A" * 100, "", (), "A" * 100, ""),
    ],
)
def test_joined_tags_are_split(run: str, text: str, vocabulary: tuple[str, ...], tags: str, ambiguous: str) -> None:
    """Borders are capitals after lower-case letters, or known phrases."""
    expected = (tuple(tags.split("|")) if tags else (), tuple(ambiguous.split("|")) if ambiguous else ())
    assert split_tags(run, text, frozenset(vocabulary)) == expected


def test_ambiguous_tags_are_reported() -> None:
    """They stay joined, with a warning."""
    found = read("Title\n\nApril 1, 2022 Tags: NATOVladimir Putin\n\nTitle\n\nBody.")
    assert "cannot split 'NATOVladimir Putin' into tags" in found.warnings[0]


@given(st.lists(st.from_regex(r"\A[A-Z][a-z]{2,8}( [A-Z][a-z]{2,8})?\Z"), min_size=1, max_size=6, unique=True))
def test_joined_tags_of_ordinary_words_are_always_split(tags: list[str]) -> None:
    """Capitalised words need no vocabulary."""
    assert split_tags("".join(tags), "", frozenset())[0] == tuple(tags)


@given(st.text(alphabet="ABab -.1(é)", max_size=40), st.text(alphabet="ABab ", max_size=30))
def test_no_letter_of_a_tag_is_lost(run: str, text: str) -> None:
    """The tags together have all letters of the export."""
    tags, _ = split_tags(run, text, frozenset())
    assert set("".join(tags)) == set("".join(run.split())) | ({" "} if any(" " in tag for tag in tags) else set())


WORDS = st.text(alphabet=st.sampled_from("abc é<&"), min_size=1, max_size=30).map(str.strip).filter(bool)


@given(WORDS, st.dates(date(1990, 1, 1), date(2030, 1, 1)), st.lists(WORDS, min_size=2, max_size=6))
def test_an_export_survives_a_round_trip(title: str, day: date, paragraphs: list[str]) -> None:
    """A generated export gives the record that it was made from."""
    text = "\n\n".join([title, f"{day:%B} {day.day}, {day.year}", title, "x" * 300, *paragraphs])
    got = record(text)
    assert (got.title, got.date) == (" ".join(title.split()), day)
    assert plain_text(got.body).split("\n")[1:] == [" ".join(one.split()) for one in paragraphs]
