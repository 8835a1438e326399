"""A model of the life of issues: who must get which article, who must not, and with which bytes."""

from __future__ import annotations

import copy
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage

from sqlalchemy import select

from publisher.digests import store as issues
from publisher.digests.draft_content import mail_settings
from publisher.digests.store import IssueRow
from publisher.digests.variants_store import load_variants
from publisher.model.digests import IssueVariant
from publisher.storage.engine import Database
from publisher.storage.tables.articles import article
from publisher.storage.tables.delivery import delivery
from publisher.storage.tables.digests import digest as digest_table
from publisher.storage.tables.digests import issue_draft, pending
from publisher.storage.tables.subscribers import subscriber
from tests.support.issue_life import DIGESTS, LifeSite, RecordedMail

__all__ = ["Model", "Person", "Story"]

_MARKER = re.compile(r"\bB(\d+)v(\d+)\b")
_PLACEHOLDER = re.compile(r"@@[a-z_]+\.[0-9a-f]{12}@@")
_RETRY = timedelta(days=10)


@dataclass
class Story:
    """An article."""

    topic: str
    published: datetime
    version: int = 1
    is_retracted: bool = False
    is_draft: bool = False
    #: The step of its last correction.
    corrected: int = -1

    @property
    def is_withdrawn(self) -> bool:
        return self.is_retracted or self.is_draft


@dataclass
class Person:
    """A subscriber."""

    digests: set[str]
    topic: str | None
    is_paused: bool = False
    is_suppressed: bool = False

    def follows(self, slug: str, story: Story) -> bool:
        """Return whether an issue of a newsletter with an article is for this person."""
        return self.is_mailed(slug) and self.topic in (None, story.topic)

    def is_mailed(self, slug: str) -> bool:
        return slug in self.digests and not self.is_paused and not self.is_suppressed


@dataclass
class _Fixed:
    """An issue as it was approved."""

    row: IssueRow
    step: int
    versions: dict[int, int]
    settings: dict[str, str]
    variants: list[IssueVariant]
    #: Articles that were pending as news before.
    fresh: set[int]
    #: True if it may open before its slot.
    is_at_once: bool
    is_open: bool = False
    is_cancelled: bool = False


@dataclass
class Model:
    """Follows the steps of a test, and asserts the promises to subscribers."""

    stories: dict[int, Story] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    step: int = 0
    fixed: dict[int, _Fixed] = field(default_factory=dict)
    #: IDs of all issues that ever were.
    used_ids: set[int] = field(default_factory=set)
    #: Person → (newsletter, article) of the mail that arrived.
    received: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    #: (person, issue) → articles of open deliveries; and of deliveries to people who left after the send opened.
    owed: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    lapsed: dict[tuple[str, int], set[int]] = field(default_factory=dict)
    #: (person, newsletter, article) that need not arrive.
    excused: set[tuple[str, str, int]] = field(default_factory=set)
    #: Newsletter → articles that it brings some day; articles that alone make an issue; discarded ones.
    expected: dict[str, set[int]] = field(default_factory=dict)
    fresh: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    discarded: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Newsletter → articles that arrived while it was not in the settings.
    absent: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))
    #: Articles of cancelled issues, which may return.
    returned: set[int] = field(default_factory=set)

    def begin_step(self) -> None:
        """Note the subscribers before a step."""
        self.step += 1
        self._mail: list[tuple[RecordedMail, set[str]]] = []
        self._before = copy.deepcopy(self.people)

    # -- called by the mail server ---------------------------------------------------------------

    def take_mail(self, mail: RecordedMail) -> None:
        """Record a message, with the newsletters that its recipient is mailed at this moment."""
        person = self.people[mail.name]
        self._mail.append((mail, {slug for slug in DIGESTS if person.is_mailed(slug)}))

    def leave(self, name: str, slugs: set[str]) -> None:
        """Note that a person is not mailed any more: what is still queued for them may be omitted."""
        for (owner, issue_id), numbers in list(self.owed.items()):
            if owner == name and self.fixed[issue_id].row.digest in slugs:
                self.lapsed[owner, issue_id] = self.owed.pop((owner, issue_id))
                self.excused |= {(name, slug, number) for slug in DIGESTS for number in numbers}

    # -- after each step -------------------------------------------------------------------------

    def end_step(self, site: LifeSite, *, by_person: str = "", is_at_once: bool = False, opens: bool = False) -> None:
        """Compare the store with the model.

        Args:
            site: the site.
            by_person: the newsletter of which a person approved, reopened or cancelled an issue in this step.
            is_at_once: True if an approval of this step is to open at once.
            opens: True if the step runs slots and opens sends.
        """
        with site.kit.open() as db:
            with db.read() as connection:
                rows = {row.id: row for row in issues.list_issues(connection)}
            self._note_reopened(rows, by_person)
            self._start_digests(db, site)
            for row in sorted(rows.values(), key=lambda row: row.id):
                if row.id not in self.fixed:
                    self._note_fixed(db, site, row, by_person, is_at_once=is_at_once, opens=opens)
            opened = [row for row in rows.values() if row.opened_at is not None and not self.fixed[row.id].is_open]
            self._check_openings(db, site, opened, by_person, opens=opens)
            self._note_discarded(db, by_person)
            self._check_variants(db, rows)
        for mail, slugs in self._mail:
            self._check_mail(site, mail, slugs)
        for row in rows.values():
            self._note_cancelled(row)
        self._check_issues(rows)

    def _check_issues(self, rows: dict[int, IssueRow]) -> None:
        assert len({(row.digest, row.slot) for row in rows.values()}) == len(rows), "a slot was used twice"
        assert len({(row.digest, row.number) for row in rows.values()}) == len(rows), "a number was used twice"
        kept = (one for one in self.fixed.values() if not one.is_cancelled)
        carried = Counter((one.row.digest, number) for one in kept for number in one.versions)
        twice = {pair for pair, count in carried.items() if count > 1 and pair[1] not in self.returned}
        assert not twice, f"two issues have the same articles: {twice}"

    def _note_reopened(self, rows: dict[int, IssueRow], by_person: str) -> None:
        for number in set(self.fixed) - set(rows):
            gone = self.fixed.pop(number)
            assert gone.row.digest == by_person, f"{gone.row.path} has gone without a command"
            assert not gone.is_open, f"{gone.row.path} was reopened after its send had opened"
            others = [one.versions for one in self.fixed.values() if one.row.digest == gone.row.digest]
            self.fresh[gone.row.digest] |= gone.fresh - {number for versions in others for number in versions}

    def _start_digests(self, db: Database, site: LifeSite) -> None:
        """Note which articles a newsletter brings that has begun in this step, and new ones of the others."""
        numbers = self.numbers(db)
        with db.read() as connection:
            since = dict(iter(connection.execute(select(digest_table.c.slug, digest_table.c.since_seq))))
            waiting = connection.execute(select(pending.c.digest, pending.c.article_seq)).all()
            carried = {
                (row.digest, seq)
                for row in issues.list_issues(connection)
                for seq in issues.issue_article_seqs(connection, row.id)
            }
        for slug, last in since.items():
            if slug not in self.expected:
                first = {numbers[seq] for one, seq in (*waiting, *carried) if one == slug}
                self.expected[slug], self.fresh[slug] = set(first), set(first)
            news = {number for seq, number in numbers.items() if seq > last} - self.expected[slug] - self.absent[slug]
            # What arrives while a newsletter is not in the settings is not its news.
            for known in (self.expected, self.fresh) if slug in site.digests else (self.absent,):
                known[slug] |= news

    @staticmethod
    def numbers(db: Database) -> dict[int, int]:
        """Return arrival number → number of each article."""
        with db.read() as connection:
            paths = connection.execute(select(article.c.seq, article.c.path))
            return {seq: int(path.partition("story-")[2].partition("-")[0]) for seq, path in paths}

    def _note_fixed(
        self, db: Database, site: LifeSite, row: IssueRow, by_person: str, *, is_at_once: bool, opens: bool
    ) -> None:
        assert row.id not in self.used_ids, f"the ID of {row.path} was used before"
        assert row.id > max(self.used_ids, default=0)
        self.used_ids.add(row.id)
        is_approved = row.digest == by_person
        assert is_approved or opens, f"{row.path} was fixed by a run that must not"
        assert is_approved or row.digest in ("daily", "archive", "again"), f"{row.path} was not approved"
        assert is_approved or row.slot <= site.now, f"{row.path} was made before its slot"
        numbers = self.numbers(db)
        with db.read() as connection:
            chosen = [numbers[seq] for seq in issues.issue_article_seqs(connection, row.id)]
            variants = list(load_variants(connection, row.id))
        versions = {number: self.stories[number].version for number in chosen}
        assert _markers(variants[0].text.decode()) == versions, "the approved text is not the current one"
        assert not any(self.stories[number].is_withdrawn for number in chosen)
        fresh, horizon = self.fresh[row.digest], max(row.slot, site.now)
        news = {one for one in fresh if one in versions or self._is_out(one, horizon)}
        self.fresh[row.digest] = fresh - news
        settings = mail_settings(site.kit.site)
        self.fixed[row.id] = _Fixed(row, self.step, versions, settings, variants, news, is_approved and is_at_once)

    def _is_out(self, number: int, now: datetime) -> bool:
        story = self.stories[number]
        return story.published <= now and not story.is_withdrawn

    def _note_discarded(self, db: Database, by_person: str) -> None:
        numbers = self.numbers(db)
        with db.read() as connection:
            query = select(pending.c.digest, pending.c.article_seq, pending.c.skip).where(pending.c.skip.is_not(None))
            skipped = connection.execute(query).all()
        for slug in DIGESTS:
            now = {numbers[seq] for one, seq, why in skipped if one == slug and why == "discarded"}
            assert now == self.discarded[slug] or slug == by_person, f"{now} of {slug} is discarded"
            self.discarded[slug] = now
        for slug, seq, _ in skipped:
            self.fresh[slug].discard(numbers[seq])

    def _check_openings(
        self, db: Database, site: LifeSite, opened: list[IssueRow], by_person: str, *, opens: bool
    ) -> None:
        """Assert that every subscriber gets exactly the articles that they follow and do not have."""
        got = {row.id: self._audience(db, row) for row in opened}
        for row in opened:
            assert opens or row.digest == by_person, f"{row.path} was opened by a run that must not"
            known = self.fixed[row.id]
            assert known.is_at_once or row.slot <= site.now, f"{row.path} was opened before its slot"
            corrected = [one for one in known.versions if self.stories[one].corrected > known.step]
            assert not corrected, f"{row.path} was opened although {corrected} were corrected"
        for name, person in self._before.items():
            self._check_person(name, person, opened, got)
        for row in opened:
            self.fixed[row.id].is_open = True
            self.owed |= {(name, row.id): set(numbers) for name, numbers in got[row.id].items()}
            for name, person in self._before.items():
                excused = {
                    one for one in self.fixed[row.id].versions if not person.follows(row.digest, self.stories[one])
                }
                self.excused |= {(name, row.digest, one) for one in excused}
            self.expected[row.digest] -= self.discarded[row.digest]
            self.discarded[row.digest] = set()
        for name, person in self.people.items():
            # People who left while messages were sent.
            self.leave(name, {slug for slug in DIGESTS if not person.is_mailed(slug)})

    def _audience(self, db: Database, row: IssueRow) -> dict[str, set[int]]:
        numbers = self.numbers(db)
        with db.read() as connection:
            variants = load_variants(connection, row.id)
            query = select(subscriber.c.address, delivery.c.variant).join(
                subscriber, subscriber.c.id == delivery.c.subscriber_id
            )
            rows = connection.execute(query.where(delivery.c.issue_id == row.id)).all()
        return {
            address.partition("@")[0]: {numbers[seq] for seq in variants[variant - 1].articles}
            for address, variant in rows
        }

    def _check_person(
        self, name: str, person: Person, opened: list[IssueRow], got: dict[int, dict[str, set[int]]]
    ) -> None:
        repeated: set[int] = set()
        brought: set[int] = set()
        followed: set[int] = set()
        for row in opened:
            wanted = {one for one in self.fixed[row.id].versions if person.follows(row.digest, self.stories[one])}
            wanted = wanted if row.digest != "archive" else set()
            gets = got[row.id].get(name, set())
            assert gets <= wanted, f"{name} gets {gets - wanted} of {row.path}, which is not for them"
            if row.digest == "again":
                has, may_have = self._has(name, "again"), self._may_have(name, "again")
                assert not gets & has, f"{name} gets {gets & has} again in {row.path}"
                assert wanted - has - may_have <= gets, f"{name} goes without {wanted - has - gets} of {row.path}"
                repeated |= gets
                continue
            assert not gets & (self._has(name) | brought), f"{name} gets {gets} again in {row.path}"
            brought |= gets
            followed |= wanted
        missed = followed - self._has(name) - self._may_have(name) - repeated - brought
        assert not missed, f"{name} goes without {missed} of {[row.path for row in opened]}"

    def _has(self, name: str, slug: str = "") -> set[int]:
        return {one for where, one in self.received[name] if where == slug or not slug} | self._queued(
            self.owed, name, slug
        )

    def _may_have(self, name: str, slug: str = "") -> set[int]:
        return self._queued(self.lapsed, name, slug)

    def _queued(self, queued: dict[tuple[str, int], set[int]], name: str, slug: str) -> set[int]:
        return {
            number
            for (owner, issue_id), numbers in queued.items()
            for number in numbers
            if owner == name and slug in ("", self.fixed[issue_id].row.digest)
        }

    def _check_variants(self, db: Database, rows: dict[int, IssueRow]) -> None:
        for number, row in rows.items():
            known = self.fixed[number]
            with db.read() as connection:
                variants = list(load_variants(connection, number))
            assert variants[: len(known.variants)] == known.variants, f"the text of {row.path} has changed"
            for variant in variants:
                shown = _markers(variant.text.decode())
                assert shown.items() <= known.versions.items(), f"{row.path} shows {shown}, not {known.versions}"
            known.variants = variants

    def _note_cancelled(self, row: IssueRow) -> None:
        known = self.fixed[row.id]
        if row.cancelled_at is not None and not known.is_cancelled:
            known.is_cancelled = True
            self.returned |= set(known.versions)
            for queued in (self.owed, self.lapsed):
                for owner, issue_id in list(queued):
                    if issue_id == row.id:
                        del queued[owner, issue_id]

    def _check_mail(self, site: LifeSite, mail: RecordedMail, slugs: set[str]) -> None:
        known = self.fixed[mail.issue]
        path = known.row.path
        assert known.row.digest in slugs, f"{mail.name} had left and was mailed {path}"
        assert known.settings == mail_settings(site.kit.site), f"{path} was mailed under changed settings"
        assert known.row.digest in site.digests, f"{path} was mailed although its newsletter was taken out"
        withdrawn = [number for number in known.versions if self.stories[number].is_withdrawn]
        assert not withdrawn, f"{path} was mailed with withdrawn articles {withdrawn}"
        assert not known.is_cancelled, f"{path} was mailed after it was cancelled"
        variant = known.variants[mail.variant - 1]
        message = message_from_bytes(mail.data, policy=policy.default)
        assert isinstance(message, EmailMessage)
        for kind, template in (("plain", variant.text), ("html", variant.html)):
            part = message.get_body((kind,))
            _assert_filled(template.decode(), part.get_content() if part else "")
        numbers = self.owed.pop((mail.name, mail.issue), None) or self.lapsed.pop((mail.name, mail.issue), None)
        assert numbers is not None, f"{mail.name} was mailed {known.row.path} twice, or without a delivery"
        assert set(_markers(variant.text.decode())) == numbers
        self.received[mail.name] += [(known.row.digest, number) for number in sorted(numbers)]

    # -- promises --------------------------------------------------------------------------------

    def check_drafts(self, site: LifeSite) -> None:
        """Assert that each newsletter with news has a draft, after a run that was not killed."""
        with site.kit.open() as db, db.read() as connection:
            slugs = list(connection.execute(select(issue_draft.c.digest)).scalars())
        assert len(slugs) == len(set(slugs))
        folders = {path.parent.name for path in (site.kit.root / "outbox").glob("*/next")}
        assert folders == set(slugs), f"outbox/ has {folders}, the store {slugs}"
        for slug in set(site.digests) & set(self.expected):
            news = {one for one in self.fresh[slug] if self._is_out(one, site.now)}
            assert not news or slug in slugs, f"{slug} has no draft, although {news} are new"

    def missing(self, now: datetime) -> Iterator[str]:
        """Yield what somebody should have and does not, once everything was sent."""
        for (name, issue_id), numbers in self.owed.items():
            opened_at = datetime.fromtimestamp(self.fixed[issue_id].row.opened_at or now.timestamp(), UTC)
            if now - opened_at < _RETRY:
                yield f"{name} has not got {numbers} of {self.fixed[issue_id].row.path}"
        for slug in set(self.expected) - {"archive"}:
            for name, person in self.people.items():
                arrived = {one for where, one in self.received[name] if slug != "again" or where == slug}
                has = arrived | self._queued(self.owed, name, "")
                for number in self.expected[slug] - self.discarded[slug] - has:
                    if person.follows(slug, self.stories[number]) and (name, slug, number) not in self.excused:
                        yield f"{name} follows {slug} and has not got {number}"


def _markers(text: str) -> dict[int, int]:
    return {int(number): int(version) for number, version in _MARKER.findall(text)}


def _assert_filled(template: str, text: str) -> None:
    """Assert that a text is a template with a value for each placeholder, and nothing else."""
    pieces = [re.escape(piece) for piece in _PLACEHOLDER.split(template.replace("\r\n", "\n").rstrip("\n"))]
    pattern = r"[^\s<>\"]+".join(pieces)
    assert re.fullmatch(pattern, text.replace("\r\n", "\n").rstrip("\n")), "what was mailed is not what was approved"
