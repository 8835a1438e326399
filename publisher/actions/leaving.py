"""A reader leaves a newsletter by the link in her copy, and comes back if that was a slip."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from publisher.actions.keys import keyring
from publisher.config import Site
from publisher.store import issues, subscribers
from publisher.store.database import Database

__all__ = ["Standing", "come_back", "leave", "masked", "standing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How it is between a reader and the newsletter that her copy was of."""

    #: The newsletter's name.
    title: str
    #: Her address, so that she knows it again and nobody else learns it; empty where she was forgotten.
    address: str
    #: Whether she follows it.
    follows: bool
    #: How many other newsletters she follows.
    others: int


def _found(connection: Connection, site: Site, copy: str) -> tuple[str, int] | None:
    """Return (digest, reader) of a copy's pass; None where it is none of ours."""
    numbers = keyring(site, connection).copy_of(copy)
    if numbers is None:
        return None
    rows = issues.issues(connection, only=[numbers[0]])
    return (rows[0].digest, numbers[1]) if rows else None


def _whose(site: Site, db: Database, copy: str) -> tuple[str, int] | None:
    # Anybody may post, as often as she likes: who has no pass of ours does not keep those waiting who write.
    with db.read() as connection:
        return _found(connection, site, copy)


def _standing(connection: Connection, site: Site, digest: str, number: int) -> Standing:
    title = site.digests[digest].title if digest in site.digests else digest
    reader = subscribers.find(connection, number)
    if reader is None or reader.status != "active":
        return Standing(title=title, address="", follows=False, others=0)
    others = len(set(reader.digests) - {digest})
    return Standing(title=title, address=masked(reader.address), follows=digest in reader.digests, others=others)


def masked(address: str) -> str:
    """Return an address so that its owner knows it again and nobody else learns it."""
    local, _, domain = address.rpartition("@")
    # One word, for a line to end before or after it.
    return f"{local[:1]}…\u2060@{domain}"


def standing(site: Site, db: Database, copy: str) -> Standing | None:
    """Return how it is; None where the pass is none of ours. Nothing is changed."""
    with db.read() as connection:
        found = _found(connection, site, copy)
        return _standing(connection, site, *found) if found is not None else None


def leave(site: Site, db: Database, copy: str, *, everything: bool = False) -> Standing | None:
    """Let her follow the newsletter no longer, or none at all; return how it is then."""
    found = _whose(site, db, copy)
    if found is None:
        return None
    digest, number = found
    with db.write() as connection:
        subscribers.unsubscribe(connection, number, None if everything else [digest])
        return _standing(connection, site, digest, number)


def come_back(site: Site, db: Database, copy: str) -> Standing | None:
    """Let her follow the newsletter again; return how it is then. Who may not be written to stays away."""
    found = _whose(site, db, copy)
    if found is None:
        return None
    digest, number = found
    with db.write() as connection:
        reader = subscribers.find(connection, number)
        if reader is not None and reader.status == "active" and digest in site.digests:
            subscribers.subscribe(connection, [(digest, number)])
        return _standing(connection, site, digest, number)
