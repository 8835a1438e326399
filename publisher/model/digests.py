"""Digest definitions, issues and their rendered variants."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, time
from enum import StrEnum

from publisher.model.taxonomy import FacetKind, Query

__all__ = ["CatchUp", "Digest", "Issue", "IssueVariant", "LatePolicy", "SendPolicy", "Utm"]


class SendPolicy(StrEnum):
    """Whether an issue waits for a person (``review``) or may leave by itself (``auto``)."""

    REVIEW = "review"
    AUTO = "auto"


class CatchUp(StrEnum):
    """What becomes of slots that were missed, because nothing ran or clocks were put forward."""

    #: The newest of them is made up for; it stands for all.
    LATEST = "latest"
    #: None is.
    NONE = "none"
    #: Each is, oldest first.
    ALL = "all"


class LatePolicy(StrEnum):
    """What becomes of a copy that comes too late for the morning that it was made for."""

    SEND = "send"
    DROP = "drop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Utm:
    """What is added to a digest's links to articles (utm_source, utm_medium, utm_campaign)."""

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
    #: No issue carries more articles than this.
    at_most: int = 10
    #: No issue is made of fewer new articles than this.
    at_least: int = 1
    #: An article dated more than so many days before it was first read is no news.
    news_days: int = 14
    #: The folder under ``templates/digest/``.
    template: str = "magazine"
    #: A Jinja2 template of the subject line.
    subject: str = "{{ digest.title }}: {{ lead.title }}"
    #: A Jinja2 template of what mail programs show after the subject.
    preheader: str = "{{ lead.dek or lead.excerpt }}"
    #: Topic, region or brand: what the stories after the lead are grouped by.
    group_by: FacetKind | None = None
    #: Labels of the groups in their order; the others follow.
    sections: tuple[str, ...] = ()
    #: True where an issue carries whole articles, False where it carries their beginnings.
    full_text: bool = False
    #: Stories after so many, the lead counted, are brief.
    briefs_after: int = 12
    #: Bytes that an issue's HTML may take.
    size_limit: int = 90 * 1024
    utm: Utm | None = None
    #: When a copy is due on its reader's own clock; None for as soon as the issue may be sent.
    deliver_at: time | None = None
    send: SendPolicy = SendPolicy.REVIEW
    #: True where readers get articles that they have had in an issue of another digest.
    repeat: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueVariant:
    """What readers of one selection get of an issue: rendered once, with tokens for what differs."""

    #: Arrival numbers, in their order.
    articles: tuple[int, ...]
    #: What makes its tokens its own.
    placeholder_hash: str
    html: bytes
    text: bytes
    #: Its own: it may name its lead. None where it was made before editions had one.
    subject: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """One immutable edition of a digest, unique on (digest, slot)."""

    digest: str
    #: The instant it stands for, to the minute.
    slot: datetime
    #: The folder under ``outbox/DIGEST/``: the slot on the newsroom's clock.
    name: str
    #: 1 for a digest's first issue.
    number: int
    subject: str
    #: Ids of its articles, in their order.
    articles: tuple[str, ...]
    #: What is staged: file name → bytes.
    files: dict[str, bytes]
    #: Its text with tokens, once per distinct set of articles that readers get.
    variants: tuple[IssueVariant, ...]
    #: How many errors the preflight found.
    errors: int
