"""Compose an issue: render each variant once, build the public message, and check it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection

from publisher.articles import store
from publisher.digests import notes_store as notes
from publisher.digests.branding import Branding
from publisher.digests.envelope import public_envelope, public_values
from publisher.digests.mail_html import mail_html
from publisher.digests.readiness import placeholder_values
from publisher.digests.story import TEXT_WIDTH_PIXELS, Notice, story_link
from publisher.findings import Finding, article_names
from publisher.findings.silence import issue_scopes, split_silenced
from publisher.html.dates import short_date
from publisher.html.direction import text_direction
from publisher.html.markdown import markdown_to_html
from publisher.html.sanitize import sanitize_html
from publisher.html.text import clean_characters
from publisher.mail.placeholders import fill_placeholders
from publisher.model.articles import Article
from publisher.model.digests import Digest, Issue, IssueVariant
from publisher.model.query import Interests, group_by_variant
from publisher.settings import Site

if TYPE_CHECKING:
    from publisher.digests.draft_content import DraftContent
    from publisher.digests.render import RenderedVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedIssue:
    """A composed issue with the result of its checks."""

    issue: Issue
    #: The articles of the whole issue, in the order of display.
    articles: tuple[Article, ...]
    shortened: int
    findings: tuple[Finding, ...]
    #: Findings that the settings silence.
    silenced: tuple[Finding, ...] = ()


def compose_issue(
    site: Site, digest: Digest, content: DraftContent, articles: Sequence[Article], interests: Sequence[Interests]
) -> ComposedIssue:
    """Return an issue with this content, rendered and checked.

    The staged files contain the variant with all articles, with public values for its placeholders.

    Args:
        articles: the articles to include, the lead first.
        interests: the interests of subscribers, each of which may need a variant.

    Raises:
        TemplateError: a template is missing or invalid.
    """
    from publisher.digests.render import RenderJob, render_digest

    job = RenderJob(
        digest=digest,
        articles=articles,
        branding=branding_of(site),
        number=content.number,
        moment=content.moment.astimezone(site.tz),
        templates=site.templates_dir,
        note=render_note(content.note.note, site),
        notices=content.notices,
        click_base_url=_click_base_url(site, digest, content.name),
    )
    whole = render_digest(job)
    variants = group_by_variant(whole.articles, interests)
    subsets = [subset for subset in variants if subset != whole.articles]
    return _check_issue(
        site, digest, [whole, *(render_digest(replace(job, articles=subset)) for subset in subsets)], content
    )


def _click_base_url(site: Site, digest: Digest, name: str) -> str:
    """Return the URL that counts clicks in an issue; empty if they are not counted."""
    return f"{site.newsletters_url}/go/{digest.slug}/{quote(name)}" if site.web.clicks else ""


def links_of_stories(
    site: Site, digest: Digest, name: str, number: int, articles: Sequence[Article]
) -> dict[str, tuple[str, ...]]:
    """Return URL → names of the articles that an issue links to; no names for those that no silence names."""
    from publisher.digests.render import tracking_parameters

    scopes = {silence.scope for silence in site.checks.silences}
    utm, click_base_url = tracking_parameters(digest, number), _click_base_url(site, digest, name)
    links: dict[str, tuple[str, ...]] = {}
    for article in articles:
        names = article_names(article.id, article.link)
        links[story_link(article, utm, click_base_url)] = () if scopes.isdisjoint(names) else names
    return links


def _check_issue(
    site: Site, digest: Digest, distinct: Sequence[RenderedVariant], content: DraftContent
) -> ComposedIssue:
    """Build and check the message, and return the issue; the first of DISTINCT has all articles."""
    from publisher.digests.preflight.message import check_message
    from publisher.mail import build_message

    whole, slot, name, number = distinct[0], content.slot, content.name, content.number
    values = public_values(site, digest, name)
    html = fill_placeholders(whole.html, whole.placeholders, values, escape=True)
    text = fill_placeholders(whole.text, whole.placeholders, values, escape=False)
    envelope = public_envelope(site, digest, subject=whole.subject, slot=slot, number=number)
    message = build_message(envelope, text=text, html=html)
    findings, silenced = split_silenced(
        check_message(
            message,
            now=slot,
            variants=[(variant.html, variant.text) for variant in distinct],
            stories=links_of_stories(site, digest, name, number, whole.articles),
        ),
        site.checks.silences,
        issue_scopes(digest.slug, name),
    )
    issue = Issue(
        digest=digest.slug,
        slot=slot,
        name=name,
        number=number,
        subject=whole.subject,
        files={
            "message.eml": message,
            "index.html": html.encode(),
            "message.txt": text.encode(),
            "issue.json": _issue_metadata(site, digest, whole, content),
        },
        variants=tuple(_variant_of(variant) for variant in distinct),
        errors=sum(finding.is_error for finding in findings),
    )
    return ComposedIssue(
        issue=issue, articles=whole.articles, shortened=whole.shortened, findings=findings, silenced=silenced
    )


def _variant_of(rendered: RenderedVariant) -> IssueVariant:
    return IssueVariant(
        articles=tuple(article.seq for article in rendered.articles),
        placeholder_hash=rendered.placeholders.hash,
        html=rendered.html.encode(),
        text=rendered.text.encode(),
        subject=rendered.subject,
    )


def branding_of(site: Site) -> Branding:
    """Return the branding of the site's issues."""
    theme, mail = site.theme, site.mail
    logo = theme.logo
    return Branding(
        site=site.title,
        base_url=site.base_url,
        description=site.description,
        language=site.language,
        light=theme.light_palette,
        dark=theme.dark_palette,
        headings=theme.headings,
        text=theme.text,
        logo=logo and logo.model_copy(update={"alt": logo.alt or site.title}),
        footer=theme.footer,
        postal_address=mail.postal_address if mail else "",
        has_preferences=mail is not None and mail.preferences is not None,
        has_web_view=mail is not None and mail.web_view is not None,
        zone=site.tz,
    )


def render_note(note: str, site: Site) -> str:
    """Return an editor's note in Markdown as HTML for mail."""
    if not note.strip():
        return ""
    return mail_html(sanitize_html(markdown_to_html(clean_characters(note)[0])), site.base_url + "/", TEXT_WIDTH_PIXELS)


def correction_notices(
    connection: Connection, site: Site, digest: Digest, articles: Sequence[Article], now: datetime
) -> list[Notice]:
    """Return the corrections and withdrawals of articles in earlier issues since the last issue."""
    amended = notes.amended_articles(
        connection, digest.slug, int(now.timestamp()), {article.seq for article in articles}
    )
    known = store.articles_by_seq(connection, [change.seq for change in amended], site.base_url, site.tz)
    return [
        Notice(
            title=known[change.seq].title,
            link=None if change.withdrawn else known[change.seq].link,
            date=short_date(datetime.fromtimestamp(change.at, site.tz), site.language),
            note=change.note,
            direction=text_direction(known[change.seq].title),
        )
        for change in amended
    ]


def _issue_metadata(site: Site, digest: Digest, rendered: RenderedVariant, content: DraftContent) -> bytes:
    """Return issue.json: the metadata of an issue, and the inputs to make it again."""
    metadata = {
        "digest": digest.slug,
        "title": digest.title,
        "number": content.number,
        "slot": content.slot.isoformat(),
        "name": content.name,
        "subject": rendered.subject,
        "preheader": rendered.preheader,
        "send": digest.send.value,
        "articles": [{"id": article.id, "title": article.title, "url": article.link} for article in rendered.articles],
        "note": content.note.note,
        "made_with": placeholder_values(site),
    }
    return (json.dumps(metadata, ensure_ascii=False, indent=2) + "\n").encode()
