"""Settings of newsletters: content, schedule, headers and links of their messages."""

from __future__ import annotations

import re
from dataclasses import fields
from datetime import time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, field_validator

from publisher.cadence import describe_cadence, parse_local_time
from publisher.model.digests import MAX_HTML_KIB, Digest, LatePolicy, SendPolicy, Utm
from publisher.model.taxonomy import FacetKind
from publisher.settings import validators
from publisher.settings.field_types import Address, ArticleQuerySettings, Sender, SettingsTable, Text
from publisher.settings.schedules import ScheduleSettings

#: Any zone: the description does not name it.
_UTC = ZoneInfo("UTC")
LocalTime = Annotated[time, BeforeValidator(lambda value: parse_local_time(str(value)))]


class UtmSettings(SettingsTable):
    """Parameters added to links to articles, for the site's own statistics."""

    source: Text
    medium: Text = "email"
    #: A Jinja2 template: digest, number.
    campaign: Text = "{{ digest.slug }}-{{ number }}"


class DigestSettings(ScheduleSettings, ArticleQuerySettings):
    """A newsletter. Without a cadence its issues have the date of their newest article."""

    title: Text
    #: The description on the subscribe page; empty by default.
    description: str = ""
    at_most: Annotated[int, Field(ge=1, le=500)] = 10
    at_least: Annotated[int, Field(ge=1, le=500)] = 1
    #: After the first issue, an article dated more than this many days before it was first read is not news.
    news_days: Annotated[int, Field(ge=0, le=36_500)] = 14
    #: A folder below templates/digest/.
    template: Annotated[
        str,
        validators.matching(
            re.compile(r"[A-Za-z0-9_-]+"),
            "must be the name of a folder below templates/digest: letters, digits, - and _",
        ),
    ] = "magazine"
    #: A Jinja2 template of one line.
    subject: Text = "{{ digest.title }}: {{ lead.title }}"
    #: A Jinja2 template of the line that mail clients show after the subject.
    preheader: Text = "{{ lead.dek or lead.excerpt }}"
    #: The kind of label that groups the stories after the lead.
    group_by: Literal["topic", "region", "brand"] | None = None
    #: The order of the groups, by label; others follow by their newest story.
    sections: tuple[Text, ...] = ()
    #: How much of an article an issue has.
    text: Literal["excerpt", "full"] = "excerpt"
    #: Stories after this many, including the lead, are brief: headline and one line.
    briefs_after: Annotated[int, Field(ge=1, le=500)] = 12
    #: Maximum size of the HTML in KB (1,024 bytes); Gmail clips messages at 102.
    size_limit: Annotated[int, Field(ge=20, le=MAX_HTML_KIB)] = MAX_HTML_KIB
    utm: UtmSettings | None = None
    #: Local time of each subscriber at which deliveries are due; at once by default.
    deliver_at: LocalTime | None = None
    #: Hours after which such a delivery is late, and what happens to it.
    late_hours: Annotated[int, Field(ge=1, le=24 * 7)] = 6
    when_late: LatePolicy = LatePolicy.SEND
    send: SendPolicy = SendPolicy.REVIEW
    #: Whether new subscribers get the newest issue at once.
    welcome: bool = False
    #: Whether subscribers get an article again that another digest has sent them.
    repeat: bool = False

    @field_validator("at_least")
    @classmethod
    def _check_at_least(cls, value: int, info: Any) -> int:
        if value > info.data.get("at_most", value):
            raise ValueError("must not be more than at_most")
        return value

    @field_validator("sections")
    @classmethod
    def _check_sections(cls, value: tuple[str, ...], info: Any) -> tuple[str, ...]:
        if value and info.data.get("group_by") is None:
            raise ValueError("names groups without group_by; set group_by to topic, region or brand")
        return value

    @property
    def cadence_description(self) -> str:
        """The cadence in words for subscribers; empty without a cadence."""
        table = self.timetable(_UTC)
        words = "; ".join(describe_cadence(cadence) for cadence in table.cadences) if table is not None else ""
        if words and self.deliver_at is not None:
            words += f", with you at {self.deliver_at:%H:%M} on your own clock"
        return words[:1].upper() + words[1:]

    def digest(self, slug: str) -> Digest:
        """Return the newsletter with this slug; most of its fields are settings of the same name."""
        same = {field.name for field in fields(Digest)} & type(self).model_fields.keys()
        values = {name: getattr(self, name) for name in same} | {
            "slug": slug,
            "query": self.query,
            "group_by": FacetKind(self.group_by) if self.group_by else None,
            "full_text": self.text == "full",
            "size_limit": self.size_limit * 1024,
            "utm": Utm(**self.utm.model_dump()) if self.utm else None,
        }
        return Digest(**values)


def _subscriber_link(value: str) -> str:
    """Accept a URL in which {copy} may stand for the delivery token."""
    validators.link(value.replace("{copy}", "x"))
    return validators.link(value)


def _return_path(value: str) -> str:
    """Accept an address without a name; {copy} may stand for the delivery token."""
    checked = validators.sender(value.replace("{copy}", "x"))
    if "<" in value or '"' in checked:
        raise ValueError("must be an address without a name, as in bounces+{copy}@example.org")
    local, _, domain = value.strip().rpartition("@")
    return value.strip() if "{copy}" in domain else f"{local}@{validators.host(domain)}"


def _issue_url(value: str) -> str:
    validators.http_url(re.sub(r"\{(digest|issue)\}", "x", value))
    if "{issue}" not in value:
        raise ValueError("must name {issue}, and may name {digest}, as in https://example.org/issues/{digest}/{issue}/")
    return validators.http_url(value)


class MailSettings(SettingsTable):
    """Headers and footer of every issue."""

    sender: Sender
    reply_to: Sender | None = None
    #: The postal address that laws require in a newsletter (CAN-SPAM, 15 U.S.C. 7704(a)(5)).
    postal_address: str = ""
    #: The unsubscribe link: an https or mailto address, by default a mail to ``sender``. {copy} in it is
    #: replaced by the delivery token, which is otherwise added as ?copy=….
    unsubscribe: Annotated[str, AfterValidator(_subscriber_link)] | None = None
    #: Whether ``unsubscribe`` supports one-click unsubscription by POST (RFC 8058).
    one_click: bool = False
    #: The URL of the preferences page; no link without it.
    preferences: Annotated[str, AfterValidator(_subscriber_link)] | None = None
    #: The URL of the web view, with {digest} and {issue}; no link without it.
    web_view: Annotated[str, AfterValidator(_issue_url)] | None = None
    #: The return path for bounces, ``sender`` by default; {copy} is replaced by the delivery token (VERP).
    bounces: Annotated[str, AfterValidator(_return_path)] | None = None
    #: Addresses that get each issue that waits for approval, with its preflight.
    editors: tuple[Address, ...] = ()

    @property
    def sender_address(self) -> str:
        """The address of the sender, without its name."""
        return self.sender.rpartition("<")[2].rstrip("> ")

    @property
    def sender_domain(self) -> str:
        """The domain of the sender."""
        return self.sender_address.rpartition("@")[2]

    @field_validator("one_click")
    @classmethod
    def _check_one_click(cls, value: bool, info: Any) -> bool:
        if value and not str(info.data.get("unsubscribe") or "").startswith("https://"):
            raise ValueError(
                "needs an https unsubscribe URL (RFC 8058, section 3.1); set mail.unsubscribe or remove one_click"
            )
        return value
