"""Find placeholder values that must not be sent to real people: reserved names, sample texts, no postal address.

Real people are recipients whose domain is not reserved for tests and documentation (RFC 2606, RFC 6761).
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.variants_store import whole_variant
from publisher.errors import SendingBlocked
from publisher.model.hosts import host_of, is_reserved_host
from publisher.model.mailbox import parse_mailbox
from publisher.settings import Site
from publisher.subscribers import recipients_store as recipients

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.digests.store import IssueRow

_SITE_TEMPLATE: Final = Path(__file__).parent.parent / "templating" / "site_template"
#: Sample postal addresses: of the settings that ``publish init`` makes, and of the example site.
_SAMPLE_POSTAL_ADDRESSES: Final = frozenset(
    [
        "my magazine, 1 example street, 12345 example city",
        "the meridian review, 12 quay street, bristol bs1 4db, united kingdom",
    ]
)
#: Length of the text that identifies a paragraph of the sample article, also if an issue shortens it.
_MARKER_LENGTH: Final = 35


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocker:
    """A reason why mail must not be sent to real people."""

    #: The setting, or the issue.
    name: str
    problem: str
    fix: str

    def __str__(self) -> str:
        """Return the reason as one line."""
        return f"{self.name}: {self.problem}. {self.fix}."


# -- settings --------------------------------------------------------------------------------------


def setting_blockers(site: Site) -> tuple[Blocker, ...]:
    """Return the settings that hold placeholder values, in the order of ``publisher.toml``."""
    return tuple(_setting_blockers(site))


def _setting_blockers(site: Site) -> Iterator[Blocker]:
    yield from _url_blockers("base_url", site.base_url, "Set the URL of your site")
    if site.mail is None:
        return
    mail = site.mail
    yield from _address_blockers("mail.sender", mail.sender, "Set the address that your newsletters come from")
    yield from _address_blockers("mail.reply_to", mail.reply_to, "Set an address that you read, or remove it")
    yield from _postal_address_blockers(mail.postal_address)
    yield from _url_blockers("mail.unsubscribe", mail.unsubscribe, "Set a URL of your site, or remove it")
    yield from _url_blockers("mail.preferences", mail.preferences, "Set a URL of your site, or remove it")
    yield from _url_blockers("mail.web_view", mail.web_view, "Set a URL of your site, or remove it")
    yield from _address_blockers("mail.bounces", mail.bounces, "Set an address whose mail you process, or remove it")
    for number, key in enumerate(site.dkim):
        if key.domain is not None and is_reserved_host(key.domain):
            yield _reserved_name(f"dkim.{number}.domain", key.domain, key.domain, "Set your domain, or remove it")
    if site.theme.logo is not None:
        yield from _url_blockers("theme.logo.url", site.theme.logo.url, "Set the URL of your logo, or remove it")


def _reserved_name(name: str, value: str, host: str, fix: str) -> Blocker:
    problem = f"{value} is a reserved name" if value == host else f"{value} is at {host}, a reserved name"
    return Blocker(name=name, problem=problem, fix=fix)


def _url_blockers(name: str, url: str | None, fix: str) -> Iterator[Blocker]:
    host = host_of(url) if url else ""
    if url and host and is_reserved_host(host):
        yield _reserved_name(name, url, host, fix)


def _address_blockers(name: str, text: str | None, fix: str) -> Iterator[Blocker]:
    if not text:
        return
    # The token in place of {copy} is in the local part.
    mailbox = parse_mailbox(text.replace("{copy}", "x"))
    if is_reserved_host(mailbox.domain):
        yield _reserved_name(name, text, mailbox.domain, fix)


def _postal_address_blockers(text: str) -> Iterator[Blocker]:
    name, fix = "mail.postal_address", "Set your postal address: anti-spam laws require it in every newsletter"
    folded = " ".join(text.split()).casefold()
    if not folded:
        yield Blocker(name=name, problem="it is empty", fix=fix)
    elif folded in _SAMPLE_POSTAL_ADDRESSES:
        yield Blocker(name=name, problem="it is the sample's", fix=fix)


# -- issues ----------------------------------------------------------------------------------------


def placeholder_values(site: Site) -> dict[str, str]:
    """Return the settings that an issue contains, for its ``issue.json``."""
    return {
        "base_url": site.base_url,
        "postal_address": site.mail.postal_address if site.mail else "",
        "logo": site.theme.logo.url if site.theme.logo else "",
    }


def issue_blockers(connection: Connection, site: Site, row: IssueRow) -> tuple[Blocker, ...]:
    """Return why an issue must not be sent to real people: old placeholder values, or the sample article."""
    return (*_outdated_value_blockers(connection, site, row), *issue_sample_blockers(connection, row))


def issue_sample_blockers(connection: Connection, row: IssueRow) -> list[Blocker]:
    """Return a blocker if an issue contains the sample article, and was not forced."""
    whole = whole_variant(connection, row.id) if row.forced is None else None
    return sample_blockers(row.path, whole.text.decode()) if whole is not None else []


def draft_blockers(connection: Connection, site: Site, slug: str) -> tuple[Blocker, ...]:
    """Return why the draft of a digest must not be sent to real people: placeholder values, or the sample article."""
    text = drafts.draft_file(connection, slug, "message.txt").decode()
    return (*setting_blockers(site), *sample_blockers(f"{slug}/next", text))


def sample_blockers(name: str, text: str) -> list[Blocker]:
    """Return a blocker if the plain text of an issue contains the sample article of ``publish init``."""
    shown = _plain(text)
    if not any(marker in shown for marker in _sample_markers()):
        return []
    fix = "Edit or withdraw it; 'publish now' brings the draft up to date, and 'publish reopen' makes an issue a draft"
    return [Blocker(name=name, problem="it contains the sample article of 'publish init'", fix=fix)]


def _outdated_value_blockers(connection: Connection, site: Site, row: IssueRow) -> Iterator[Blocker]:
    """Yield placeholder values in an issue that are no longer in the settings."""
    values: Mapping[str, Any] = json.loads(issues.issue_file(connection, row.id, "issue.json")).get("made_with", {})
    now = {blocker.name for blocker in setting_blockers(site)}
    before = [
        *_url_blockers("base_url", values.get("base_url"), ""),
        *_url_blockers("theme.logo.url", values.get("logo"), ""),
        *(_postal_address_blockers(values["postal_address"]) if "postal_address" in values else ()),
    ]
    fix = f"Run 'publish reopen {row.digest}' to make it a draft, then approve it"
    for blocker in before:
        if blocker.name not in now:
            yield Blocker(name=row.path, problem=f"it was approved before {blocker.name} was set", fix=fix)


@cache
def _sample_markers() -> frozenset[str]:
    """Return the first characters of each paragraph of the sample article."""
    _, head, body = (_SITE_TEMPLATE / "welcome.md").read_text("utf-8").split("---\n", 2)
    summary = re.search(r"^dek: (.*)$", head, re.MULTILINE)
    paragraphs = [summary[1] if summary else "", *re.split(r"\n\n|\n- |^- ", body)]
    markers = (_plain(paragraph)[:_MARKER_LENGTH] for paragraph in paragraphs)
    return frozenset(marker for marker in markers if len(marker) == _MARKER_LENGTH)


def _plain(text: str) -> str:
    """Return text without Markdown syntax and line breaks, and with uniform apostrophes."""
    return " ".join(re.sub(r"[*`_]", "", text).replace("’", "'").split())


# -- before something is sent ----------------------------------------------------------------------


def visible_blockers(connection: Connection, site: Site, row: IssueRow | None = None) -> tuple[Blocker, ...]:
    """Return the blockers to show before sending; none if mail is not configured or stays on this machine."""
    if site.smtp is None or site.delivers_locally:
        return ()
    return (*setting_blockers(site), *(issue_blockers(connection, site, row) if row is not None else ()))


def is_blocked(connection: Connection, site: Site, row: IssueRow) -> bool:
    """Return whether ``require_sendable`` rejects an issue."""
    try:
        require_sendable(connection, site, row, is_local=site.delivers_locally)
    except SendingBlocked:
        return True
    return False


def require_sendable(connection: Connection, site: Site, row: IssueRow, *, is_local: bool) -> None:
    """Reject an issue that would be sent to real people with placeholder values, unless the transport is local.

    Raises:
        SendingBlocked: a recipient of an open delivery, or a subscriber before it opens, is not at a reserved name, and the settings or the issue have placeholder values.
    """
    if is_local:
        return
    blockers = (*setting_blockers(site), *issue_blockers(connection, site, row))
    if not blockers:
        return
    domains = (
        recipients.open_domains(connection, row.id)
        if row.opened_at is not None
        else recipients.subscribed_domains(connection, row.digest)
    )
    require_reserved(row.path, domains, blockers)


def require_sendable_draft(connection: Connection, site: Site, slug: str) -> None:
    """Reject a draft that would be sent to real people with placeholder values.

    Raises:
        SendingBlocked: a subscriber is not at a reserved name, and the settings or the draft have placeholder values.
    """
    if not site.delivers_locally:
        domains = recipients.subscribed_domains(connection, slug)
        require_reserved(f"{slug}/next", domains, draft_blockers(connection, site, slug))


def require_reserved(name: str, domains: Mapping[str, int], blockers: Collection[Blocker]) -> None:
    """Reject a message with placeholder values unless every recipient is at a reserved name.

    Args:
        name: the issue or message, for the error.
        domains: domain → number of recipients.

    Raises:
        SendingBlocked: a recipient is not at a reserved name.
    """
    real = sum(count for domain, count in domains.items() if not is_reserved_host(domain))
    if real and blockers:
        people = "1 recipient" if real == 1 else f"{real:,} recipients"
        raise SendingBlocked(
            f"{name}: nothing was sent. {people} would get placeholder values (only example.org and other names of "
            "RFC 2606 and RFC 6761 may)",
            list(blockers),
        )
