"""The store → issues: each digest's next one, if it is due, kept in the store and staged in outbox/."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from publisher.articles import store
from publisher.articles.failure_isolation import render_with_fallback, report_failure
from publisher.delivery import audience as audiences
from publisher.delivery.local_time import LocalDeliveryTimes
from publisher.digests import notes_store as preparations
from publisher.digests import pending_store as pending
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.errors import SettingsError, StoreError
from publisher.feeds import store as table
from publisher.feeds.store import StagedFile
from publisher.model.articles import Article
from publisher.model.digests import Digest
from publisher.model.problems import Problem
from publisher.model.query import ArticleChoice, Candidate, choose_articles, is_news, matches_query
from publisher.model.report import IssueSummary, PublishResult, WaitingDigest
from publisher.schedule import store as slots
from publisher.schedule.store import ClaimedSlot
from publisher.settings import Site
from publisher.staging.folder import StagedFolder
from publisher.storage.engine import Database

if TYPE_CHECKING:
    from publisher.digests.compose import ComposedIssue

__all__ = ["begin_digest_queue", "issue_name", "make_issues", "make_scheduled_issue", "remake_issue", "stage_issues"]

_PAGE: Final = 200


def issue_name(slot: datetime, site: Site) -> str:
    """Return the folder of an issue: its slot on the newsroom's clock, ``2026-11-23T0700``.

    The second time that a clock shows the same hour, in autumn, carries its offset, so that no
    two slots share a name.
    """
    local = slot.astimezone(site.tz)
    return f"{local:%Y-%m-%dT%H%M%z}" if local.fold else f"{local:%Y-%m-%dT%H%M}"


def make_issues(db: Database, site: Site, now: datetime, report: PublishResult) -> None:
    """Make the next issue of every digest that has something new, and note it in the report.

    An issue, the articles it carries and its bytes are kept in one transaction. A digest that cannot be
    rendered is named in the report; the others go on.
    """
    for digest in site.all_digests():
        with db.read() as connection:
            begun = issues.has_started(connection, digest.slug)
            waiting = issues.pending_articles(connection, digest.slug, int(now.timestamp()))
        if begun and all(waiting.values()):
            report.waiting.append(WaitingDigest(digest=digest.slug, reason="nothing new", articles=len(waiting)))
            continue
        try:
            with db.write() as connection:
                slot = _free_slot(connection, digest, now)
                made = _make_issue(connection, digest, site, now, slot)
        except (SettingsError, StoreError):
            raise
        except Exception as error:
            report_failure(report, site, f"digests.{digest.slug}", "no issue was made", error)
        else:
            _note(made, site, report)


def make_scheduled_issue(
    db: Database, site: Site, claim: ClaimedSlot, *, as_of: datetime, now: datetime, report: PublishResult
) -> str:
    """Make the issue of a slot that was claimed, finish the slot in the same transaction, and return what came of it.

    Args:
        db: the store.
        site: the settings.
        claim: the slot; of a digest of the settings.
        as_of: the issue carries what was out by then.
        now: what time it is.
        report: what is told of it.

    Raises:
        SlotLost: another runner has taken the slot over; nothing was made.
        TemplateError: its template is broken.
    """
    slug = claim.schedule.partition(":")[2]
    digest = site.digests[slug].digest(slug)
    with db.write() as connection:
        slots.finish_slot(connection, claim, now)
        if claim.slot in issues.slots_with_issues(connection, slug, claim.slot):
            slots.record_outcome(connection, claim, outcome := "it has an issue already")
            return outcome
        made = _make_issue(connection, digest, site, as_of, claim.slot)
        outcome = f"{slug}/{issue_name(claim.slot, site)}" if isinstance(made, _Made) else made.reason
        slots.record_outcome(connection, claim, outcome)
    _note(made, site, report)
    return outcome


@dataclass(frozen=True, slots=True)
class _Made:
    """An issue that was made, and what there is to tell of it."""

    note: IssueSummary
    warnings: tuple[Problem, ...] = ()
    #: Articles that cannot be rendered: file, headline and error. They wait for the next issue.
    left_out: tuple[tuple[str, str, Exception], ...] = ()


def _note(made: _Made | WaitingDigest, site: Site, report: PublishResult) -> None:
    if isinstance(made, WaitingDigest):
        report.waiting.append(made)
        return
    report.issues.append(made.note)
    report.warnings.extend(made.warnings)
    for where, title, error in made.left_out:
        report_failure(report, site, where, f"{title!r} was left out of an issue of {made.note.digest}", error)


def remake_issue(connection: Connection, site: Site, row: IssueRow, now: datetime, report: PublishResult) -> bool:
    """Make an issue again that nobody was sent: its articles, note, slot and number, with the settings as they are now.

    The caller's transaction has to be rolled back where this returns False: no article is left to carry.
    """
    about = json.loads(issues.issue_file(connection, row.id, "issue.json"))
    digest = site.digests[row.digest].digest(row.digest)
    seqs = issues.discard_issue(connection, row)
    said = preparations.load_next_issue_note(connection, row.digest)
    if seqs and said == preparations.NextIssueNote():
        # The lead is the first article, whether or not an editor had chosen it.
        kept = preparations.NextIssueNote(note=about.get("note", ""), lead_seq=seqs[0])
        preparations.save_next_issue_note(connection, row.digest, kept)
    made = _make_issue(connection, digest, site, now, row.slot, number=row.number, only=seqs)
    if isinstance(made, WaitingDigest):
        return False
    if row.is_paused:
        again = issues.get_issue(connection, row.digest, row.name)
        assert again is not None
        issues.set_paused(connection, again.id, is_paused=True)
    _note(made, site, report)
    return True


def begin_digest_queue(connection: Connection, digest: Digest, site: Site, now: datetime) -> None:
    """Begin a digest with the newest articles that it asks for, whatever their age; the older ones count as read.

    Articles that are dated later are new whenever their time comes.
    """
    issues.start_digest(connection, digest.slug, since_seq=store.last_seq(connection))
    seconds = int(now.timestamp())
    found: list[int] = store.newest_seqs(connection, seconds, digest.at_most)
    if digest.query.wanted:
        found = []
        every = store.newest_seqs(connection, seconds, None)
        for at in range(0, len(every), _PAGE):
            page = store.articles_by_seq(connection, every[at : at + _PAGE], site.base_url, site.tz)
            found.extend(seq for seq in every[at : at + _PAGE] if matches_query(digest.query, page[seq]))
            if len(found) >= digest.at_most:
                break
    later = store.seqs_changed_between(connection, seconds, 1 << 62)
    articles = store.articles_by_seq(connection, later, site.base_url, site.tz)
    found = found[: digest.at_most] + [
        seq for seq in later if articles[seq].published > now and matches_query(digest.query, articles[seq])
    ]
    lead = preparations.load_next_issue_note(connection, digest.slug).lead_seq
    issues.add_pending(connection, [(digest.slug, seq) for seq in [*found, *([lead] if lead is not None else [])]])


def _forget_old(connection: Connection, digest: Digest, waiting: Iterable[Article]) -> None:
    """Let old articles wait no more, of those that a digest's first issue had no room for.

    They arrived before it: the next issues are for news.
    """
    added = set(pending.requested_articles(connection, digest.slug))
    known = store.rows_by_seq(connection, [article.seq for article in waiting if article.seq not in added])
    old = [seq for seq, one in known.items() if not is_news(digest.news_days, one.asked_at, one.first_read_at)]
    pending.remove_pending(connection, digest.slug, old)


def _make_issue(
    connection: Connection,
    digest: Digest,
    site: Site,
    now: datetime,
    slot: datetime,
    *,
    number: int | None = None,
    only: Collection[int] | None = None,
) -> _Made | WaitingDigest:
    """Make an issue of what waits for a digest, in the caller's transaction.

    Args:
        connection: to the store.
        digest, site: the newsletter, and the settings.
        now: articles that were out by then are carried.
        slot: the instant that the issue stands for.
        number: its number; the next one of the digest by default.
        only: arrival numbers of the articles that it may carry; all that wait by default.
    """
    # A run with nothing to do imports neither templates nor the preflight.
    from publisher.digests.compose import compose_issue, correction_notices

    candidates = _candidates(connection, digest, site, now, only)
    said = preparations.load_next_issue_note(connection, digest.slug)
    choice = choose_articles(digest, candidates, now, lead=said.lead_seq)
    if not choice.articles:
        return WaitingDigest(digest=digest.slug, reason=choice.reason, articles=len(choice.waiting))
    readers = audiences.load_audience(connection, digest, choice.articles, int(now.timestamp()))
    rendered = partial(
        compose_issue,
        site,
        digest,
        slot=slot,
        name=issue_name(slot, site),
        number=number or issues.last_issue_number(connection, digest.slug) + 1,
        note=said.note,
        notices=correction_notices(connection, site, digest, choice.articles, now),
        selections=readers.interests,
    )
    composed, failing = render_with_fallback(rendered, choice.articles)
    made = composed.issue
    issue_id = _store_issue(connection, composed, choice)
    if made.number == 1 and only is None:
        _forget_old(connection, digest, choice.waiting)
    times = LocalDeliveryTimes(slot, digest.deliver_at, site.tz)
    frozen = audiences.freeze_audience(connection, issue_id, readers, made, composed.articles, times)
    preparations.clear_next_issue_note(connection, digest.slug)
    warnings = _zone_warnings(f"{digest.slug}/{made.name}", site, frozen.unknown_zones)
    return _Made(_issue_note(composed, digest, site, frozen.deliveries), warnings, _left_out(connection, failing))


def _store_issue(connection: Connection, composed: ComposedIssue, choice: ArticleChoice) -> int:
    """Store an issue and what it had no room for, and return its id."""
    carried = [one.seq for one in composed.articles]
    left = [one.seq for one in (*choice.articles, *choice.waiting) if one.seq not in carried]
    return issues.add_issue(connection, composed.issue, carried, left)


def _left_out(
    connection: Connection, failing: Sequence[tuple[Article, Exception]]
) -> tuple[tuple[str, str, Exception], ...]:
    """Return file, headline and error of each article that cannot be rendered."""
    known = store.rows_by_seq(connection, [article.seq for article, _ in failing])
    return tuple((known[article.seq].source, article.title, error) for article, error in failing)


def _candidates(
    connection: Connection, digest: Digest, site: Site, now: datetime, only: Collection[int] | None
) -> list[Candidate]:
    """Begin the digest if need be, and return the articles that wait for it at NOW; of those in ONLY, if given."""
    if not issues.has_started(connection, digest.slug):
        begin_digest_queue(connection, digest, site, now)
    waiting = issues.pending_articles(connection, digest.slug, int(now.timestamp()))
    wanted = {seq: carried for seq, carried in waiting.items() if only is None or seq in only}
    articles = store.articles_by_seq(connection, list(wanted), site.base_url, site.tz)
    added = set(pending.requested_articles(connection, digest.slug))
    return [
        Candidate(article=articles[seq], carried_over=carried, is_added=seq in added) for seq, carried in wanted.items()
    ]


def _zone_warnings(where: str, site: Site, unknown_zones: Mapping[str, int]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            where=where,
            is_rejected=False,
            reason=f"nobody knows the zone {zone!r} of {count:,} reader(s); their copies come by {site.zone}",
        )
        for zone, count in sorted(unknown_zones.items())
    )


def _issue_note(composed: ComposedIssue, digest: Digest, site: Site, subscribers: int) -> IssueSummary:
    made = composed.issue
    return IssueSummary(
        digest=digest.slug,
        number=made.number,
        subject=made.subject,
        articles=len(composed.articles),
        subscribers=subscribers,
        path=f"{site.paths.outbox}/{digest.slug}/{made.name}",
        send=digest.send.value,
        variants=len(made.variants),
        shortened=composed.shortened,
        html_size=len(made.files["index.html"]),
        errors=tuple(f"{one.id}: {one.message}" for one in composed.findings if one.is_error),
        warnings=sum(not one.is_error for one in composed.findings),
    )


def _free_slot(connection: Connection, digest: Digest, now: datetime) -> datetime:
    """Return the minute of ``now``, or the next one that has no issue of the digest yet."""
    slot = now.astimezone(UTC).replace(second=0, microsecond=0)
    taken = issues.slots_with_issues(connection, digest.slug, slot)
    while slot in taken:
        slot += timedelta(minutes=1)
    return slot


def stage_issues(db: Database, site: Site, report: PublishResult, *, dry_run: bool) -> None:
    """Write into outbox/ every issue that is not there yet, and put back what went missing."""
    with StagedFolder(site.outbox_dir, dry_run=dry_run, is_private=True) as stage:
        with db.read() as connection:
            unstaged = issues.issues_to_stage(connection)
            lost = {
                int(one.owner.partition(":")[2])
                for one in table.staged_files(connection, "issue", below=True)
                if not stage.is_unchanged(one.path.removeprefix("outbox/"), one.size, one.mtime_ns)
            }
            rows = issues.list_issues(connection, only={*unstaged, *lost}) if unstaged or lost else []
        for row in sorted(rows, key=lambda one: one.id):
            with db.write() as connection:
                files = []
                changed = False
                for name, data in issues.issue_files(connection, row.id).items():
                    written = stage.put(f"{row.digest}/{row.name}/{name}", [data])
                    changed = changed or written.changed
                    files.append(
                        StagedFile(
                            path=f"outbox/{written.path}",
                            owner=f"issue:{row.id}",
                            sha256=written.sha256,
                            size=written.size,
                            mtime_ns=written.mtime_ns,
                        )
                    )
                stage.sync()
                table.save_staged_files(connection, files)
                issues.mark_staged(connection, row.id)
            if row.id in lost and changed:
                report.restaged.append(f"{site.paths.outbox}/{row.digest}/{row.name}")
