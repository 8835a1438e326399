"""Render an issue's HTML, plain text and subject, within the size limit of the digest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from publisher.digests.branding import Branding
from publisher.digests.mail_html import linked_text
from publisher.digests.placeholder_content import placeholder_content
from publisher.digests.size_limit import delivery_size, fit_to_size
from publisher.digests.story import BRIEF, LEAD, STORY, Extent, Notice, Story, make_story
from publisher.errors import TemplateError
from publisher.html.dates import long_date
from publisher.html.direction import language_direction
from publisher.html.text import one_line, truncate
from publisher.mail.placeholders import PLACEHOLDER_NAMES, Placeholders
from publisher.model.articles import Article
from publisher.model.digests import Digest
from publisher.model.taxonomy import FacetKind
from publisher.templating.environment import render_template, render_template_string

#: Longer subjects are truncated: RFC 5322 folds them, and mail clients show much less.
_MAX_SUBJECT_LENGTH: Final = 200
_MAX_PREHEADER_LENGTH: Final = 140
#: Name in the theme → fonts that are available everywhere.
FONTS: Final = {
    "serif": Markup("Georgia, 'Times New Roman', serif"),
    "book": Markup("'Palatino Linotype', Palatino, 'Book Antiqua', Georgia, serif"),
    "sans": Markup("Helvetica, Arial, sans-serif"),
    "grotesque": Markup("'Segoe UI', 'Helvetica Neue', Roboto, Arial, sans-serif"),
    "mono": Markup("Menlo, Consolas, 'Courier New', monospace"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Stories under one heading."""

    #: A topic, region or brand; empty if stories are not grouped.
    title: str
    stories: tuple[Story, ...]
    #: Shown after the others, as a title and one sentence.
    briefs: tuple[Story, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedVariant:
    """The rendered texts of an issue, with placeholders for the values of each subscriber."""

    subject: str
    preheader: str
    html: str
    text: str
    placeholders: Placeholders
    #: The articles in the order of display, without those that did not fit.
    articles: tuple[Article, ...]
    #: Number of articles that are shorter than the digest's settings, to fit.
    shortened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderJob:
    """The inputs of rendering an issue."""

    digest: Digest
    #: The lead first; at least one.
    articles: Sequence[Article]
    branding: Branding
    number: int
    #: The slot, in the site's time zone.
    moment: datetime
    #: The folder of the site's own templates.
    templates: Path
    #: The editor's note, HTML for mail; may be empty.
    note: str = ""
    #: Corrections and withdrawals of articles in earlier issues.
    notices: Sequence[Notice] = ()
    #: The URL that counts clicks, to which article numbers are added; empty to link directly.
    click_base_url: str = ""


def render_digest(job: RenderJob) -> RenderedVariant:
    """Return an issue's subject, inlined HTML and plain text, with placeholders.

    If the issue is too large, stories are shortened from the last to the first: full texts to excerpts,
    then to titles. If that is not sufficient, the last stories are omitted.

    Raises:
        TemplateError: a template is missing or invalid, or not even one story fits.
    """
    digest = job.digest
    job = replace(job, articles=[job.articles[index] for index in _display_order(digest, job.articles)])
    requested = [_requested_extent(digest, article, index) for index, article in enumerate(job.articles)]
    # Do not try the full text of an article that is larger than the limit by itself.
    extents = [
        Extent.EXCERPT if extent is Extent.FULL and len(article.body) > digest.size_limit else extent
        for extent, article in zip(requested, job.articles, strict=True)
    ]
    rendered = fit_to_size(
        extents,
        lambda chosen: _render_variant(job, chosen),
        lambda tried: delivery_size(tried.html) <= digest.size_limit,
    )
    if rendered is None:
        raise TemplateError(f"not even one story fits into {digest.size_limit:,} bytes of HTML. Shorten the template")
    return rendered


def _requested_extent(digest: Digest, article: Article, index: int) -> Extent:
    """Return how much of an article the settings of the digest request."""
    return Extent.FULL if digest.full_text and index < digest.briefs_after and article.body else Extent.EXCERPT


def _render_variant(job: RenderJob, extents: Sequence[Extent]) -> RenderedVariant:
    """Render the first articles, each to its extent."""
    from publisher.digests.inline import inline_css

    values, stories = _template_values(job, extents)
    digest, name = job.digest, f"digests.{job.digest.slug}"
    subject = _render_line(digest.subject, values, f"{name}.subject", _MAX_SUBJECT_LENGTH)
    preheader = _render_line(digest.preheader, values, f"{name}.preheader", _MAX_PREHEADER_LENGTH)
    placeholders = Placeholders.of(placeholder_content(subject, preheader, job.note, job.notices, stories))
    # None if the site has no such page.
    has_page = {"preferences": job.branding.has_preferences, "web_view": job.branding.has_web_view}
    names = {name: placeholders[name] if has_page.get(name, True) else None for name in PLACEHOLDER_NAMES}
    values |= {"subject": subject, "preheader": preheader, "placeholders": names}
    folder = f"digest/{digest.template}"
    included = job.articles[: len(extents)]
    requested = [_requested_extent(digest, article, index) for index, article in enumerate(included)]
    return RenderedVariant(
        subject=subject,
        preheader=preheader,
        html=inline_css(render_template(job.templates, f"{folder}/message.html.j2", values)),
        text=render_template(job.templates, f"{folder}/message.txt.j2", values),
        placeholders=placeholders,
        articles=tuple(included),
        shortened=sum(extent < maximum for extent, maximum in zip(extents, requested, strict=True)),
    )


def _render_line(template: str, values: dict[str, Any], setting: str, longest: int) -> str:
    return truncate(one_line(render_template_string(template, values, setting)), longest)


def tracking_parameters(digest: Digest, number: int) -> list[tuple[str, str]]:
    """Return the query parameters that an issue adds to links to articles."""
    if digest.utm is None:
        return []
    base = {"digest": digest, "number": number}
    campaign = one_line(render_template_string(digest.utm.campaign, base, f"digests.{digest.slug}.utm.campaign"))
    return [("utm_source", digest.utm.source), ("utm_medium", digest.utm.medium), ("utm_campaign", campaign)]


def _template_values(job: RenderJob, extents: Sequence[Extent]) -> tuple[dict[str, Any], tuple[Story, ...]]:
    """Return the variables of the templates, and the stories in the order of display."""
    digest, branding = job.digest, job.branding
    base = {"digest": digest, "number": job.number}
    utm = tracking_parameters(digest, job.number)
    number = 1
    stories: list[Story] = []
    shown = job.articles[: len(extents)]
    for index, article in enumerate(shown):
        story = make_story(
            article,
            number=number,
            layout=LEAD if index == 0 else BRIEF if index >= digest.briefs_after else STORY,
            extent=extents[index],
            branding=branding,
            utm=utm,
            click_base_url=job.click_base_url,
        )
        number += 1 + len(story.references)
        stories.append(story)
    note_text, note_links = linked_text(job.note, number)
    labels = [_group_label(digest.group_by, article) for article in shown]
    values = base | {
        "date": long_date(job.moment, branding.language),
        "lead": stories[0],
        "stories": stories[1:],
        "sections": _group_sections(stories[1:], labels[1:]),
        "note": Markup(job.note),  # noqa: S704 - sanitized by render_note
        "note_text": note_text,
        "note_references": list(enumerate(note_links, number)),
        "notices": list(job.notices),
        "minutes": sum(story.minutes for story in stories),
        "branding": branding,
        "light": branding.light,
        "dark": branding.dark,
        "fonts": FONTS,
        "direction": language_direction(branding.language),
    }
    return values, tuple(stories)


def _group_label(kind: FacetKind | None, article: Article) -> str:
    return {FacetKind.TOPIC: article.topic, FacetKind.REGION: article.region, FacetKind.BRAND: article.brand}.get(
        kind or FacetKind.ALL
    ) or ""


def _display_order(digest: Digest, articles: Sequence[Article]) -> list[int]:
    """Return the indexes of the articles in the order of display: the lead, then group by group.

    The order of groups is that of the settings, then that of their newest story. Stories without a group are last.
    """
    rest = list(range(1, len(articles)))
    if digest.group_by is None:
        return [0, *rest]
    named = {label.casefold(): position for position, label in enumerate(digest.sections)}
    labels = {index: _group_label(digest.group_by, articles[index]).casefold() for index in rest}
    first: dict[str, int] = {}
    for index in rest:
        first.setdefault(labels[index], index)

    def key(index: int) -> tuple[bool, int, int, int]:
        label = labels[index]
        return (not label, named.get(label, len(named)), first[label], index)

    return [0, *sorted(rest, key=key)]


def _group_sections(stories: Sequence[Story], labels: Sequence[str]) -> list[Section]:
    labelled = zip(labels, stories, strict=True)
    groups = [list(group) for _, group in groupby(labelled, key=lambda pair: pair[0].casefold())]
    return [
        Section(
            title=group[0][0],
            stories=tuple(story for _, story in group if not story.is_brief),
            briefs=tuple(story for _, story in group if story.is_brief),
        )
        for group in groups
    ]
