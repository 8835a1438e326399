"""Digest definitions, issues and their rendered variants."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum
from typing import Final

from publisher.model.taxonomy import FacetKind, Query

#: Maximum size of an issue's HTML. Gmail clips messages at 102 KiB, and hides the rest with the unsubscribe link.
MAX_HTML_KIB: Final = 90


class SendPolicy(StrEnum):
    """Whether an issue needs approval, is sent at its slot, or is published without mail."""

    REVIEW = "review"
    AUTO = "auto"
    NONE = "none"


class CatchUp(StrEnum):
    """Which missed slots are run later."""

    #: Only the newest one.
    LATEST = "latest"
    NONE = "none"
    #: All, oldest first.
    ALL = "all"


class LatePolicy(StrEnum):
    """Whether a delivery is sent or dropped if its local time has passed."""

    SEND = "send"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utm:
    """Tracking parameters of links to articles (utm_source, utm_medium, utm_campaign)."""

    source: str
    medium: str = "email"
    #: A Jinja2 template.
    campaign: str = "{{ digest.slug }}-{{ number }}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """A newsletter's definition."""

    slug: str
    title: str
    query: Query = field(default_factory=Query)
    #: Maximum number of articles in an issue.
    at_most: int = 10
    #: Minimum number of new articles; with fewer, no issue is made.
    at_least: int = 1
    #: An article dated more days than this before it was first read is too old for an issue.
    news_days: int = 14
    #: The folder under ``templates/digest/``.
    template: str = "magazine"
    #: A Jinja2 template of the subject line.
    subject: str = "{{ digest.title }}: {{ lead.title }}"
    #: A Jinja2 template of the preview text that mail clients show after the subject.
    preheader: str = "{{ lead.dek or lead.excerpt }}"
    #: Topic, region or brand, by which the stories after the lead are grouped.
    group_by: FacetKind | None = None
    #: Labels of the first groups, in order; other groups follow.
    sections: tuple[str, ...] = ()
    #: True for whole articles, False for excerpts.
    full_text: bool = False
    #: Number of stories, with the lead, after which stories are briefs.
    briefs_after: int = 12
    #: Maximum size of an issue's HTML in bytes.
    size_limit: int = MAX_HTML_KIB * 1024
    utm: Utm | None = None
    #: Local time of the subscriber at which a delivery is due; None to deliver as soon as the issue is sent.
    deliver_at: time | None = None
    send: SendPolicy = SendPolicy.REVIEW
    #: True if subscribers get articles again that they got in an issue of another digest.
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueVariant:
    """The text of an issue for one set of articles, with placeholders for subscribers' values."""

    #: Arrival numbers of the articles, in order.
    articles: tuple[int, ...]
    #: Part of its placeholders, so that text in an article cannot be a placeholder.
    placeholder_hash: str
    html: bytes
    text: bytes
    #: Its subject, which may name its lead; None for variants of older versions, which use the issue's subject.
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One immutable issue of a digest, unique on (digest, slot)."""

    digest: str
    #: The scheduled time, to the minute.
    slot: datetime
    #: The folder under ``outbox/DIGEST/``: the slot as local time of the site.
    name: str
    #: 1 for the first issue of a digest.
    number: int
    subject: str
    #: Staged files: name → bytes.
    files: dict[str, bytes]
    #: One variant per distinct set of articles.
    variants: tuple[IssueVariant, ...]
    #: Number of preflight errors.
    errors: int
