"""A model of the life of issues: who must get which article, who must not, and with which bytes."""

from __future__ import annotations

import copy
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from publisher.digests.draft_content import mail_settings
from publisher.digests.store import IssueRow
from tests.support.issue_life.mail_server import Attempt, RecordedMail
from tests.support.issue_life.newsletters import Newsletter
from tests.support.issue_life.promises import check_person
from tests.support.issue_life.records import (
    FixedIssue,
    Note,
    Person,
    Queued,
    Story,
    due_time,
    markers,
    note_marker,
    require_same,
)
from tests.support.issue_life.site import LifeSite
from tests.support.issue_life.store_state import StoreState, read_state

_CATCH_UP = timedelta(hours=24)
#: A change of zone reschedules the deliveries of issues that are not older.
_RESCHEDULED = timedelta(days=2)


class Run(StrEnum):
    """Which issues a step may fix and open without a person."""

    NONE = "none"
    #: 'publish now': automatic newsletters without a cadence.
    PUBLISH = "publish"
    #: 'publish tick': slots, and what waits for them.
    TICK = "tick"


@dataclass
class Model:
    """Follows the steps of a test, and asserts the promises to subscribers."""

    newsletters: dict[str, Newsletter]
    people: dict[str, Person]
    stories: dict[int, Story] = field(default_factory=dict)
    step: int = 0
    fixed: dict[int, FixedIssue] = field(default_factory=dict)
    #: IDs of all issues that ever were.
    used_ids: set[int] = field(default_factory=set)
    #: Person → (newsletter, article) of the mail that arrived.
    received: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    #: (person, issue) → open deliveries; and deliveries that may be omitted: the person unsubscribed, or they count as delivered.
    required: dict[tuple[str, int], Queued] = field(default_factory=dict)
    optional: dict[tuple[str, int], Queued] = field(default_factory=dict)
    #: (person, issue) → the time of the first hand-over.
    handed: dict[tuple[str, int], datetime] = field(default_factory=dict)
    #: (person, newsletter, article) that need not arrive.
    excused: set[tuple[str, str, int]] = field(default_factory=set)
    #: Newsletter → articles that it sends some day; articles that alone make an issue; discarded ones.
    expected: dict[str, set[int]] = field(default_factory=dict)
    fresh: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    discarded: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Newsletter → articles that were its news once, or arrived while it was not in the settings.
    seen: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Newsletter → the note of its next issue; the faulty versions that an editor accepted for it.
    notes: dict[str, Note] = field(default_factory=lambda: defaultdict(Note))
    forced: dict[str, dict[int, int]] = field(default_factory=lambda: defaultdict(dict))
    #: Articles of cancelled issues, which may return.
    returned: set[int] = field(default_factory=set)
    #: The store after the last step.
    state: StoreState | None = None

    def begin_step(self) -> None:
        """Note the subscribers before a step."""
        self.step += 1
        self._claims: list[Attempt] = []
        self._mail: list[tuple[RecordedMail, set[str]]] = []
        self._before = copy.deepcopy(self.people)

    # -- called by the mail server ---------------------------------------------------------------

    def note_claim(self, attempt: Attempt) -> None:
        """Record a claim."""
        self._claims.append(attempt)

    def note_hand_over(self, attempt: Attempt) -> None:
        """Record the time of the first hand-over."""
        self.handed.setdefault((attempt.name, attempt.issue), attempt.at)

    def note_mail(self, mail: RecordedMail) -> None:
        """Record a message, with the newsletters that its recipient is mailed at this moment."""
        person = self.people[mail.attempt.name]
        self._mail.append((mail, {slug for slug in self.newsletters if person.is_mailed(slug)}))

    # -- called by the steps of people and editors -----------------------------------------------

    def end_mail(self, name: str, slugs: set[str]) -> None:
        """Note that a person is not mailed any more: what is still queued for them may be omitted."""
        for owner, issue_id in list(self.required):
            if owner == name and self.fixed[issue_id].row.digest in slugs:
                self.make_optional(owner, issue_id)

    def make_optional(self, name: str, issue_id: int) -> None:
        """Note that a delivery may be omitted."""
        queued = self.optional[name, issue_id] = self.required.pop((name, issue_id))
        self.excused |= {(name, slug, number) for slug in self.newsletters for number in queued.numbers}

    def move(self, name: str, zone: str | None, now: datetime, present: set[str]) -> None:
        """Note a person's time zone: open deliveries are due by it."""
        person = self.people[name]
        if zone in (None, person.zone):
            return
        person.zone = zone
        for (owner, issue_id), queued in [*self.required.items(), *self.optional.items()]:
            row = self.fixed[issue_id].row
            local = self.newsletters[row.digest].local_time
            opened_at = self.opened_at(issue_id, now)
            if owner != name or queued.due is None or local is None:
                continue
            if (
                row.digest not in present
                or max(row.slot, opened_at) < now - _RESCHEDULED
                or (name, issue_id) in self.handed
            ):
                # It keeps its time, or a retry has another one.
                queued.due = None
                continue
            due = due_time(row.slot, opened_at, local, zone)
            queued.due = max(due, now) if due is not None else None

    def opened_at(self, issue_id: int, default: datetime) -> datetime:
        seconds = self.fixed[issue_id].row.opened_at
        return datetime.fromtimestamp(seconds, UTC) if seconds is not None else default

    # -- after each step -------------------------------------------------------------------------

    def end_step(self, site: LifeSite, run: Run = Run.NONE, *, by_person: str = "", is_at_once: bool = False) -> None:
        """Compare the store with the model.

        Args:
            site: the site.
            run: which issues the step may fix and open without a person.
            by_person: the newsletter of which a person approved, reopened or cancelled an issue in this step.
            is_at_once: True if an approval of this step is to open at once.
        """
        before, self.state = self.state, read_state(site.kit)
        state = self.state
        touched = {by_person} | self._note_reopened(state, by_person)
        self._start_digests(site, state)
        touched |= {row.digest for row in state.rows.values() if row.id not in self.fixed}
        new = [row for row in state.rows.values() if row.id not in self.fixed]
        for row in new:
            self._note_fixed(site, state, row, run, by_person, is_at_once=is_at_once)
        self._check_slots(new, by_person)
        opened = [row for row in state.rows.values() if row.opened_at is not None and not self.fixed[row.id].is_open]
        self._check_openings(site, state, opened, run, by_person)
        self._note_discarded(state, by_person)
        self._check_variants(state)
        self._check_claims()
        for mail, slugs in self._mail:
            self._check_mail(site, mail, slugs)
        cancelled = [row for row in state.rows.values() if self._note_cancelled(row)]
        self._check_issues(state)
        if before is not None and not cancelled:
            self._check_pending(before, state, touched | {row.digest for row in opened})

    def _check_pending(self, before: StoreState, state: StoreState, touched: set[str]) -> None:
        """Assert that drafts consume nothing: neither articles nor how they are pending."""
        for slug in set(before.pending) - touched:
            left = state.pending.get(slug, {})
            changed = {number: row for number, row in before.pending[slug].items() if left.get(number) != row}
            assert not changed, f"the draft of {slug} has changed {changed} to {[left.get(one) for one in changed]}"

    def _check_issues(self, state: StoreState) -> None:
        rows = list(state.rows.values())
        assert len({(row.digest, row.slot) for row in rows}) == len(rows), "a slot was used twice"
        assert len({(row.digest, row.number) for row in rows}) == len(rows), "a number was used twice"
        carried: set[tuple[str, int]] = set()
        for known in self.fixed.values():
            pairs = {(known.row.digest, number) for number in known.versions}
            if not known.is_cancelled:
                twice = {pair for pair in carried & pairs if pair[1] not in self.returned}
                assert not twice, f"two issues have the same articles: {twice}"
                carried |= pairs

    def _note_reopened(self, state: StoreState, by_person: str) -> set[str]:
        reopened = set()
        for number in set(self.fixed) - set(state.rows):
            gone = self.fixed.pop(number)
            slug = gone.row.digest
            assert slug == by_person, f"{gone.row.path} has gone without a command"
            assert not gone.is_open, f"{gone.row.path} was reopened after its send had opened"
            others = [one.versions for one in self.fixed.values() if one.row.digest == slug]
            self.fresh[slug] |= gone.fresh - {number for versions in others for number in versions}
            self.notes[slug] = self.notes[slug].merged(gone.note)
            reopened.add(slug)
        return reopened

    def _start_digests(self, site: LifeSite, state: StoreState) -> None:
        """Note the articles of a newsletter that has begun in this step, and new ones of the others."""
        for slug, last in state.since.items():
            if slug not in self.expected:
                carried = [state.chosen[row.id] for row in state.rows.values() if row.digest == slug]
                first = {*state.pending.get(slug, {}), *(number for chosen in carried for number in chosen)}
                self.expected[slug], self.fresh[slug], self.seen[slug] = set(first), set(first), set(first)
            news = {number for seq, number in state.numbers.items() if seq > last} - self.seen[slug]
            self.seen[slug] |= news
            if slug in site.newsletters:
                self.expected[slug] |= news
                self.fresh[slug] |= news

    def _note_fixed(
        self, site: LifeSite, state: StoreState, row: IssueRow, run: Run, by_person: str, *, is_at_once: bool
    ) -> None:
        assert row.id > max(self.used_ids, default=0), f"the ID of {row.path} was used before"
        self.used_ids.add(row.id)
        self._check_number(row)
        newsletter = self.newsletters[row.digest]
        is_approved = row.digest == by_person
        versions = {number: self.stories[number].version for number in state.chosen[row.id]}
        if not is_approved:
            allowed = {Run.TICK: newsletter.opens_at_slot or newsletter.opens_with_news, Run.NONE: False}
            assert allowed.get(run, newsletter.opens_with_news), f"{row.path} was not approved"
            assert not newsletter.cadence or row.slot <= site.now, f"{row.path} was made before its slot"
            assert len(versions) >= newsletter.minimum, f"{row.path} has too few articles"
        shown = markers(state.variants[row.id][0].text.decode())
        assert shown == versions, f"{row.path} shows {shown}, not the current {versions}"
        assert not any(self.stories[number].is_withdrawn for number in versions)
        faulty = {number: version for number, version in versions.items() if self.stories[number].is_faulty}
        assert faulty in ({}, self.forced[row.digest]), f"{row.path} has errors that no editor accepted: {faulty}"
        note = self.notes.pop(row.digest, Note())
        assert note_marker(state.variants[row.id][0].text.decode()) == note.text, (
            f"the note of {row.path} is not {note}"
        )
        note.require_order(list(shown))
        news = {one for one in self.fresh[row.digest] if one in versions or self._is_out(one, max(row.slot, site.now))}
        self.fresh[row.digest] -= news
        self.fixed[row.id] = FixedIssue(
            row=row,
            step=self.step,
            versions=versions,
            settings=mail_settings(site.kit.site),
            variants=state.variants[row.id],
            note=note,
            fresh=news,
            is_at_once=(is_approved and is_at_once) or not newsletter.cadence,
        )

    def _check_number(self, row: IssueRow) -> None:
        """Assert that numbers have no gap but that of a reopened issue that a later one has overtaken."""
        others = [known for known in self.fixed.values() if known.row.digest == row.digest]
        before = [known.row.number for known in others if known.is_open or known.row.slot < row.slot]
        after = [known.row.number for known in others if known.row.number not in before]
        number = max(before, default=0) + 1
        if after and min(after) <= number:
            number = max(before + after) + 1
        assert row.number == number, f"{row.path} has the number {row.number}, not {number}"

    def _is_out(self, number: int, now: datetime) -> bool:
        return self.stories[number].is_out(now)

    def _check_slots(self, new: list[IssueRow], by_person: str) -> None:
        """Assert that a run makes one issue of a newsletter, or with catch_up = "all" one for each missed slot."""
        for slug in {row.digest for row in new} - {by_person}:
            slots = [row.slot for row in new if row.digest == slug]
            newsletter = self.newsletters[slug]
            assert len(slots) == 1 or newsletter.catch_up == "all", f"one run made {len(slots)} issues of {slug}"
            assert slots == sorted(slots), f"the missed slots of {slug} are not run oldest first: {slots}"
            for row in new:
                if row.digest == slug and row.slot < max(slots):
                    late = [one for one in self.fixed[row.id].versions if self.stories[one].published > row.slot]
                    assert not late, f"{row.path} has {late}, which were not out by then"

    def _note_discarded(self, state: StoreState, by_person: str) -> None:
        for slug in self.newsletters:
            now = state.skipped(slug, "discarded")
            assert now == self.discarded[slug] or slug == by_person, f"{now} of {slug} is discarded"
            self.discarded[slug] = now
            self.fresh[slug] -= state.skipped(slug)

    def _check_openings(
        self, site: LifeSite, state: StoreState, opened: list[IssueRow], run: Run, by_person: str
    ) -> None:
        """Assert that every subscriber gets exactly the articles that they follow and do not have."""
        for row in opened:
            self._check_opening(site, row, run, by_person)
        for name, person in self._before.items():
            check_person(self, name, person, opened, state.audiences)
        for row in opened:
            known, newsletter = self.fixed[row.id], self.newsletters[row.digest]
            known.is_open, known.row = True, row
            for name, numbers in state.audiences[row.id].items():
                zone, opened_at = self._before[name].zone, self.opened_at(row.id, site.now)
                due = due_time(row.slot, opened_at, newsletter.local_time, zone)
                self.required[name, row.id] = Queued(set(numbers), due)
            for name, person in self._before.items():
                missed = {one for one in known.versions if not person.follows(row.digest, self.stories[one])}
                self.excused |= {(name, row.digest, one) for one in missed}
            self.expected[row.digest] -= self.discarded[row.digest]
            self.discarded[row.digest] = set()
        for name, person in self.people.items():
            # People who unsubscribed while messages were sent.
            self.end_mail(name, {slug for slug in self.newsletters if not person.is_mailed(slug)})

    def _check_opening(self, site: LifeSite, row: IssueRow, run: Run, by_person: str) -> None:
        known, newsletter = self.fixed[row.id], self.newsletters[row.digest]
        if row.digest != by_person:
            assert run is Run.TICK or (run is Run.PUBLISH and newsletter.opens_with_news), f"{row.path} was opened"
            approved_at = datetime.fromtimestamp(known.row.approved_at or 0, UTC)
            assert site.now <= max(row.slot, approved_at) + _CATCH_UP, f"{row.path} was opened too late"
        assert known.is_at_once or row.slot <= site.now, f"{row.path} was opened before its slot"
        corrected = [one for one in known.versions if self.stories[one].corrected > known.step]
        assert not corrected, f"{row.path} was opened although {corrected} were corrected"
        withdrawn = known.withdrawn(self.stories)
        assert not withdrawn, f"{row.path} was opened with withdrawn articles {withdrawn}"

    def _check_variants(self, state: StoreState) -> None:
        for number, variants in state.variants.items():
            known = self.fixed[number]
            assert variants[: len(known.variants)] == known.variants, f"the text of {known.row.path} has changed"
            for variant in variants[len(known.variants) :]:
                shown = markers(variant.text.decode())
                assert shown.items() <= known.versions.items(), f"{known.row.path} shows {shown}, not {known.versions}"
            known.variants = variants

    def _note_cancelled(self, row: IssueRow) -> bool:
        """Return whether an issue was cancelled in this step."""
        known = self.fixed[row.id]
        if row.cancelled_at is None or known.is_cancelled:
            return False
        known.is_cancelled = True
        self.returned |= set(known.versions)
        assert self.state is not None
        for queued in (self.required, self.optional):
            for name, issue_id in list(queued):
                if issue_id == row.id and (name, issue_id) not in self.state.uncertain:
                    del queued[name, issue_id]
        for name, issue_id in [pair for pair in self.required if pair[1] == row.id]:
            self.make_optional(name, issue_id)
        return True

    # -- mail ------------------------------------------------------------------------------------

    def _check_claims(self) -> None:
        for claim in self._claims:
            slug = self.fixed[claim.issue].row.digest
            assert self._before[claim.name].is_mailed(slug), (
                f"{claim.name} is not subscribed to {slug}, and a sender claimed a delivery"
            )

    def _check_mail(self, site: LifeSite, mail: RecordedMail, slugs: set[str]) -> None:
        name, issue_id = mail.attempt.name, mail.attempt.issue
        known = self.fixed[issue_id]
        path = known.row.path
        assert known.row.digest in slugs, f"{name} was mailed {path} without a subscription"
        assert known.settings == mail_settings(site.kit.site), f"{path} was mailed under changed settings"
        assert known.row.digest in site.newsletters, f"{path} was mailed although its newsletter was taken out"
        withdrawn = known.withdrawn(self.stories)
        assert not withdrawn, f"{path} was mailed with withdrawn articles {withdrawn}"
        assert not known.is_cancelled, f"{path} was mailed after it was cancelled"
        queued = self.required.pop((name, issue_id), None) or self.optional.pop((name, issue_id), None)
        assert queued is not None, f"{name} was mailed {path} twice, or without a delivery"
        assert queued.due is None or queued.due <= mail.attempt.at, f"{name} was mailed {path} before {queued.due}"
        variant = known.variants[mail.variant - 1]
        require_same(mail.data, variant, self.handed[name, issue_id])
        assert set(markers(variant.text.decode())) == queued.numbers
        self.received[name] += [(known.row.digest, number) for number in sorted(queued.numbers)]

    def settle_uncertain(self, row: IssueRow) -> bool:
        """Note that uncertain deliveries of an issue count as delivered; return False if none of them has arrived."""
        assert self.state is not None
        names = {name for name, issue_id in self.state.uncertain if issue_id == row.id}
        waiting = {name for name in names if (name, row.id) in self.required or (name, row.id) in self.optional}
        if waiting == names:
            return False
        for name in waiting:
            if (name, row.id) in self.required:
                self.make_optional(name, row.id)
        return True

    def queued(self, deliveries: dict[tuple[str, int], Queued], name: str, slug: str) -> set[int]:
        """Return the articles of a person's deliveries, of one newsletter or of all."""
        return {
            number
            for (owner, issue_id), one in deliveries.items()
            for number in one.numbers
            if owner == name and slug in ("", self.fixed[issue_id].row.digest)
        }
