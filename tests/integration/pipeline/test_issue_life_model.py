"""Random steps of editors, subscribers, runs and kills: every subscriber gets each article once, as it was approved."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.pipeline.approve import ApprovalTime
from tests.conftest import SiteKit
from tests.support.examples import examples
from tests.support.issue_life import DIGESTS, Kill, LifeSite, RecordedMail
from tests.support.issue_model import Model, Person, Story
from tests.support.use_cases import (
    approve,
    cancel,
    correct,
    discard,
    pause,
    reinstate,
    reopen,
    resume,
    retract,
    undo_discard,
)

NAMES = ("ann", "ben", "cy", "dee")
TOPICS = st.sampled_from(["Water", "Trade"])
SLUGS = st.sampled_from(sorted(DIGESTS))
SUBSCRIPTIONS = st.sets(SLUGS, min_size=1)
KILLS = st.none() | st.none() | st.builds(Kill, st.integers(1, 9), st.booleans())
TIMES = st.sampled_from([ApprovalTime.SLOT, ApprovalTime.SLOT, ApprovalTime.NOW, ApprovalTime.OUT_OF_TURN])
SPANS = st.sampled_from([timedelta(hours=1), timedelta(hours=7), timedelta(hours=26), timedelta(days=2)])


class IssueLife(RuleBasedStateMachine):
    """Each rule is a step; after each, the store, the outbox and the mail are compared with the model."""

    @initialize(count=st.integers(1, 3), topic=TOPICS)
    def begin(self, count: int, topic: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.model = Model(people={name: Person(set(), None) for name in NAMES})
        #: People whom the site knows.
        self.known = set(NAMES[:2])
        self.site = LifeSite(SiteKit(Path(self.folder.name) / "site"), self.model.take_mail)
        self.has_failed = True
        for _ in range(count):
            self.write(len(self.model.stories), Story(topic, self.site.now - timedelta(hours=1)))
        self.begin_step()
        self.site.tick()
        for name in NAMES[:2]:
            self.model.people[name] = Person(set(DIGESTS), None)
            self.site.add_person(name, sorted(DIGESTS), None)
        self.model.end_step(self.site, opens=True)
        self.has_failed = False

    def teardown(self) -> None:
        try:
            if not getattr(self, "has_failed", True):
                self.drain()
        finally:
            if hasattr(self, "site"):
                self.site.close()
                self.folder.cleanup()

    # -- helpers -----------------------------------------------------------------------------------

    def write(self, number: int, story: Story) -> None:
        self.model.stories[number] = story
        self.site.write_story(number, story.version, story.topic, story.published, is_draft=story.is_draft)

    def run_step(
        self,
        command: Callable[[], object],
        kill: Kill | None = None,
        *,
        by_person: str = "",
        is_at_once: bool = False,
        opens: bool = False,
    ) -> None:
        """Call a command, again if it was killed, and compare."""
        self.has_failed = True
        self.site.attempt(command, kill)
        if self.site.refusal == "killed":
            self.site.attempt(command)
        self.model.end_step(self.site, by_person=by_person, is_at_once=is_at_once, opens=opens)
        self.has_failed = False

    def begin_step(self) -> None:
        self.site.advance(timedelta(seconds=2))
        self.model.begin_step()

    def publish(self, kill: Kill | None = None) -> None:
        self.begin_step()
        self.run_step(self.checked_publish, kill)
        self.has_failed = True
        self.model.check_drafts(self.site)
        self.has_failed = False

    def checked_publish(self) -> None:
        report = self.site.publish()
        assert not report.rejected, report.rejected
        assert not report.opened

    def tick(self, kill: Kill | None = None) -> None:
        self.begin_step()
        self.run_step(self.checked_tick, kill, opens=True)

    def checked_tick(self) -> None:
        report = self.site.tick()
        assert not report.rejected, report.rejected

    def issues(self) -> list[IssueRow]:
        with self.site.kit.open() as db, db.read() as connection:
            return list(issues.list_issues(connection))

    def draw_issue(self, data: st.DataObject, rows: list[IssueRow]) -> IssueRow:
        by_path = {row.path: row for row in rows}
        return by_path[data.draw(st.sampled_from(sorted(by_path)))]

    def drafts(self) -> dict[str, IssueDraft]:
        with self.site.kit.open() as db, db.read() as connection:
            return {draft.digest: draft for draft in drafts.list_drafts(connection)}

    # -- articles ----------------------------------------------------------------------------------

    @rule(topic=TOPICS, hours=st.sampled_from([-1, -1, -1, 5, 30]), is_draft=st.integers(0, 5), kill=KILLS)
    def articles(self, topic: str, hours: int, is_draft: int, kill: Kill | None) -> None:
        for _ in range(2):
            story = Story(topic, self.site.now + timedelta(hours=hours), is_draft=not is_draft)
            self.write(len(self.model.stories), story)
        self.publish(kill)

    @rule(data=st.data(), becomes_draft=st.booleans(), kill=KILLS)
    def an_edit(self, data: st.DataObject, becomes_draft: bool, kill: Kill | None) -> None:
        number = data.draw(st.sampled_from(sorted(self.model.stories)))
        story = self.model.stories[number]
        story.version += 1
        story.is_draft = becomes_draft and not story.is_draft
        self.write(number, story)
        self.publish(kill)

    @rule(data=st.data(), kill=KILLS)
    def a_correction(self, data: st.DataObject, kill: Kill | None) -> None:
        known = self.model.stories
        out = [one for one, story in known.items() if not story.is_withdrawn and story.published <= self.site.now]
        if not out:
            return
        number = data.draw(st.sampled_from(sorted(out)))
        self.begin_step()
        known[number].corrected = self.model.step
        self.run_step(lambda: correct(self.site.kit.site, self.site.now, f"{number}.md", "A note."), kill)

    @rule(data=st.data(), kill=KILLS)
    def a_retraction_or_its_undoing(self, data: st.DataObject, kill: Kill | None) -> None:
        known = self.model.stories
        number = data.draw(st.sampled_from(sorted(one for one, story in known.items() if not story.is_draft) or [-1]))
        if number < 0:
            return
        self.begin_step()
        site, now, name = self.site.kit.site, self.site.now, f"{number}.md"
        if known[number].is_retracted:
            self.run_step(lambda: reinstate(site, now, name), kill)
        else:
            self.run_step(lambda: retract(site, now, name, "A reason."), kill)
        known[number].is_retracted = not known[number].is_retracted

    # -- people ------------------------------------------------------------------------------------

    @rule(name=st.sampled_from(NAMES), chosen=SUBSCRIPTIONS, topic=st.none() | TOPICS)
    def preferences(self, name: str, chosen: set[str], topic: str | None) -> None:
        person, available = self.model.people[name], set(self.site.digests)
        chosen &= available
        if person.is_suppressed or not (chosen or name in self.known):
            return
        self.site.advance(timedelta(seconds=2))
        save = self.site.save_preferences if name in self.known else self.site.add_person
        save(name, sorted(chosen), topic)
        self.known.add(name)
        self.model.leave(name, (person.digests & available) - chosen)
        person.digests, person.topic = chosen | (person.digests - available), topic

    @rule(topic=TOPICS)
    def somebody_unsubscribes_while_messages_are_sent(self, topic: str) -> None:
        """After the first message of a run, the next recipient of that issue unsubscribes."""
        self.write(len(self.model.stories), Story(topic, self.site.now))
        self.site.advance(timedelta(hours=26))
        self.site.after_message = self.unsubscribe_next
        self.tick()
        self.site.after_message = lambda mail: None

    def unsubscribe_next(self, mail: RecordedMail) -> None:
        slug = next(row.digest for row in self.issues() if row.id == mail.issue)
        later = [name for name, person in self.model.people.items() if name > mail.name and person.is_mailed(slug)]
        if later:
            person = self.model.people[min(later)]
            self.site.save_preferences(
                min(later), sorted((person.digests - {slug}) & set(self.site.digests)), person.topic
            )
            person.digests.discard(slug)
            self.site.after_message = lambda mail: None

    @rule(name=st.sampled_from(NAMES))
    def a_pause_of_mail(self, name: str) -> None:
        person = self.model.people[name]
        if name not in self.known or person.is_suppressed:
            return
        self.site.pause_person(name, is_paused=not person.is_paused)
        person.is_paused = not person.is_paused
        if person.is_paused:
            self.model.leave(name, set(DIGESTS))

    @rule(name=st.sampled_from(NAMES), is_rare=st.integers(0, 3))
    def a_suppression(self, name: str, is_rare: int) -> None:
        if name not in self.known or is_rare:
            return
        self.site.suppress_person(name)
        self.model.people[name].is_suppressed = True
        self.model.leave(name, set(DIGESTS))

    # -- editors -----------------------------------------------------------------------------------

    @rule(slug=SLUGS, time=TIMES, kill=KILLS)
    def an_approval(self, slug: str, time: ApprovalTime, kill: Kill | None) -> None:
        self.begin_step()
        is_at_once = time is not ApprovalTime.SLOT
        self.run_step(
            lambda: approve(self.site.kit.site, slug, self.site.now, time=time),
            kill,
            by_person=slug,
            is_at_once=is_at_once,
        )

    @precondition(lambda self: self.drafts())
    @rule(data=st.data(), is_edited=st.booleans())
    def an_approval_of_a_version_that_was_seen(self, data: st.DataObject, is_edited: bool) -> None:
        slug = data.draw(st.sampled_from(sorted(self.drafts())))
        if slug not in self.site.digests:
            return
        self.publish()
        seen = self.drafts().get(slug)
        if seen is None:
            return
        with self.site.kit.open() as db:
            numbers = self.model.numbers(db)
        if is_edited:
            number = numbers[seen.articles[0]]
            self.model.stories[number].version += 1
            self.write(number, self.model.stories[number])
        self.begin_step()
        before = len(self.issues())
        self.run_step(lambda: approve(self.site.kit.site, slug, self.site.now, expect=seen.hash), by_person=slug)
        assert not is_edited or len(self.issues()) == before, "a version that nobody had seen was approved"
        if not is_edited:
            assert "any more" not in self.site.refusal, self.site.refusal

    @rule(data=st.data(), kill=KILLS)
    def a_reopening(self, data: st.DataObject, kill: Kill | None) -> None:
        waiting = [row for row in self.issues() if row.is_waiting]
        if not waiting:
            return
        row = self.draw_issue(data, waiting)
        target = data.draw(st.sampled_from([row.digest, row.path]))
        self.begin_step()
        reopened = self.site.kit.site
        self.run_step(lambda: reopen(reopened, row.path if kill else target, self.site.now), kill, by_person=row.digest)
        self.publish()

    @rule(slug=SLUGS, how=st.sampled_from(["discard", "discard", "later", "undo"]), kill=KILLS)
    def a_discarded_draft(self, slug: str, how: str, kill: Kill | None) -> None:
        self.begin_step()
        site, now = self.site.kit.site, self.site.now
        if how == "undo":
            self.run_step(lambda: undo_discard(site, slug, now), kill, by_person=slug)
        else:
            self.run_step(lambda: discard(site, slug, now, until_next=how == "later"), kill, by_person=slug)
        self.publish()

    @rule(data=st.data(), count=st.integers(0, 2), kill=KILLS)
    def a_cancelled_send(self, data: st.DataObject, count: int, kill: Kill | None) -> None:
        opened = [row for row in self.issues() if row.opened_at is not None and row.cancelled_at is None]
        if not opened:
            return
        row = self.draw_issue(data, opened)
        self.begin_step()
        self.run_step(lambda: self.site.send(row.path, limit=count), by_person=row.digest)
        self.begin_step()
        self.run_step(lambda: cancel(self.site.kit.site, row.path, self.site.now), kill, by_person=row.digest)

    @rule(data=st.data())
    def a_pause_of_an_issue(self, data: st.DataObject) -> None:
        rows = self.issues()
        if not rows:
            return
        row = self.draw_issue(data, rows)
        self.begin_step()
        self.run_step(lambda: (resume if row.is_paused else pause)(self.site.kit.site, row.path))

    # -- settings, runs and time -------------------------------------------------------------------

    @rule()
    def another_mail_setting_or_the_old_one(self) -> None:
        self.site.mail_settings = "" if self.site.mail_settings else 'reply_to = "desk@review.example"\n'
        self.site.write_settings()
        self.publish()

    @rule(slug=SLUGS)
    def a_newsletter_taken_out_or_put_back(self, slug: str) -> None:
        if slug in self.site.digests:
            del self.site.digests[slug]
        else:
            self.site.digests[slug] = DIGESTS[slug]
        self.site.write_settings()
        self.publish()

    @rule(kill=KILLS)
    def publish_now(self, kill: Kill | None) -> None:
        self.publish(kill)
        staged = self.site.kit.staged()
        report = self.site.publish()
        assert not report.changed
        assert self.site.kit.staged() == staged

    @rule(span=SPANS, kill=KILLS, deferred=st.sets(st.sampled_from(NAMES), max_size=1))
    def a_later_tick(self, span: timedelta, kill: Kill | None, deferred: set[str]) -> None:
        self.site.advance(span)
        self.site.deferred = deferred
        self.tick(kill)
        self.site.deferred = set()

    @rule(data=st.data(), kill=KILLS)
    def a_send(self, data: st.DataObject, kill: Kill | None) -> None:
        rows = [row for row in self.issues() if row.cancelled_at is None]
        if not rows:
            return
        row = self.draw_issue(data, rows)
        self.begin_step()
        self.run_step(
            lambda: self.site.send(row.path, limit=data.draw(st.sampled_from([1, None]))), kill, by_person=row.digest
        )

    # -- the end -----------------------------------------------------------------------------------

    def drain(self) -> None:  # noqa: C901 - one loop for each kind of hold
        """Undo all that holds issues, send everything, and assert that nobody goes without an article."""
        self.site.digests = {slug: re.sub("at_most = [12]", "at_most = 90", text) for slug, text in DIGESTS.items()}
        self.site.mail_settings = ""
        self.site.write_settings()
        for number, story in self.model.stories.items():
            if story.is_draft:
                story.is_draft = False
                self.write(number, story)
        self.publish()
        for number, story in self.model.stories.items():
            if story.is_retracted:
                self.begin_step()
                story.is_retracted = False
                self.run_step(lambda number=number: reinstate(self.site.kit.site, self.site.now, f"{number}.md"))
        for row in self.issues():
            if row.is_paused:
                resume(self.site.kit.site, row.path)
        for _ in range(2):
            # Past a slot of every newsletter: Monday at 08:30.
            midnight = self.site.now.replace(hour=0, minute=0, second=0)
            self.site.clock.at = midnight + timedelta(days=7 - midnight.weekday(), hours=8.5)
            self.write(len(self.model.stories), Story("Water", self.site.now))
            self.tick()
            for row in self.issues():
                if row.is_waiting:
                    self.begin_step()
                    self.run_step(
                        lambda row=row: reopen(self.site.kit.site, row.path, self.site.now), by_person=row.digest
                    )
            for slug in ("weekly", "extra"):
                self.begin_step()
                self.run_step(
                    lambda slug=slug: approve(self.site.kit.site, slug, self.site.now, time=ApprovalTime.NOW),
                    by_person=slug,
                    is_at_once=True,
                )
            self.tick()
        missing = list(self.model.missing(self.site.now))
        assert not missing, missing


IssueLife.TestCase.settings = settings(
    max_examples=examples(10), stateful_step_count=20, deadline=None, derandomize=True
)
TestIssueLife = pytest.mark.timeout(1800)(IssueLife.TestCase)
