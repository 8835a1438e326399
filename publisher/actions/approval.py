"""``publish approve``: a person says that this issue, to the byte and to the reader, may leave."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection

from publisher.actions.copies import Copies
from publisher.actions.keys import keyring
from publisher.actions.naming import named_issue
from publisher.config import Site
from publisher.errors import SettingsError
from publisher.model import SendPolicy
from publisher.passes import Keyring
from publisher.store import audience, deliveries, issues
from publisher.store.database import Database
from publisher.store.issues import IssueRow

__all__ = ["Approved", "approve", "content_hash", "pause", "refuse_to_send"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Approved:
    """An issue, and what a person has said of it."""

    digest: str
    name: str
    number: int
    subject: str
    readers: int
    #: Of its bytes and its audience; None where the approval was taken back.
    hash: str | None


def content_hash(connection: Connection, site: Site, row: IssueRow, ring: Keyring) -> str:
    """Return a hash of all that readers would get, headers included, and of who would get it."""
    editions = issues.editions(connection, row.id)
    copies = Copies(site, row, lambda number: editions[number - 1], ring, ())
    digest = hashlib.sha256(copies.fingerprint(len(editions)))
    page: list[str] = []
    for number, edition in audience.frozen_audience(connection, row.id):
        page.append(f"{number} {edition}\n")
        if len(page) == 10_000:
            digest.update("".join(page).encode())
            page = []
    digest.update("".join(page).encode())
    return digest.hexdigest()


def approve(
    site: Site,
    target: str,
    now: datetime,
    *,
    revoke: bool = False,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> Approved:
    """Let an issue be sent, as it is now; or, with ``revoke``, no longer.

    Raises:
        SettingsError: there is no such issue, or the preflight holds it back.
    """
    with Database.open(site.database_url) as db, db.exclusive(site.root, on_wait=on_wait), db.write() as connection:
        row = named_issue(connection, target)
        hashed = None
        if not revoke:
            _refuse_errors(connection, row)
            hashed = content_hash(connection, site, row, keyring(site, connection))
        issues.approve(connection, row.id, hashed, int(now.timestamp()) if hashed else None)
        readers = sum(deliveries.state_counts(connection, row.id).get(row.id, {}).values())
    return Approved(
        digest=row.digest, name=row.name, number=row.number, subject=row.subject, readers=readers, hash=hashed
    )


def pause(site: Site, target: str, *, is_paused: bool) -> IssueRow:
    """Stop an issue for a while, also one that is being sent; or let it go on.

    Raises:
        SettingsError: there is no such issue.
    """
    with Database.open(site.database_url) as db, db.write() as connection:
        row = named_issue(connection, target)
        issues.pause(connection, row.id, is_paused=is_paused)
        return issues.issues(connection, only=[row.id])[0]


def refuse_to_send(connection: Connection, site: Site, row: IssueRow, ring: Keyring) -> None:
    """Let an issue pass that may leave.

    Raises:
        SettingsError: it may not, with the reason and what to do.
    """
    name = f"{row.digest}/{row.name}"
    _refuse_errors(connection, row)
    if row.is_paused:
        raise SettingsError(f"{name} is paused: 'publish resume {name}' lets it go on")
    if row.digest not in site.digests:
        raise SettingsError(f"digests.{row.digest} is not in publisher.toml any more; put it back to send {name}")
    if site.digests[row.digest].send is SendPolicy.AUTO:
        return
    if row.approved is None:
        raise SettingsError(f"{name} is not approved: look at it, then 'publish approve {name}'")
    if row.approved != content_hash(connection, site, row, ring):
        when = datetime.fromtimestamp(row.approved_at or 0, UTC).astimezone(site.tz)
        raise SettingsError(
            f"{name} has changed since it was approved on {when:%Y-%m-%d %H:%M}: its bytes, its headers (settings under "
            f"[mail]) or its readers; look at it again, then 'publish approve {name}'"
        )


def _refuse_errors(connection: Connection, row: IssueRow) -> None:
    name = f"{row.digest}/{row.name}"
    if row.forced is not None:
        return
    if not row.may_be_sent:
        found = "was never checked" if row.errors is None else f"has {row.errors} error(s)"
        raise SettingsError(
            f"{name} {found}: 'publish check {name}' tells what to do, and --force there lets it leave all the same"
        )
    gone = issues.withdrawn_from(connection, row.id)
    if gone:
        raise SettingsError(
            f"{name} has articles that were withdrawn, or became drafts, after it was made ({', '.join(gone)}). "
            f"Take that back ('publish retract --undo', or edit the draft), or send it all the same with "
            f"'publish check {name} --force REASON'."
        )
