"""Build a record from the named fields of front matter or JSON, and check their types."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from publisher.articles.parsers.dates import localize, parse_date, to_instant
from publisher.articles.parsers.decode import character_warnings
from publisher.articles.parsers.media_files import local_file_size
from publisher.articles.parsers.publication import (
    drop_publication_states,
    expiry_fields,
    parse_publication,
    release_fields,
)
from publisher.articles.parsers.result import DraftRecord, ParsedRecord, ParserOptions, PlainScalar, whole_number
from publisher.errors import InvalidRecord
from publisher.html.markdown import markdown_to_html
from publisher.html.sanitize import paragraphs_to_html, sanitize_html
from publisher.html.text import clean_characters, one_line
from publisher.html.urls import safe_url
from publisher.model.articles import Author, Enclosure, Image, Record
from publisher.model.media_types import media_type

#: Allowed values of ``format``, the format of the body.
BODY_FORMATS: Final = ("html", "markdown", "text")

#: Field → its names in exports; the first one that has a value is used.
_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "id": ("id", "guid"),
    "url": ("url", "link", "canonical_url"),
    "slug": ("slug",),
    "title": ("title", "headline"),
    "date": ("date", "published", "date_published", "publish"),
    "updated": ("updated", "date_modified"),
    "dek": ("dek", "summary", "description", "subtitle"),
    "body": ("body", "content_html", "content"),
    "format": ("format",),
    "authors": ("authors", "author"),
    "bio": ("bio",),
    "topic": ("topic",),
    "region": ("region",),
    "brand": ("brand", "blog_brand", "blog brand"),
    "tags": ("tags",),
    "image": ("image",),
    "enclosures": ("enclosures", "enclosure", "attachments"),
    "language": ("language", "lang"),
}
#: Names of the fields that identify an article.
IDENTITY_NAMES: Final = frozenset([*_NAMES["id"], *_NAMES["url"]])
#: Names of types in messages.
_TYPE_NAMES: Final = {
    str: "text",
    bool: "true or false",
    int: "a number",
    float: "a number",
    list: "a list",
    dict: "a table",
    type(None): "nothing",
    date: "a date",
    datetime: "a date",
}


class _Fields:
    """The fields of one record, with a method for each type, and counts of repairs."""

    def __init__(self, raw: Mapping[str, Any], where: str) -> None:
        self.where = where
        self.raw = drop_publication_states(raw)
        self.dropped = 0
        self.replaced = 0

    def invalid(self, reason: str) -> InvalidRecord:
        return InvalidRecord(self.where, reason)

    def get(self, field: str) -> Any:
        return next((self.raw[name] for name in _NAMES[field] if self.raw.get(name) is not None), None)

    def clean(self, text: str) -> str:
        text, dropped, replaced = clean_characters(text)
        self.dropped += dropped
        self.replaced += replaced
        return text

    def text(self, value: Any, name: str) -> str | None:
        """Return cleaned text on one line, or None if the field is missing or empty."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.invalid(f"{name} must be text, not {_TYPE_NAMES.get(type(value), 'that')}; put it in quotes")
        return one_line(self.clean(value)) or None

    def number(self, value: Any, name: str, unit: str, below: int = 100_000) -> int | None:
        """Return a positive whole number below BELOW, or None if the field is missing."""
        if value is None:
            return None
        if isinstance(value, str) and re.fullmatch(r"\s*[0-9]{1,15}\s*", value):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < below:
            raise self.invalid(f"{name} must be a whole number of {unit}")
        return value

    def table(self, value: Any, name: str) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.invalid(f"{name} must be text or a table, not {_TYPE_NAMES.get(type(value), 'that')}")
        return value

    def items(self, value: Any, name: str) -> list[Any]:
        if value is None:
            return []
        if isinstance(value, (str, Mapping)):
            return [value]
        if not isinstance(value, list):
            raise self.invalid(f"{name} must be a list, not {_TYPE_NAMES.get(type(value), 'that')}")
        return value

    def warnings(self) -> list[str]:
        return character_warnings(self.dropped, self.replaced)


def parse_record(
    raw: Mapping[str, Any],
    where: str,
    options: ParserOptions,
    *,
    body: str | None = None,
    body_format: str = "html",
    warnings: Sequence[str] = (),
    shares_file: bool = False,
) -> ParsedRecord | DraftRecord:
    """Return the record of these fields, or a draft if a field marks it as one.

    A draft needs no title, date or identifier. The arguments not listed here are those of :func:`build_record`.

    Args:
        warnings: warnings about the file, to be included in the result.
        shares_file: whether the file may hold several records.

    Raises:
        InvalidRecord: see :func:`build_record`.
    """
    publication = parse_publication(raw)
    if publication.draft:
        try:
            record, _ = build_record(raw, where, options, body=body, body_format=body_format)
        except Exception:
            # A draft with errors is still a draft: if the article was published, it must be withdrawn.
            record = None
        fields = _Fields(raw, where)
        return DraftRecord(
            where=where,
            statement=publication.draft,
            warnings=(*warnings, *publication.warnings),
            shares_file=shares_file,
            external_id=record.external_id if record else _value_or_none(lambda: _identifier(fields)),
            url=record.url if record else _value_or_none(lambda: _url(fields, "url", fields.get("url"), [])),
            record=record,
        )
    record, repairs = build_record(raw, where, options, body=body, body_format=body_format)
    return ParsedRecord(record=record, where=where, warnings=(*warnings, *repairs), shares_file=shares_file)


def _value_or_none(parse: Callable[[], str | None]) -> str | None:
    """Return the value of a draft's field, or None if its type is wrong."""
    try:
        return parse()
    except InvalidRecord:
        return None


def build_record(
    raw: Mapping[str, Any], where: str, options: ParserOptions, *, body: str | None = None, body_format: str = "html"
) -> tuple[Record, list[str]]:
    """Return the record of these fields, and warnings about repaired or ignored values.

    Args:
        raw: field name → value; unknown names are ignored.
        body: the body, if it is not one of the fields.
        body_format: the format of the body; a ``format`` field overrides it.

    Raises:
        InvalidRecord: no title, no date, an invalid date, or a value of a wrong type.
    """
    fields = _Fields(raw, where)
    warnings: list[str] = []
    title = fields.text(fields.get("title"), "title")
    if not title:
        raise fields.invalid("no title. Add one, such as title: Barges Return")
    published = _published(fields, options, warnings)
    updated = _moment(fields, "updated", options)
    if updated is not None and not isinstance(updated, datetime):
        updated = to_instant(updated, options.zone)
    url = _url(fields, "url", fields.get("url"), warnings)
    record = Record(
        title=title,
        date=published,
        updated=updated,
        dek=fields.text(fields.get("dek"), "dek"),
        body=_body(fields, body, body_format),
        authors=_authors(fields, warnings),
        topic=fields.text(fields.get("topic"), "topic"),
        region=fields.text(fields.get("region"), "region"),
        brand=fields.text(fields.get("brand"), "brand"),
        tags=_tags(fields),
        image=_image(fields, options, warnings),
        enclosures=_enclosures(fields, options, warnings),
        external_id=_identifier(fields),
        url=url,
        slug=fields.text(fields.get("slug"), "slug"),
        language=_language(fields, warnings),
        expires=_expires(fields, options, warnings),
    )
    return record, [*fields.warnings(), *warnings]


def _moment(fields: _Fields, field: str, options: ParserOptions) -> date | datetime | None:
    value = fields.get(field)
    if value is None:
        return None
    try:
        return _parsed_moment(fields, value, field, options)
    except ValueError as error:
        raise fields.invalid(f"impossible {field}: {error}") from None


def _published(fields: _Fields, options: ParserOptions, warnings: list[str]) -> date | datetime:
    """Return the publication time: the latest of the date and of embargo and release fields."""
    published = _moment(fields, "date", options)
    for name, value in release_fields(fields.raw).items():
        try:
            release = _parsed_moment(fields, value, name, options)
        except ValueError as error:
            # The time may be in the future, so it is safer not to publish.
            raise fields.invalid(f"impossible {name[:40]}: {error}") from None
        if published is None:
            published = release
        elif to_instant(release, options.zone) > to_instant(published, options.zone):
            warnings.append(f"{name[:40]} {release} is later than date {published}, so it is published then")
            published = release
    if published is None:
        raise fields.invalid("no date. Add one, such as date: 2026-11-19")
    return published


def _expires(fields: _Fields, options: ParserOptions, warnings: list[str]) -> datetime | None:
    """Return the earliest expiry time; a date means the start of the day, as in Hugo."""
    times = []
    for name, value in expiry_fields(fields.raw).items():
        try:
            times.append(to_instant(_parsed_moment(fields, value, name, options), options.zone))
        except (ValueError, InvalidRecord):
            warnings.append(f"{name[:40]} is not understood, so the article does not expire. Write it as 2026-01-05.")
    return min(times, default=None)


def _parsed_moment(fields: _Fields, value: Any, name: str, options: ParserOptions) -> date | datetime:
    if isinstance(value, date):
        return localize(value, options.zone)
    return parse_date(fields.text(value, name) or "", options.zone)


def _identifier(fields: _Fields) -> str | None:
    value = fields.get("id")
    if isinstance(value, PlainScalar):
        # An unquoted number must give the ID that YAML 1.1 parsers give: with another ID, the article would be
        # published again.
        value = whole_number(value) if whole_number(value) is not None else value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return fields.text(value, "id")


def _url(fields: _Fields, name: str, value: Any, warnings: list[str], *, relative: bool = False) -> str | None:
    text = fields.text(value, name)
    if text is None:
        return None
    url = safe_url(text, "https://site.invalid/" if relative else "")
    if url is None:
        warnings.append(f"{name} {text[:80]!r} is not an http URL and was ignored")
        return None
    return text if relative and not re.match(r"[a-z]+:", text, re.IGNORECASE) else url


def _body(fields: _Fields, body: str | None, body_format: str) -> str:
    """Return the body as sanitised HTML."""
    source = fields.get("body") if body is None else body
    if source is not None and not isinstance(source, str):
        raise fields.invalid(f"body must be text, not {_TYPE_NAMES.get(type(source), 'that')}")
    body_format = (fields.text(fields.get("format"), "format") or body_format).lower()
    if body_format not in BODY_FORMATS:
        raise fields.invalid(f"format must be one of {', '.join(BODY_FORMATS)}, not {body_format!r}")
    text = fields.clean(source or "")
    if body_format == "text":
        return paragraphs_to_html(block.strip() for block in re.split(r"\n[^\S\n]*\n\s*", text) if block.strip())
    return sanitize_html(markdown_to_html(text) if body_format == "markdown" else text).strip()


def _authors(fields: _Fields, warnings: list[str]) -> tuple[Author, ...]:
    shared_bio = fields.text(fields.get("bio"), "bio")
    authors: list[Author] = []
    for item in fields.items(fields.get("authors"), "authors"):
        if isinstance(item, str):
            name, bio, url = fields.text(item, "author"), None, None
        else:
            entry = fields.table(item, "author")
            name = fields.text(entry.get("name"), "author name")
            bio = fields.text(entry.get("bio"), "author bio")
            url = _url(fields, "author url", entry.get("url"), warnings)
        if name:
            authors.append(Author(name=name, bio=bio or shared_bio, url=url))
    return tuple(authors)


def _tags(fields: _Fields) -> tuple[str, ...]:
    value = fields.get("tags")
    if isinstance(value, str):
        value = value.split(",")
    tags = [fields.text(item, "tag") for item in fields.items(value, "tags")]
    return tuple(dict.fromkeys(tag for tag in tags if tag))


def _image(fields: _Fields, options: ParserOptions, warnings: list[str]) -> Image | None:
    value = fields.get("image")
    if value is None:
        return None
    entry = {"url": value} if isinstance(value, str) else fields.table(value, "image")
    url = _url(fields, "image url", entry.get("url"), warnings, relative=True)
    if url is None and isinstance(value, str):
        return None
    return Image(
        url=url,
        credit=fields.text(entry.get("credit"), "image credit"),
        alt=fields.text(entry.get("alt"), "image alt"),
        caption=fields.text(entry.get("caption"), "image caption"),
        width=fields.number(entry.get("width"), "image width", "pixels"),
        height=fields.number(entry.get("height"), "image height", "pixels"),
        length=local_file_size(url, options) if url else None,
    )


def _enclosures(fields: _Fields, options: ParserOptions, warnings: list[str]) -> tuple[Enclosure, ...]:
    enclosures: dict[str, Enclosure] = {}
    for item in fields.items(fields.get("enclosures"), "enclosures"):
        entry = {"url": item} if isinstance(item, str) else fields.table(item, "enclosure")
        url = _url(fields, "enclosure url", entry.get("url"), warnings, relative=True)
        if url is None:
            continue
        kind = fields.text(entry.get("type") or entry.get("mime_type"), "enclosure type") or media_type(url)
        if kind is None or not re.fullmatch(r"[a-z]+/[A-Za-z0-9][A-Za-z0-9.+-]*", kind):
            warnings.append(f"enclosure {url[:80]!r} was left out: it has no valid type. Add one, as in audio/mpeg")
            continue
        declared = fields.number(_first(entry, "length", "size_in_bytes"), "enclosure length", "bytes", 1 << 50)
        actual = local_file_size(url, options)
        if declared is not None and actual is not None and declared != actual:
            warnings.append(f"enclosure {url[:80]!r} has {actual} bytes, not {declared}; feeds have the actual length")
        if declared is None and actual is None:
            warnings.append(
                f"enclosure {url[:80]!r} is not in RSS: its length is unknown. Add it in bytes, or put the file into the media folder"
            )
        enclosures[url] = Enclosure(
            url=url,
            type=kind,
            length=declared if actual is None else actual,
            title=fields.text(entry.get("title"), "enclosure title"),
            duration=fields.number(_first(entry, "duration", "duration_in_seconds"), "enclosure duration", "seconds"),
        )
    return tuple(enclosures.values())


def _first(entry: Mapping[str, Any], *names: str) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _language(fields: _Fields, warnings: list[str]) -> str | None:
    text = fields.text(fields.get("language"), "language")
    if text and not re.fullmatch(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*", text):
        warnings.append(f"language {text[:40]!r} is not a BCP 47 tag, as in en or pt-BR, and was left out")
        return None
    return text
