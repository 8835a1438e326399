"""``publish note``: what an editor says of a digest's next issue."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from publisher.actions.naming import named_article, require_no_draft
from publisher.actions.publish import publish
from publisher.actions.report import Progress, silent
from publisher.config import Site
from publisher.errors import SettingsError
from publisher.markup import clean_characters
from publisher.selection import matches
from publisher.store import articles as store
from publisher.store import issues, preparations
from publisher.store.database import Database
from publisher.store.preparations import Preparation

__all__ = ["Prepared", "note"]

_LONGEST = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is said of a digest's next issue by now."""

    digest: str
    #: Markdown; empty where nothing is said.
    note: str
    #: The headline of the article that leads it; None for the newest.
    lead: str | None


def note(
    site: Site,
    digest: str,
    now: datetime,
    *,
    text: str | None = None,
    lead: str | None = None,
    clear: bool = False,
    progress: Progress = silent,
    on_wait: Callable[[str], None] = lambda holder: None,
) -> Prepared:
    """Keep what is said of the digest's next issue, and return what is said by now.

    Where a lead is named, what is new in articles/ is read and staged before; no issue is made.

    Args:
        site: the settings.
        digest: its slug.
        now: what time it is.
        text: the editor's note, Markdown, in place of an earlier one; None leaves that.
        lead: a name of the article that is to lead; None leaves what was said.
        clear: forget both first.
        progress: told now and then how far the work is.
        on_wait: told once if another run has to be waited for.

    Raises:
        SettingsError: there is no such digest, the note is too long, the name means no article or
            several, or one that an earlier issue has carried or that was withdrawn.
    """
    if digest not in site.digests:
        known = ", ".join(site.digests) or "none"
        raise SettingsError(f"there is no digest {digest!r}; publisher.toml has: {known}")
    cleaned = None if text is None else clean_characters(text)[0].strip()
    if cleaned is not None and len(cleaned) > _LONGEST:
        raise SettingsError(f"the note has {len(cleaned):,} characters, {_LONGEST:,} may be: make it an article")

    def edit(connection: Connection) -> None:
        said = Preparation() if clear else preparations.preparation_of(connection, digest)
        if cleaned is not None:
            said = replace(said, note=cleaned)
        if lead is not None:
            said = replace(said, lead_seq=_lead(connection, site, digest, lead))
        preparations.prepare(connection, digest, said)

    if lead is not None:
        publish(site, now, progress=progress, on_wait=on_wait, edit=edit)
    elif clear or cleaned is not None:
        with Database.open(site.database_url) as db, db.write() as connection:
            edit(connection)
    return _prepared(site, digest)


def _prepared(site: Site, digest: str) -> Prepared:
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        said = preparations.preparation_of(connection, digest)
        seqs = [said.lead_seq] if said.lead_seq is not None else []
        known = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
    titles = [one.title for one in known.values()]
    return Prepared(digest=digest, note=said.note, lead=titles[0] if titles else None)


def _lead(connection: Connection, site: Site, digest: str, name: str) -> int:
    """Return the arrival number of the article that is to lead, which waits for the digest from now on."""
    one, article = named_article(connection, site, name)
    require_no_draft(one, article)
    if one.retracted_at is not None:
        raise SettingsError(f"{article.title!r} was withdrawn; 'publish retract --undo' takes that back")
    if not issues.not_yet_carried(connection, [(digest, one.seq)]):
        raise SettingsError(f"{article.title!r} was in an issue of {digest} before: readers get it once")
    definition = site.digests[digest].digest(digest)
    if not matches(definition.query, article):
        raise SettingsError(f"{article.title!r} is not what {digest} asks for: change its topic, or the digest's query")
    if digest in issues.digests_begun(connection):
        issues.add_pending(connection, [(digest, one.seq)])
    return one.seq
