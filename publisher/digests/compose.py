"""Articles → an issue: rendered once per distinct selection, put into a message, checked."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from sqlalchemy import Connection

from publisher.articles import store
from publisher.digests import notes_store as preparations
from publisher.digests.envelope import public_envelope, public_values
from publisher.digests.mail_html import mail_html
from publisher.digests.readiness import placeholder_values
from publisher.errors import SettingsError
from publisher.html.direction import text_direction
from publisher.html.sanitize import sanitize_html
from publisher.html.text import clean_characters
from publisher.mail.placeholders import fill_placeholders
from publisher.model.articles import Article
from publisher.model.digests import Digest, Issue, IssueVariant
from publisher.model.query import Interests, group_by_variant
from publisher.settings import Site

if TYPE_CHECKING:
    from publisher.digests.branding import Branding
    from publisher.digests.render import RenderedVariant
    from publisher.digests.story import Notice
    from publisher.findings import Finding

__all__ = ["ComposedIssue", "compose_issue", "correction_notices"]

#: A reader who chooses nothing gets everything.
_NO_INTERESTS = (Interests(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposedIssue:
    """An issue, and what is to be said of it."""

    issue: Issue
    #: What it carries, in the order in which it is shown.
    articles: tuple[Article, ...]
    shortened: int
    findings: tuple[Finding, ...]


def compose_issue(
    site: Site,
    digest: Digest,
    articles: Sequence[Article],
    *,
    slot: datetime,
    name: str,
    number: int,
    note: str = "",
    notices: Sequence[Notice] = (),
    selections: Sequence[Interests] = _NO_INTERESTS,
) -> ComposedIssue:
    """Return the issue, rendered and checked.

    What is staged is the edition with everything, its tokens filled with what holds for everybody.

    Args:
        articles: what the issue is to carry, the lead first.
        slot, name, number: the instant it stands for, its folder, its own number.
        note: the editor's, Markdown.
        notices: what was put right in articles of earlier issues.
        selections: what readers ask for, beside everything.

    Raises:
        SettingsError: there is no sender.
        TemplateError: a template is missing or broken.
    """
    from publisher.digests.render import render_digest

    if site.mail is None:
        raise SettingsError("mail.sender: is needed to make issues, and missing")
    head, shown_note = branding_of(site), render_note(note, site)

    def rendered(some: Sequence[Article]) -> RenderedVariant:
        return render_digest(
            digest,
            some,
            head,
            number=number,
            moment=slot.astimezone(site.tz),
            templates=site.templates_dir,
            note=shown_note,
            notices=notices,
            click_base_url=f"{site.newsletters_url}/go/{digest.slug}/{quote(name)}" if site.web.clicks else "",
        )

    whole = rendered(articles)
    variants = group_by_variant(whole.articles, selections)
    distinct = [whole, *(rendered(one) for one in variants if one != whole.articles)]
    return _check_issue(site, digest, distinct, slot=slot, name=name, number=number, note=note)


def _check_issue(
    site: Site,
    digest: Digest,
    distinct: Sequence[RenderedVariant],
    *,
    slot: datetime,
    name: str,
    number: int,
    note: str,
) -> ComposedIssue:
    """Return the issue of which the first rendering has everything."""
    from publisher.digests.preflight.message import check_message
    from publisher.mail import build_message

    whole = distinct[0]
    values = public_values(site, digest, name)
    html = fill_placeholders(whole.html, whole.placeholders, values, escape=True)
    text = fill_placeholders(whole.text, whole.placeholders, values, escape=False)
    envelope = public_envelope(site, digest, subject=whole.subject, slot=slot, number=number)
    message = build_message(envelope, text=text, html=html)
    findings = check_message(message, now=slot, variants=[(one.html, one.text) for one in distinct])
    issue = Issue(
        digest=digest.slug,
        slot=slot,
        name=name,
        number=number,
        subject=whole.subject,
        articles=tuple(one.id for one in whole.articles),
        files={
            "message.eml": message,
            "index.html": html.encode(),
            "message.txt": text.encode(),
            "issue.json": _issue_metadata(site, digest, whole, slot=slot, name=name, number=number, note=note),
        },
        variants=tuple(_variant_of(made) for made in distinct),
        errors=sum(one.is_error for one in findings),
    )
    return ComposedIssue(issue=issue, articles=whole.articles, shortened=whole.shortened, findings=tuple(findings))


def _variant_of(made: RenderedVariant) -> IssueVariant:
    return IssueVariant(
        articles=tuple(one.seq for one in made.articles),
        placeholder_hash=made.placeholders.hash,
        html=made.html.encode(),
        text=made.text.encode(),
        subject=made.subject,
    )


def branding_of(site: Site) -> Branding:
    """Return what stands on every issue of the site."""
    from publisher.digests.branding import Branding, Logo

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
        logo=Logo(url=logo.url, width=logo.width, height=logo.height, alt=logo.alt or site.title) if logo else None,
        footer=theme.footer,
        postal_address=mail.postal_address if mail else "",
        has_preferences=mail is not None and mail.preferences is not None,
        has_web_view=mail is not None and mail.web_view is not None,
        zone=site.tz,
    )


def render_note(note: str, site: Site) -> str:
    """Return an editor's note, Markdown, as HTML that is fit for mail."""
    from publisher.articles.parsers.markdown import markdown_to_html
    from publisher.digests.story import TEXT_WIDTH_PIXELS

    if not note.strip():
        return ""
    return mail_html(sanitize_html(markdown_to_html(clean_characters(note)[0])), site.base_url + "/", TEXT_WIDTH_PIXELS)


def correction_notices(
    connection: Connection, site: Site, digest: Digest, articles: Sequence[Article], now: datetime
) -> list[Notice]:
    """Return what was put right or taken back in articles of earlier issues, since the last one."""
    from publisher.digests.story import Notice
    from publisher.html.dates import short_date

    found = preparations.amended_articles(connection, digest.slug, int(now.timestamp()), {one.seq for one in articles})
    known = store.articles_by_seq(connection, [one.seq for one in found], site.base_url, site.tz)
    return [
        Notice(
            title=known[one.seq].title,
            link=None if one.withdrawn else known[one.seq].link,
            date=short_date(datetime.fromtimestamp(one.at, site.tz), site.language),
            note=one.note,
            direction=text_direction(known[one.seq].title),
        )
        for one in found
    ]


def _issue_metadata(
    site: Site, digest: Digest, made: RenderedVariant, *, slot: datetime, name: str, number: int, note: str
) -> bytes:
    """Return issue.json: the metadata of an issue, and what it takes to make it again."""
    about = {
        "digest": digest.slug,
        "title": digest.title,
        "number": number,
        "slot": slot.isoformat(),
        "name": name,
        "subject": made.subject,
        "preheader": made.preheader,
        "send": digest.send.value,
        "articles": [{"id": one.id, "title": one.title, "url": one.link} for one in made.articles],
        "note": note,
        "made_with": placeholder_values(site),
    }
    return (json.dumps(about, ensure_ascii=False, indent=2) + "\n").encode()
