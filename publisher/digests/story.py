"""The values of an article for the templates of digests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from markupsafe import Markup

from publisher.digests.branding import Branding
from publisher.digests.mail_html import linked_text, mail_html
from publisher.html.dates import short_date
from publisher.html.direction import text_direction
from publisher.html.elements import HEADINGS, replace_elements
from publisher.html.text import excerpt, plain_text, truncate
from publisher.html.urls import safe_url
from publisher.model.articles import Article, Author, Image

#: Reading speed in words a minute (Brysbaert 2019, doi:10.1016/j.jml.2019.104047).
_WORDS_PER_MINUTE: Final = 238
#: The width of the text column.
TEXT_WIDTH_PIXELS: Final = 544
_NOT_PROSE: Final = (*HEADINGS, "table", "figure", "pre", "aside")
#: Longer titles are truncated.
_MAX_TITLE_LENGTH: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """The space that a story has in an issue."""

    #: The width of its image.
    image_pixels: int
    dek_words: int
    #: Words of its text, in place of the full text; without a dek, and beside one.
    excerpt_words: tuple[int, int]
    #: True for a title and one sentence.
    is_brief: bool = False


LEAD: Final = Layout(image_pixels=600, dek_words=90, excerpt_words=(70, 70))
STORY: Final = Layout(image_pixels=160, dek_words=90, excerpt_words=(32, 0))
BRIEF: Final = Layout(image_pixels=160, dek_words=24, excerpt_words=(24, 0), is_brief=True)


class Extent(IntEnum):
    """How much of a story an issue carries."""

    HEADLINE = 0
    EXCERPT = 1
    FULL = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A correction or withdrawal of an article in an earlier issue."""

    title: str
    #: The URL of the article; None if it was withdrawn.
    link: str | None
    #: ``21 November 2026``
    date: str
    note: str
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The values of an article for a template: plain text, except ``body``."""

    title: str
    link: str
    #: The number of its link in the plain text.
    number: int
    #: ``Security · Africa``
    kicker: str
    #: ``By Amara Okafor and Jonas Lindqvist``; empty without authors.
    byline: str
    #: ``20 November 2026``
    date: str
    dek: str
    #: The first words of the text; empty if the issue has the full text, or only the title.
    excerpt: str
    #: The full text as HTML; empty if the issue has less.
    body: Markup
    #: The paragraphs of the full text, with the numbers of links.
    body_text: tuple[str, ...]
    #: The links in ``body_text``: number and URL.
    references: tuple[tuple[int, str], ...]
    #: Reading time in minutes, at least 1.
    minutes: int
    image: str | None
    image_alt: str
    image_credit: str
    #: Display size in pixels.
    image_width: int
    image_height: int | None
    language: str
    #: ``ltr`` or ``rtl``.
    direction: str
    is_brief: bool
    #: Corrections, oldest first: date and note.
    corrections: tuple[tuple[str, str], ...]


def _first_words(body: str, words: int) -> str:
    """Return the first words of the prose, without headings, tables and captions if there is other text."""
    prose = plain_text(replace_elements(body, _NOT_PROSE, lambda _, __: "")) or plain_text(body)
    return excerpt(prose, words)


def _byline(authors: Sequence[Author]) -> str:
    """Return ``By Ann Lee and Bo Chen``; empty without authors."""
    names = [author.name for author in authors]
    if len(names) > 1:
        names = [", ".join(names[:-1]) + " and " + names[-1]]
    return f"By {names[0]}" if names else ""


def with_tracking(link: str, utm: Sequence[tuple[str, str]]) -> str:
    """Return the link with the parameters added; they replace parameters of the same name."""
    if not utm:
        return link
    parts = urlsplit(link)
    names = {name for name, _ in utm}
    other_parameters = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] not in names]
    return urlunsplit(parts._replace(query=urlencode([*other_parameters, *utm])))


def story_link(article: Article, utm: Sequence[tuple[str, str]], click_base_url: str) -> str:
    """Return the URL of an article in an issue; CLICK_BASE_URL is empty if clicks are not counted."""
    return f"{click_base_url}/{article.seq}" if click_base_url else with_tracking(article.link, utm)


def _corrections(article: Article, branding: Branding) -> Iterator[tuple[str, str]]:
    for correction in article.corrections:
        yield short_date(correction.at.astimezone(branding.zone), branding.language), correction.note


def make_story(
    article: Article,
    *,
    number: int,
    layout: Layout,
    extent: Extent,
    branding: Branding,
    utm: Sequence[tuple[str, str]],
    click_base_url: str = "",
) -> Story:
    """Return the values of an article for a template.

    Args:
        number: of its link in the plain text; the links in its text follow.
        extent: how much of it is shown at most.
        utm, click_base_url: query parameters for its link, and the URL that counts clicks, empty to link directly.
    """
    image = article.image or Image()
    width = layout.image_pixels
    is_full = extent is Extent.FULL and not layout.is_brief
    body = mail_html(article.body, article.link, TEXT_WIDTH_PIXELS) if is_full else ""
    body_text, references = linked_text(body, number + 1)
    words = 0 if extent is Extent.HEADLINE or body else layout.excerpt_words[bool(article.dek)]
    return Story(
        title=truncate(article.title, _MAX_TITLE_LENGTH),
        link=story_link(article, utm, click_base_url),
        number=number,
        kicker=" · ".join(label for label in (article.topic, article.region) if label),
        byline=_byline(article.authors),
        date=short_date(article.published, branding.language),
        dek="" if extent is Extent.HEADLINE else excerpt(article.dek or "", layout.dek_words),
        excerpt=_first_words(article.body, words) if words else "",
        body=Markup(body),  # noqa: S704 - sanitized twice
        body_text=body_text,
        references=tuple(enumerate(references, number + 1)),
        minutes=max(1, round(len(plain_text(article.body).split()) / _WORDS_PER_MINUTE)),
        image=safe_url(image.url, branding.base_url + "/") if image.url else None,
        image_alt=image.alt or "",
        image_credit=image.credit or "",
        image_width=width,
        image_height=max(1, round(width * image.height / image.width)) if image.width and image.height else None,
        language=article.language or branding.language,
        direction=text_direction(article.title),
        is_brief=layout.is_brief,
        corrections=tuple(_corrections(article, branding)),
    )
