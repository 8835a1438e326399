"""Articles → a newsletter's HTML, plain text and subject line, no larger than a mail may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from markupsafe import Markup

from publisher.digests.branding import Branding
from publisher.digests.mail_html import linked_text
from publisher.digests.story import Extent, Notice, Story, make_story
from publisher.errors import TemplateError
from publisher.html.dates import long_date
from publisher.html.direction import language_direction
from publisher.html.text import one_line
from publisher.mail.placeholders import Placeholders, placeholders_in
from publisher.model.articles import Article
from publisher.model.digests import Digest
from publisher.model.taxonomy import FacetKind
from publisher.templating.environment import render_template, render_template_string

__all__ = ["FONTS", "RenderedVariant", "Section", "render_digest", "tracking_parameters"]

#: Longer subject lines are cut: RFC 5322 folds them, and mail programs show much less.
_MAX_SUBJECT_LENGTH: Final = 200
_MAX_PREHEADER_LENGTH: Final = 140
#: Bytes by which what stands in the place of a token may be longer than it: a signed address.
_PLACEHOLDER_GROWTH_BYTES: Final = 200
#: Name of a type → fonts that are on every machine.
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

    #: A topic, region or brand; empty where stories are not grouped.
    title: str
    stories: tuple[Story, ...]
    #: Shown after the others, as a headline and a line.
    briefs: tuple[Story, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedVariant:
    """An issue's texts, with tokens for what differs from reader to reader."""

    subject: str
    preheader: str
    html: str
    text: str
    placeholders: Placeholders
    #: What it carries, in the order in which it is shown; those that did not fit are not among them.
    articles: tuple[Article, ...]
    #: How many of those are shorter than the digest asks for, to fit.
    shortened: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _RenderJob:
    """What an issue is made from."""

    digest: Digest
    articles: Sequence[Article]
    branding: Branding
    number: int
    moment: datetime
    templates: Path
    note: str
    notices: Sequence[Notice]
    click_base_url: str


def render_digest(
    digest: Digest,
    articles: Sequence[Article],
    branding: Branding,
    *,
    number: int,
    moment: datetime,
    templates: Path,
    note: str = "",
    notices: Sequence[Notice] = (),
    click_base_url: str = "",
) -> RenderedVariant:
    """Return an issue's subject, inlined HTML and plain text, with tokens in them.

    Where it is too large, stories are shortened from the last one on: whole texts to their
    beginnings, then to headlines. If that is not enough, the last stories are left out.

    Args:
        digest: the newsletter.
        articles: what the issue is to carry, the lead first; at least one.
        letterhead: what stands on every issue.
        number: the issue's own.
        moment: the issue's instant, on the newsroom's clock.
        templates: the site's own templates.
        note: the editor's, HTML that is fit for mail; may be empty.
        notices: what was put right or taken back in articles of earlier issues.
        click_base_url: where clicks on its articles are click_base_url; empty where nobody counts.

    Raises:
        TemplateError: a template is missing or broken, or not even one story fits.
    """
    job = _RenderJob(
        digest=digest,
        articles=[articles[place] for place in _display_order(digest, articles)],
        branding=branding,
        number=number,
        moment=moment,
        templates=templates,
        note=note,
        notices=notices,
        click_base_url=click_base_url,
    )
    return _fit_to_size(job)


def _fit_to_size(job: _RenderJob) -> RenderedVariant:
    """Return the issue with as much of each story as fits."""
    digest = job.digest
    asked = [_requested_extent(digest, article, place) for place, article in enumerate(job.articles)]
    # No book of a text is tried.
    extents = [
        Extent.EXCERPT if one is Extent.FULL and len(article.body) > digest.size_limit else one
        for one, article in zip(asked, job.articles, strict=True)
    ]

    @lru_cache(maxsize=2)
    def attempt(cuts: int) -> tuple[RenderedVariant, bool]:
        made = _render_variant(job, _shorten(extents, cuts))
        return made, _delivery_size(made) <= digest.size_limit

    made, fits = attempt(0)
    if fits:
        return made
    cuts = _smallest(lambda count: attempt(count)[1], sum(extents))
    if cuts is not None:
        return attempt(cuts)[0]
    headlines = [Extent.HEADLINE] * len(extents)
    # Not one story more than fits: the number that is left out is the least that will do.
    left_out = _smallest(
        lambda count: _delivery_size(_render_variant(job, headlines[: len(headlines) - count])) <= digest.size_limit,
        len(headlines) - 1,
    )
    if left_out is None:
        raise TemplateError(f"not even one story fits into {digest.size_limit:,} bytes of HTML: shorten the template")
    return _render_variant(job, headlines[: len(headlines) - left_out])


def _delivery_size(made: RenderedVariant) -> int:
    """Return how many bytes the HTML of a reader's copy may take."""
    return len(made.html.encode()) + _PLACEHOLDER_GROWTH_BYTES * len(placeholders_in(made.html))


def _requested_extent(digest: Digest, article: Article, place: int) -> Extent:
    """Return how much of an article the digest asks for."""
    return Extent.FULL if digest.full_text and place < digest.briefs_after and article.body else Extent.EXCERPT


def _shorten(extents: Sequence[Extent], cuts: int) -> list[Extent]:
    """Return the extents with ``cuts`` steps taken: all texts to excerpts, last first, then to headlines."""
    found = list(extents)
    for least in (Extent.EXCERPT, Extent.HEADLINE):
        for place in reversed(range(len(found))):
            if cuts and found[place] > least:
                found[place] = Extent(found[place] - 1)
                cuts -= 1
    return found


def _smallest(holds: Callable[[int], bool], most: int) -> int | None:
    """Return the least number from 1 to ``most`` that ``holds``, None if none does; what holds goes on holding."""
    if most < 1 or not holds(most):
        return None
    low, high = 1, most
    while low < high:
        middle = (low + high) // 2
        if holds(middle):
            high = middle
        else:
            low = middle + 1
    return low


def _render_variant(job: _RenderJob, extents: Sequence[Extent]) -> RenderedVariant:
    """Return the issue with so much of each of the first articles."""
    from publisher.digests.inline import inline_css

    values, stories = _template_values(job, extents)
    digest, name = job.digest, f"digests.{job.digest.slug}"
    subject = _render_line(digest.subject, values, f"{name}.subject", _MAX_SUBJECT_LENGTH)
    preheader = _render_line(digest.preheader, values, f"{name}.preheader", _MAX_PREHEADER_LENGTH)
    placeholders = Placeholders.of(subject, preheader, job.note, job.notices, stories)
    names = _TemplatePlaceholders(placeholders, job.branding)
    # "tokens" is the name in templates of sites that were written for earlier releases.
    values |= {"subject": subject, "preheader": preheader, "placeholders": names, "tokens": names}
    folder = f"digest/{digest.template}"
    carried = job.articles[: len(extents)]
    asked = [_requested_extent(digest, article, place) for place, article in enumerate(carried)]
    return RenderedVariant(
        subject=subject,
        preheader=preheader,
        html=inline_css(render_template(job.templates, f"{folder}/message.html.j2", values)),
        text=render_template(job.templates, f"{folder}/message.txt.j2", values),
        placeholders=placeholders,
        articles=tuple(carried),
        shortened=sum(one < most for one, most in zip(extents, asked, strict=True)),
    )


def _render_line(template: str, values: dict[str, Any], setting: str, longest: int) -> str:
    line = one_line(render_template_string(template, values, setting))
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class _TemplatePlaceholders:
    """The tokens as a template asks for them; None where the site has no such page."""

    _placeholders: Placeholders
    _branding: Branding

    @property
    def address(self) -> str:
        return self._placeholders["address"]

    @property
    def unsubscribe(self) -> str:
        return self._placeholders["unsubscribe"]

    @property
    def preferences(self) -> str | None:
        return self._placeholders["preferences"] if self._branding.has_preferences else None

    @property
    def web_view(self) -> str | None:
        return self._placeholders["web_view"] if self._branding.has_web_view else None


def tracking_parameters(digest: Digest, number: int) -> list[tuple[str, str]]:
    """Return what is added to links to articles in an issue."""
    if digest.utm is None:
        return []
    base = {"digest": digest, "number": number}
    campaign = one_line(render_template_string(digest.utm.campaign, base, f"digests.{digest.slug}.utm.campaign"))
    return [("utm_source", digest.utm.source), ("utm_medium", digest.utm.medium), ("utm_campaign", campaign)]


def _template_values(job: _RenderJob, extents: Sequence[Extent]) -> tuple[dict[str, Any], tuple[Story, ...]]:
    """Return what the templates may ask for, and the stories in the order in which they are shown."""
    digest, branding = job.digest, job.branding
    base = {"digest": digest, "number": job.number}
    utm = tracking_parameters(digest, job.number)
    number = 1
    stories: list[Story] = []
    shown = job.articles[: len(extents)]
    for place, article in enumerate(shown):
        story = make_story(
            article,
            number=number,
            is_lead=place == 0,
            is_brief=place >= digest.briefs_after,
            extent=extents[place],
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
        "note": Markup(job.note),  # noqa: S704 - cleaned when it was taken up
        "note_text": note_text,
        "note_references": list(enumerate(note_links, number)),
        "notices": list(job.notices),
        "minutes": sum(story.minutes for story in stories),
        "branding": branding,
        # The name in templates of sites that were written for earlier releases.
        "letterhead": branding,
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
    """Return the places of the articles in the order in which they are shown: the lead, then group by group.

    Groups stand as the digest names them, then by their newest story; what belongs to none is last.
    """
    rest = list(range(1, len(articles)))
    if digest.group_by is None:
        return [0, *rest]
    named = {label.casefold(): place for place, label in enumerate(digest.sections)}
    labels = {index: _group_label(digest.group_by, articles[index]).casefold() for index in rest}
    first: dict[str, int] = {}
    for index in rest:
        first.setdefault(labels[index], index)

    def key(index: int) -> tuple[bool, int, int, int]:
        label = labels[index]
        return (not label, named.get(label, len(named)), first[label], index)

    return [0, *sorted(rest, key=key)]


def _group_sections(stories: Sequence[Story], labels: Sequence[str]) -> list[Section]:
    found: list[tuple[str, list[Story]]] = []
    for story, label in zip(stories, labels, strict=True):
        if not found or found[-1][0].casefold() != label.casefold():
            found.append((label, []))
        found[-1][1].append(story)
    return [
        Section(
            title=label if len(found) > 1 or label else "",
            stories=tuple(one for one in some if not one.is_brief),
            briefs=tuple(one for one in some if one.is_brief),
        )
        for label, some in found
    ]
