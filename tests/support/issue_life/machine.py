"""The base of the random steps: how one begins, how its result is compared, and how everything is sent at the end."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from publisher.digests.draft_content import mail_settings
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.model.delivery import UncertainPolicy
from publisher.pipeline.approve import ApprovalTime
from tests.conftest import SiteKit
from tests.support.issue_life.model import Model, Run
from tests.support.issue_life.newsletters import AFTER_SLOTS, NEWSLETTERS, Newsletter
from tests.support.issue_life.processes import CommitKill, SenderKill, SenderStep
from tests.support.issue_life.promises import check_drafts, missing
from tests.support.issue_life.records import Person, Story
from tests.support.issue_life.site import LifeSite

Kill = CommitKill | SenderKill | None
#: Another value of a setting that mail depends on.
OTHER_SETTINGS: Final = 'reply_to = "desk@review.example"\n'
NAMES: Final = ("ann", "ben", "cy", "dee")
TOPICS: Final = st.sampled_from(["Water", "Trade"])
ZONES: Final = st.sampled_from([None, "Pacific/Auckland", "Europe/London", "Pacific/Honolulu"])
_COMMIT_KILLS: Final = st.builds(CommitKill, st.integers(1, 9), st.booleans())
_SENDER_KILLS: Final = st.builds(SenderKill, st.integers(1, 3), st.sampled_from(list(SenderStep)))
KILLS: Final[st.SearchStrategy[Kill]] = st.one_of(st.none(), st.none(), st.none(), _COMMIT_KILLS, _SENDER_KILLS)
#: Newsletters of a site share all their articles: one omits what another one has sent.
_SLUGS: Final = st.tuples(
    st.sampled_from(
        [("weekly", "daily"), ("weekly", "again"), ("weekly", "flash"), ("daily", "extra"), ("daily", "flash")]
    ),
    st.sampled_from([None, None, "archive", "leaflet", "extra", "again"]),
).map(lambda slugs: sorted({*slugs[0], *([slugs[1]] if slugs[1] else [])}, key=list(NEWSLETTERS).index))


def _options(slug: str) -> st.SearchStrategy[Newsletter]:
    base = NEWSLETTERS[slug]
    return st.builds(
        replace,
        st.just(base),
        at_most=st.sampled_from([1, 2]),
        at_least=st.sampled_from([1, 1, 1, 2]),
        catch_up=st.sampled_from(["latest", "all", "none"] if base.cadence else ["latest"]),
        deliver_at=st.sampled_from(["", "", "07:30"] if base.is_mailed else [""]),
    )


_Step = TypeVar("_Step", bound=Callable[..., None])


@dataclass(frozen=True, slots=True)
class _Action:
    """How a kind of step is drawn."""

    #: Its share of the steps.
    weight: int
    #: False for steps that some sequences do without, so that others have more of the rest.
    is_in_each_sequence: bool
    is_possible: Callable[[Any], object]
    arguments: dict[str, st.SearchStrategy[Any]]


def action(
    weight: int = 1,
    *,
    always: bool = False,
    when: Callable[[Any], object] = lambda machine: True,
    **arguments: st.SearchStrategy[Any],
) -> Callable[[_Step], _Step]:
    """Make a method a kind of step; ``data`` is passed on, and the other arguments are drawn."""

    def decorate(step: _Step) -> _Step:
        vars(step)["action"] = _Action(weight, always, when, arguments)
        return step

    return decorate


_NEWSLETTERS: Final = _SLUGS.flatmap(lambda slugs: st.tuples(*map(_options, slugs)))


class LifeMachine(RuleBasedStateMachine):
    """After each step, the store, the outbox and the mail are compared with the model."""

    #: The address of a PostgreSQL database; empty for SQLite.
    database_url = ""

    @initialize(newsletters=_NEWSLETTERS, topic=TOPICS, data=st.data())
    def begin(self, newsletters: tuple[Newsletter, ...], topic: str, data: st.DataObject) -> None:
        self.folder = tempfile.TemporaryDirectory()
        chosen = {newsletter.slug: newsletter for newsletter in newsletters}
        #: The newsletters of the site, also those that are not in its settings at the moment.
        self.slugs = list(chosen)
        self.model = Model(dict(chosen), {name: Person() for name in NAMES})
        self.site = LifeSite(SiteKit(Path(self.folder.name) / "site"), chosen, self.model, self.database_url)
        self.has_failed = True
        self.write_new(topic, -1)
        self.begin_step()
        self.site.tick()
        for name in NAMES[:2]:
            person = self.model.people[name]
            person.digests, person.is_known = set(chosen), True
            self.site.add_person(name, self.slugs, None, None)
        self.model.end_step(self.site, Run.TICK)
        # More than an issue of most newsletters has room for.
        for kind in ("Water", "Trade"):
            self.write_new(kind, -1)
        self.publish()
        found = {name: getattr(getattr(type(self), name), "action", None) for name in dir(type(self))}
        # The cheapest one first: it is drawn where a failure needs no step.
        names = sorted((name for name, one in found.items() if one is not None), key=lambda name: name != "everything")
        actions: dict[str, _Action] = {name: found[name] for name in names}
        self.actions = {
            name: one
            for name, one in actions.items()
            if one.is_in_each_sequence or data.draw(st.booleans(), f"with {name}")
        }

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        possible = {name: one for name, one in self.actions.items() if one.is_possible(self)}
        name = data.draw(st.sampled_from([name for name, one in possible.items() for _ in range(one.weight)]), "step")
        strategies = possible[name].arguments
        drawn = {key: data if key == "data" else data.draw(one, key) for key, one in strategies.items()}
        getattr(self, name)(**drawn)

    def teardown(self) -> None:
        try:
            if not getattr(self, "has_failed", True):
                self.drain()
        finally:
            if hasattr(self, "site"):
                self.folder.cleanup()

    # -- helpers -----------------------------------------------------------------------------------

    def write(self, number: int) -> None:
        """Write the file of an article."""
        story = self.model.stories[number]
        fields = {"topic": story.topic, **({"draft": "true"} if story.is_draft else {})}
        self.site.write_article(number, story.title(number), story.body(number), story.published, fields)

    def write_new(self, topic: str, hours: float, *, is_draft: bool = False, is_faulty: bool = False) -> int:
        """Write an article that is published in some hours."""
        number = len(self.model.stories)
        published = self.site.now + timedelta(hours=hours)
        self.model.stories[number] = Story(topic, published, is_draft=is_draft, is_faulty=is_faulty)
        self.write(number)
        return number

    def begin_step(self) -> None:
        """Note the state before a command."""
        self.site.advance(timedelta(seconds=2))
        self.model.begin_step()

    def run_step(
        self,
        command: Callable[[], object],
        kill: Kill = None,
        *,
        run: Run = Run.NONE,
        by_person: str = "",
        is_at_once: bool = False,
    ) -> bool:
        """Call a command, again if it was killed, and compare; return whether it was not refused."""
        self.has_failed = True
        self.site.attempt(command, kill)
        if self.site.refusal == "killed":
            self.site.attempt(command)
        self.model.end_step(self.site, run, by_person=by_person, is_at_once=is_at_once)
        self.has_failed = False
        return not self.site.refusal

    def publish(self, kill: Kill = None) -> None:
        """Do the work of ``publish now``."""
        self.begin_step()
        self.run_step(self._checked_publish, kill, run=Run.PUBLISH)
        self.has_failed = True
        check_drafts(self.model, self.site)
        self.has_failed = False

    def _checked_publish(self) -> None:
        report = self.site.publish()
        assert not report.rejected, report.rejected

    def tick(self, kill: Kill = None) -> None:
        """Do the work of ``publish tick``."""
        self.begin_step()
        self.run_step(self._checked_tick, kill, run=Run.TICK)

    def _checked_tick(self) -> None:
        report = self.site.tick()
        assert not report.rejected, report.rejected

    def issues(self) -> list[IssueRow]:
        """Return the issues after the last step."""
        assert self.model.state is not None
        return list(self.model.state.rows.values())

    def drafts(self) -> dict[str, IssueDraft]:
        """Return the drafts after the last step."""
        assert self.model.state is not None
        return dict(self.model.state.drafts)

    def draw_issue(self, data: st.DataObject, rows: list[IssueRow]) -> IssueRow:
        """Draw an issue."""
        by_path = {row.path: row for row in rows}
        return by_path[data.draw(st.sampled_from(sorted(by_path)), "issue")]

    def draw_slug(self, data: st.DataObject) -> str:
        """Draw a newsletter."""
        return data.draw(st.sampled_from(self.slugs), "newsletter")

    def draw_story(self, data: st.DataObject, numbers: set[int] | None = None) -> int:
        """Draw an article."""
        return data.draw(st.sampled_from(sorted(self.model.stories if numbers is None else numbers)), "article")

    def until_slots(self) -> timedelta:
        """Return the time until the slots of the next day have come."""
        midnight = self.site.now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1) + AFTER_SLOTS - self.site.now

    def settle_uncertain(self, row: IssueRow, kill: Kill = None) -> None:
        """Decide about the uncertain deliveries of an issue, as an operator who reads the log of the mail server."""
        self.begin_step()
        policy = UncertainPolicy.SKIP if self.model.settle_uncertain(row) else UncertainPolicy.RESEND
        self.run_step(lambda: self.site.send(row.path, uncertain=policy), kill, by_person=row.digest)

    # -- the end -----------------------------------------------------------------------------------

    def drain(self) -> None:
        """Undo all that holds issues, send everything, and assert that every subscriber has each article."""
        self._release()
        for _ in range(2):
            # Past a slot of every newsletter: on a Monday.
            self.site.advance(timedelta(days=6 - self.site.now.weekday()))
            self.site.advance(self.until_slots())
            self.write_new("Water", 0)
            self.tick()
            for row in reversed([row for row in self.issues() if row.is_waiting]):
                self.begin_step()
                self.run_step(partial(self.site.reopen, row.path), by_person=row.digest)
            for slug in self.slugs:
                if self.model.newsletters[slug].send == "review":
                    self.begin_step()
                    command = partial(self.site.approve, slug, time=ApprovalTime.NOW)
                    self.run_step(command, by_person=slug, is_at_once=True)
        # Past the local times of all time zones.
        self.site.advance(timedelta(hours=26))
        self.tick()
        missed = list(missing(self.model, self.site.now))
        assert not missed, missed

    def _release(self) -> None:
        whole = {
            slug: replace(newsletter, at_most=90, at_least=1, catch_up="latest")
            for slug, newsletter in self.model.newsletters.items()
        }
        self.model.newsletters.update(whole)
        self.site.newsletters.clear()
        self.site.newsletters.update(whole)
        self.site.write_settings()
        for number, story in self.model.stories.items():
            if story.is_draft or story.is_faulty:
                story.version += story.is_faulty
                story.is_draft = story.is_faulty = False
                self.write(number)
        self.publish()
        for number, story in self.model.stories.items():
            if story.is_retracted:
                self.begin_step()
                story.is_retracted = False
                self.run_step(partial(self.site.reinstate, number))
        for row in self.issues():
            if row.is_paused:
                self.site.pause_issue(row.path, is_paused=False)
        assert self.model.state is not None
        for number in {issue_id for _, issue_id in self.model.state.uncertain}:
            if not self.model.fixed[number].is_cancelled:
                self.settle_uncertain(self.model.fixed[number].row)
        self._send_under_all_settings()

    def _send_under_all_settings(self) -> None:
        """Send what was approved under other settings: it is held under these."""
        for settings in (OTHER_SETTINGS, ""):
            self.site.mail_settings = settings
            self.site.write_settings()
            current = mail_settings(self.site.kit.site)
            if any(self.model.fixed[issue_id].settings == current for _, issue_id in self.model.required):
                self.site.advance(timedelta(hours=26))
                self.tick()
