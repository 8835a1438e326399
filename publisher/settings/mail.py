"""The settings of newsletters: which there are, what is in them, what stands on their envelopes."""

from __future__ import annotations

import re
from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, field_validator

from publisher.cadence import describe_cadence, parse_local_time
from publisher.model.digests import Digest, LatePolicy, SendPolicy, Utm
from publisher.model.taxonomy import FacetKind
from publisher.settings import checks
from publisher.settings.kinds import Address, Sender, SettingsTable, Text, make_query
from publisher.settings.schedules import ScheduleSettings

__all__ = ["DigestSettings", "MailSettings", "UtmSettings"]


def _local_time(value: object) -> object:
    return parse_local_time(str(value))


#: The zone is not among the words.
_UTC = ZoneInfo("UTC")
LocalTime = Annotated[time, BeforeValidator(_local_time)]


class UtmSettings(SettingsTable):
    """What is added to links to articles, for the site's own statistics."""

    source: Text
    medium: Text = "email"
    #: A Jinja2 template: digest, number.
    campaign: Text = "{{ digest.slug }}-{{ number }}"


class DigestSettings(ScheduleSettings):
    """One newsletter. Without a cadence its issues are made by ``publish now`` alone."""

    title: Text
    #: What a reader is told of it who may join; nothing by default.
    description: str = ""
    topic: tuple[Text, ...] = ()
    region: tuple[Text, ...] = ()
    brand: tuple[Text, ...] = ()
    tag: tuple[Text, ...] = ()
    author: tuple[Text, ...] = ()
    at_most: Annotated[int, Field(ge=1, le=500)] = 10
    at_least: Annotated[int, Field(ge=1, le=500)] = 1
    #: Once the digest has an issue, an article dated more than so many days before it was first read is no news.
    news_days: Annotated[int, Field(ge=0, le=36_500)] = 14
    #: A folder under templates/digest/.
    template: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+$")] = "magazine"
    #: A Jinja2 template of one line.
    subject: Text = "{{ digest.title }}: {{ lead.title }}"
    #: A Jinja2 template of the line that mail programs show after the subject.
    preheader: Text = "{{ lead.dek or lead.excerpt }}"
    #: What the stories after the lead are grouped by.
    group_by: Literal["topic", "region", "brand"] | None = None
    #: The order of the groups, by label; those that are not named follow by their newest story.
    sections: tuple[Text, ...] = ()
    #: Of how much of an article an issue carries.
    text: Literal["excerpt", "full"] = "excerpt"
    #: Stories after so many, the lead counted, are brief: headline and one line.
    briefs_after: Annotated[int, Field(ge=1, le=500)] = 12
    #: The HTML is kept below so many KB (1,024 bytes); Gmail cuts off at 102.
    size_limit: Annotated[int, Field(ge=20, le=90)] = 90
    utm: UtmSettings | None = None
    #: When copies are due on their readers' own clocks; as soon as the issue may be sent by default.
    deliver_at: LocalTime | None = None
    #: Hours after which a copy comes too late for that, and what becomes of it.
    late_hours: Annotated[int, Field(ge=1, le=24 * 7)] = 6
    when_late: LatePolicy = LatePolicy.SEND
    send: SendPolicy = SendPolicy.REVIEW
    #: Whether who joins gets the newest issue at once.
    welcome: bool = False
    #: Whether readers get an article again that another digest has brought them.
    repeat: bool = False

    @field_validator("at_least")
    @classmethod
    def _fits(cls, value: int, info: Any) -> int:
        if value > info.data.get("at_most", value):
            raise ValueError("must not be more than at_most")
        return value

    @field_validator("sections")
    @classmethod
    def _grouped(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        if value and info.data.get("group_by") is None:
            raise ValueError("names groups, and group_by does not say what they are: topic, region or brand")
        return value

    @property
    def rhythm(self) -> str:
        """How often it comes, as a reader is told; empty where it comes only when somebody asks for it."""
        table = self.timetable(_UTC)
        words = "; ".join(describe_cadence(one) for one in table.cadences) if table is not None else ""
        if words and self.deliver_at is not None:
            words += f", with you at {self.deliver_at:%H:%M} on your own clock"
        return words[:1].upper() + words[1:]

    def digest(self, slug: str) -> Digest:
        """Return the newsletter that is called ``slug``."""
        return Digest(
            slug=slug,
            title=self.title,
            query=make_query(self.topic, self.region, self.brand, self.tag, self.author),
            at_most=self.at_most,
            at_least=self.at_least,
            news_days=self.news_days,
            template=self.template,
            subject=self.subject,
            preheader=self.preheader,
            group_by=FacetKind(self.group_by) if self.group_by else None,
            sections=self.sections,
            full_text=self.text == "full",
            briefs_after=self.briefs_after,
            size_limit=self.size_limit * 1024,
            utm=Utm(source=self.utm.source, medium=self.utm.medium, campaign=self.utm.campaign) if self.utm else None,
            deliver_at=self.deliver_at,
            send=self.send,
            repeat=self.repeat,
        )


def _for_subscribers(value: str) -> str:
    """Accept a URL in which {copy} may stand for the delivery's token."""
    checks.link(value.replace("{copy}", "x"))
    return checks.link(value)


def _return_path(value: str) -> str:
    """Accept an address without a name; {copy} may stand for the delivery's token."""
    found = checks.sender(value.replace("{copy}", "x"))
    if "<" in value or '"' in found:
        raise ValueError("must be an address without a name, as in bounces+{copy}@example.org")
    local, _, domain = value.strip().rpartition("@")
    return value.strip() if "{copy}" in domain else f"{local}@{checks.host(domain)}"


def _pattern(value: str) -> str:
    checks.http_url(re.sub(r"\{(digest|issue)\}", "x", value))
    if "{issue}" not in value:
        raise ValueError("must name {issue}, and may name {digest}, as in https://example.org/issues/{digest}/{issue}/")
    return checks.http_url(value)


class MailSettings(SettingsTable):
    """What stands on every issue's envelope and foot."""

    sender: Sender
    reply_to: Sender | None = None
    #: The postal address that the law asks for in a newsletter (CAN-SPAM, 15 U.S.C. 7704(a)(5)).
    postal_address: str = ""
    #: Where a reader leaves the list: an https or mailto address. A mail to ``sender`` by default. The pass of
    #: a reader's copy stands in the place of {copy}, or is added as ?copy=….
    unsubscribe: Annotated[str, AfterValidator(_for_subscribers)] | None = None
    #: Whether ``unsubscribe`` takes the POST of a mail program's own button (RFC 8058).
    one_click: bool = False
    #: Where a reader chooses what comes; no link without it.
    preferences: Annotated[str, AfterValidator(_for_subscribers)] | None = None
    #: Where an issue can be read on the web, with {digest} and {issue}; no link without it.
    web_view: Annotated[str, AfterValidator(_pattern)] | None = None
    #: Where mail that cannot be delivered comes back to; {copy} in it tells whose (VERP). ``sender`` by default.
    bounces: Annotated[str, AfterValidator(_return_path)] | None = None
    #: Who gets each issue that waits for approval, with what the preflight found.
    editors: tuple[Address, ...] = ()

    @field_validator("one_click")
    @classmethod
    def _posts(cls, value: bool, info: Any) -> bool:
        if value and not str(info.data.get("unsubscribe") or "").startswith("https://"):
            raise ValueError("needs unsubscribe to be an https address (RFC 8058, section 3.1)")
        return value
