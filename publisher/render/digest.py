"""Articles → a newsletter's HTML, plain text and subject line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from publisher.markup import direction, excerpt, language_direction, one_line, plain_text, safe_url
from publisher.model import Article, Digest
from publisher.render.colour import on_dark
from publisher.render.dates import long_date
from publisher.render.templates import render, render_line

__all__ = ["Letterhead", "Rendering", "Story", "render_digest"]

_LEAD_WORDS: Final = 70
_STORY_WORDS: Final = 32
#: Words that a reader takes in a minute (Brysbaert 2019, doi:10.1016/j.jml.2019.104047).
_READING_SPEED: Final = 238
#: RFC 5322 folds longer lines, and mail programs cut them much earlier.
_LONGEST_SUBJECT: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """What stands on every issue of a site's digests."""

    site: str
    base_url: str
    description: str
    language: str
    #: The theme's colour, ``#rrggbb``.
    accent: str
    postal_address: str
    #: Where a reader leaves the list: https or mailto.
    unsubscribe: str

    @property
    def accent_on_dark(self) -> str:
        """The theme's colour where the ground is dark."""
        return on_dark(self.accent)


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """An article as a digest's template sees it: plain text throughout."""

    title: str
    link: str
    #: ``Security · Africa``
    kicker: str
    #: ``By Amara Okafor and Jonas Lindqvist``; empty where nobody signed.
    byline: str
    #: ``20 November 2026``
    date: str
    dek: str
    #: The beginning of the body.
    excerpt: str
    #: Reading time, at least 1.
    minutes: int
    image: str | None
    image_alt: str
    image_credit: str
    image_height: int | None
    language: str
    #: ``ltr`` or ``rtl``.
    direction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """An issue's texts."""

    subject: str
    html: str
    text: str


def _byline(article: Article) -> str:
    names = [author.name for author in article.authors]
    if len(names) > 1:
        names = [", ".join(names[:-1]) + " and " + names[-1]]
    return f"By {names[0]}" if names else ""


def _story(article: Article, letterhead: Letterhead, words: int, width: int) -> Story:
    body = plain_text(article.body)
    image = article.image
    source = safe_url(image.url, letterhead.base_url + "/") if image is not None and image.url else None
    height = None
    if image is not None and image.width and image.height:
        height = max(1, round(width * image.height / image.width))
    return Story(
        title=article.title,
        link=article.link,
        kicker=" · ".join(label for label in (article.topic, article.region) if label),
        byline=_byline(article),
        date=long_date(article.published, letterhead.language).rpartition(", ")[2],
        dek=article.dek or "",
        excerpt=excerpt(body, words),
        minutes=max(1, round(len(body.split()) / _READING_SPEED)),
        image=source,
        image_alt=(image.alt or "") if image is not None else "",
        image_credit=(image.credit or "") if image is not None else "",
        image_height=height,
        language=article.language or letterhead.language,
        direction=direction(article.title),
    )


def render_digest(
    digest: Digest,
    articles: Sequence[Article],
    letterhead: Letterhead,
    *,
    number: int,
    moment: datetime,
    templates: Path,
) -> Rendering:
    """Return an issue's subject, inlined HTML and plain text.

    Args:
        digest: the newsletter.
        articles: what the issue carries, the lead first; at least one.
        letterhead: what stands on every issue.
        number: the issue's own.
        moment: the issue's instant, on the newsroom's clock.
        templates: the site's own templates.

    Raises:
        TemplateError: a template is missing or broken.
    """
    from publisher.render.inline import inline

    stories = [
        _story(article, letterhead, _LEAD_WORDS if place == 0 else _STORY_WORDS, 600 if place == 0 else 160)
        for place, article in enumerate(articles)
    ]
    lead, rest = stories[0], stories[1:]
    values: dict[str, Any] = {
        "digest": digest,
        "number": number,
        "date": long_date(moment, letterhead.language),
        "lead": lead,
        "stories": rest,
        "letterhead": letterhead,
        "direction": language_direction(letterhead.language),
        "preheader": lead.dek or lead.excerpt,
    }
    line = render_line(digest.subject, values, f"digests.{digest.slug}.subject")
    subject = one_line(line)
    if len(subject) > _LONGEST_SUBJECT:
        subject = subject[: _LONGEST_SUBJECT - 1].rstrip() + "…"
    values["subject"] = subject
    folder = f"digest/{digest.template}"
    return Rendering(
        subject=subject,
        html=inline(render(templates, f"{folder}/message.html.j2", values)),
        text=render(templates, f"{folder}/message.txt.j2", values),
    )
