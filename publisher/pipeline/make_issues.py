"""Make the next issue of each digest, store it, and stage it in outbox/."""

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
from publisher.digests import notes_store as notes
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

__all__ = ["issue_name", "make_issues", "make_scheduled_issue", "remake_issue", "stage_issues", "start_digest_queue"]

_PAGE: Final = 200


def issue_name(slot: datetime, site: Site) -> str:
    """Return the name of an issue: its slot in the site's zone, ``2026-11-23T0700``.

    In the repeated hour of autumn the second slot has its UTC offset, so that names are unique.
    """
    local = slot.astimezone(site.tz)
    return f"{local:%Y-%m-%dT%H%M%z}" if local.fold else f"{local:%Y-%m-%dT%H%M}"


def make_issues(db: Database, site: Site, now: datetime, report: PublishResult) -> None:
    """Make the next issue of every digest with new articles, and add it to the report.

    Each issue is stored in one transaction. A digest that cannot be rendered is reported; the others are made.
    """
    for digest in site.all_digests():
        with db.read() as connection:
            has_started = issues.has_started(connection, digest.slug)
            waiting = issues.pending_articles(connection, digest.slug, int(now.timestamp()))
        if has_started and all(waiting.values()):
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
            _add_to_report(made, site, report)


def make_scheduled_issue(
    db: Database, site: Site, claim: ClaimedSlot, *, as_of: datetime, now: datetime, report: PublishResult
) -> str:
    """Make the issue of a claimed slot and finish the slot in one transaction.

    Args:
        db: the database.
        site: the settings.
        claim: a claimed slot of a digest in the settings.
        as_of: the issue has the articles that were published by then.
        now: the time.
        report: gets the issue, warnings and failures.

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
    _add_to_report(made, site, report)
    return outcome


@dataclass(frozen=True, slots=True)
class _Made:
    """A new issue with its warnings and failures."""

    summary: IssueSummary
    warnings: tuple[Problem, ...] = ()
    #: Articles that cannot be rendered: file, headline and error. They stay pending.
    left_out: tuple[tuple[str, str, Exception], ...] = ()


def _add_to_report(made: _Made | WaitingDigest, site: Site, report: PublishResult) -> None:
    if isinstance(made, WaitingDigest):
        report.waiting.append(made)
        return
    report.issues.append(made.summary)
    report.warnings.extend(made.warnings)
    for where, title, error in made.left_out:
        report_failure(report, site, where, f"{title!r} was left out of an issue of {made.summary.digest}", error)


def remake_issue(connection: Connection, site: Site, row: IssueRow, now: datetime, report: PublishResult) -> bool:
    """Make an unsent issue again with the current settings; its content stays.

    Returns False if no article is left; the caller then has to roll the transaction back.
    """
    issue_file = json.loads(issues.issue_file(connection, row.id, "issue.json"))
    digest = site.digests[row.digest].digest(row.digest)
    seqs = issues.discard_issue(connection, row)
    next_issue = notes.load_next_issue_note(connection, row.digest)
    if seqs and next_issue == notes.NextIssueNote():
        # Keep the first article as the lead, whether or not an editor chose it.
        restored = notes.NextIssueNote(note=issue_file.get("note", ""), lead_seq=seqs[0])
        notes.save_next_issue_note(connection, row.digest, restored)
    made = _make_issue(connection, digest, site, now, row.slot, number=row.number, only=seqs)
    if isinstance(made, WaitingDigest):
        return False
    if row.is_paused:
        again = issues.get_issue(connection, row.digest, row.name)
        assert again is not None
        issues.set_paused(connection, again.id, is_paused=True)
    _add_to_report(made, site, report)
    return True


def start_digest_queue(connection: Connection, digest: Digest, site: Site, now: datetime) -> None:
    """Start a digest with its newest matching articles; older ones are never sent.

    Articles with a future date stay pending until that date.
    """
    issues.start_digest(connection, digest.slug, since_seq=store.last_seq(connection))
    seconds = int(now.timestamp())
    pending_seqs: list[int] = store.newest_seqs(connection, seconds, digest.at_most)
    if digest.query.wanted:
        pending_seqs = []
        every = store.newest_seqs(connection, seconds, None)
        for at in range(0, len(every), _PAGE):
            page = store.articles_by_seq(connection, every[at : at + _PAGE], site.base_url, site.tz)
            pending_seqs.extend(seq for seq in every[at : at + _PAGE] if matches_query(digest.query, page[seq]))
            if len(pending_seqs) >= digest.at_most:
                break
    later = store.seqs_changed_between(connection, seconds, 1 << 62)
    articles = store.articles_by_seq(connection, later, site.base_url, site.tz)
    pending_seqs = pending_seqs[: digest.at_most] + [
        seq for seq in later if articles[seq].published > now and matches_query(digest.query, articles[seq])
    ]
    lead = notes.load_next_issue_note(connection, digest.slug).lead_seq
    issues.add_pending(
        connection, [(digest.slug, seq) for seq in [*pending_seqs, *([lead] if lead is not None else [])]]
    )


def _remove_old(connection: Connection, digest: Digest, waiting: Iterable[Article]) -> None:
    """Remove old articles that had no room in the first issue; later issues have news only."""
    added = set(pending.requested_articles(connection, digest.slug))
    known = store.rows_by_seq(connection, [article.seq for article in waiting if article.seq not in added])
    old = [seq for seq, row in known.items() if not is_news(digest.news_days, row.asked_at, row.first_read_at)]
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
    """Make an issue of a digest's pending articles in the caller's transaction.

    Args:
        connection: a connection to the database.
        digest, site: the digest and the settings.
        now: the issue may have articles that were published by then.
        slot: the issue's slot.
        number: its number; the next one of the digest by default.
        only: arrival numbers that it may have; all pending articles by default.
    """
    # Imported here, because a run without a new issue needs neither templates nor the preflight.
    from publisher.digests.compose import compose_issue, correction_notices

    candidates = _candidates(connection, digest, site, now, only)
    next_issue = notes.load_next_issue_note(connection, digest.slug)
    choice = choose_articles(digest, candidates, now, lead=next_issue.lead_seq)
    if not choice.articles:
        return WaitingDigest(digest=digest.slug, reason=choice.reason, articles=len(choice.waiting))
    audience = audiences.load_audience(connection, digest, choice.articles, int(now.timestamp()))
    rendered = partial(
        compose_issue,
        site,
        digest,
        slot=slot,
        name=issue_name(slot, site),
        number=number or issues.last_issue_number(connection, digest.slug) + 1,
        note=next_issue.note,
        notices=correction_notices(connection, site, digest, choice.articles, now),
        interests=audience.interests,
    )
    composed, failing = render_with_fallback(rendered, choice.articles)
    issue = composed.issue
    issue_id = _store_issue(connection, composed, choice)
    if issue.number == 1 and only is None:
        _remove_old(connection, digest, choice.waiting)
    times = LocalDeliveryTimes(slot, digest.deliver_at, site.tz)
    frozen = audiences.freeze_audience(connection, issue_id, audience, issue, composed.articles, times)
    notes.clear_next_issue_note(connection, digest.slug)
    warnings = _zone_warnings(f"{digest.slug}/{issue.name}", site, frozen.unknown_zones)
    return _Made(_issue_note(composed, digest, site, frozen.deliveries), warnings, _left_out(connection, failing))


def _store_issue(connection: Connection, composed: ComposedIssue, choice: ArticleChoice) -> int:
    """Store an issue and the articles that it had no room for; return its ID."""
    carried = [article.seq for article in composed.articles]
    left = [article.seq for article in (*choice.articles, *choice.waiting) if article.seq not in carried]
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
    """Start the digest if needed, and return its pending articles (of ``only``, if given)."""
    if not issues.has_started(connection, digest.slug):
        start_digest_queue(connection, digest, site, now)
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
            reason=f"unknown time zone {zone!r} of {count:,} subscriber(s): they get the issue by {site.zone} time",
        )
        for zone, count in sorted(unknown_zones.items())
    )


def _issue_note(composed: ComposedIssue, digest: Digest, site: Site, subscribers: int) -> IssueSummary:
    issue = composed.issue
    return IssueSummary(
        digest=digest.slug,
        number=issue.number,
        subject=issue.subject,
        articles=len(composed.articles),
        subscribers=subscribers,
        path=f"{site.paths.outbox}/{digest.slug}/{issue.name}",
        send=digest.send.value,
        variants=len(issue.variants),
        shortened=composed.shortened,
        html_size=len(issue.files["index.html"]),
        errors=tuple(f"{finding.id}: {finding.message}" for finding in composed.findings if finding.is_error),
        warnings=sum(not finding.is_error for finding in composed.findings),
    )


def _free_slot(connection: Connection, digest: Digest, now: datetime) -> datetime:
    """Return the minute of ``now``, or the next one that has no issue of the digest yet."""
    slot = now.astimezone(UTC).replace(second=0, microsecond=0)
    taken = issues.slots_with_issues(connection, digest.slug, slot)
    while slot in taken:
        slot += timedelta(minutes=1)
    return slot


def stage_issues(db: Database, site: Site, report: PublishResult, *, dry_run: bool) -> None:
    """Write unstaged issues into outbox/, and restore missing files."""
    with StagedFolder(site.outbox_dir, dry_run=dry_run, is_private=True) as stage:
        with db.read() as connection:
            unstaged = issues.issues_to_stage(connection)
            lost = {
                int(file.owner.partition(":")[2])
                for file in table.staged_files(connection, "issue", below=True)
                if not stage.is_unchanged(file.path.removeprefix("outbox/"), file.size, file.mtime_ns)
            }
            rows = issues.list_issues(connection, only={*unstaged, *lost}) if unstaged or lost else []
        for row in sorted(rows, key=lambda row: row.id):
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
