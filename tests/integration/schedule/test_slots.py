"""Claims of slots: each has one issue, through concurrent runners, crashes and clock changes."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from publisher.context import Context
from publisher.errors import SlotLost
from publisher.pipeline.due_issues import run_slot
from publisher.runner.background_job import JobStopped
from publisher.schedule import store as slots
from publisher.schedule.claims import LEASE, claim_due_slots, next_lease_end
from tests.conftest import SiteKit, issues
from tests.support.newsroom import SIX, Newsroom, slot
from tests.support.use_cases import load_status, run_due_slots


@pytest.fixture
def newsroom(any_kit: SiteKit) -> Newsroom:
    room = Newsroom(any_kit)
    room.turn()
    room.article()
    return room


def test_an_issue_is_made_at_its_slot_and_not_before(newsroom: Newsroom) -> None:
    """Subscribers would get an issue before its time, twice, or not at all."""
    assert newsroom.ran() == []
    newsroom.clock.at = slot(23) - timedelta(seconds=1)
    assert newsroom.ran() == []
    newsroom.clock.at = slot(23) + timedelta(seconds=2)
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]
    assert newsroom.ran() == []
    assert issues(newsroom.kit) == [["Article 1"]]
    # Nothing new: the slot is done without an issue, and the next one is as ever.
    newsroom.clock.at = slot(24)
    assert newsroom.ran() == [("digest:daily", 24, "nothing new")]
    newsroom.article()
    newsroom.clock.at = slot(25)
    assert newsroom.ran() == [("digest:daily", 25, "daily/2026-11-25T0700")]


def test_a_run_without_a_due_slot_does_nothing(newsroom: Newsroom) -> None:
    """A runner would read the whole site each time that it wakes."""
    with newsroom.kit.open() as db:
        newsroom.turn()
        assert run_due_slots(newsroom.kit.site, db, newsroom.clock, always=False) is None


@pytest.mark.postgresql
def test_one_of_many_runners_claims_a_slot(newsroom: Newsroom) -> None:
    """Two machines would make the same issue, and subscribers would get it twice."""
    newsroom.clock.at = slot(23)
    found: list[list[slots.ClaimedSlot]] = []
    ready = threading.Barrier(12)

    def attempt(number: int) -> None:
        with newsroom.kit.open() as db:
            ready.wait()
            found.append(claim_due_slots(db, newsroom.kit.site.schedules, newsroom.clock.now(), runner=str(number)))

    threads = [threading.Thread(target=attempt, args=(number,)) for number in range(12)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(Counter(claim.schedule for claims in found for claim in claims).items()) == [
        ("digest:daily", 1),
        ("feeds", 1),
    ]


@pytest.mark.postgresql
def test_an_expired_claim_of_a_dead_runner_is_taken_over(newsroom: Newsroom) -> None:
    """The issue of a machine that died would never be made."""
    newsroom.clock.at = slot(23)
    (claim,) = newsroom.claim()
    assert claim.attempt == 1
    with newsroom.kit.open() as db, db.read() as connection:
        assert next_lease_end(connection, newsroom.clock.now()) == slot(23) + LEASE
    newsroom.clock.advance(seconds=89)
    assert newsroom.ran() == []
    newsroom.clock.advance(seconds=1)
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]


@pytest.mark.postgresql
def test_a_claim_that_is_renewed_is_not_taken_over(newsroom: Newsroom) -> None:
    """A long run would be repeated by another machine while it is going on."""
    newsroom.clock.at = slot(23)
    (claim,) = newsroom.claim()
    newsroom.clock.advance(seconds=60)
    with newsroom.kit.open() as db, db.write() as connection:
        assert slots.renew_lease(connection, claim, newsroom.clock.now() + LEASE)
    newsroom.clock.advance(seconds=60)
    assert newsroom.ran() == []


def test_a_runner_whose_claim_expired_rolls_back(newsroom: Newsroom) -> None:
    """A machine that wakes from suspension would finish a slot that another one has run."""
    kit = newsroom.kit
    newsroom.turn()
    newsroom.clock.at = slot(23)
    (asleep,) = newsroom.claim()
    newsroom.clock.advance(minutes=2)
    (taken,) = newsroom.claim("another")
    assert taken.attempt == 2
    now = newsroom.clock.now()
    with kit.open() as db:
        context = Context(site=kit.site, db=db, now=now)
        with pytest.raises(SlotLost):
            run_slot(context, asleep, as_of=now)
        # What it did is stored, and done only once.
        assert len(load_status(kit.site, now).issues) == 1
        with db.write() as connection:
            assert not slots.renew_lease(connection, asleep, now + LEASE)
        run_slot(context, taken, as_of=now)
        with pytest.raises(SlotLost):
            run_slot(context, taken, as_of=now)
    assert len(load_status(kit.site, now).issues) == 1


@pytest.mark.parametrize(
    ("catch_up", "hours", "made"),
    [('"latest"', 24, [27]), ('"none"', 24, []), ('"all"', 72, [25, 26, 27]), ('"all"', 24, [27]), ('"latest"', 1, [])],
)
def test_missed_slots_run_as_catch_up_says(newsroom: Newsroom, catch_up: str, hours: int, made: list[int]) -> None:
    """After an outage subscribers would get old issues that the operator does not want, or lose wanted ones."""
    newsroom.configure(catch_up=catch_up, catch_up_hours=hours)
    newsroom.clock.at = slot(23)
    newsroom.turn()
    # Articles that were out at 08:00 on each of the days.
    for day in (23, 24, 25, 26):
        newsroom.kit.article(f"d{day}.md", title=f"Day {day}", date=f"2026-11-{day}T08:00:00Z")
    newsroom.clock.at = slot(27, 8) + timedelta(minutes=30)
    assert [day for _, day, _ in newsroom.ran()] == made
    assert newsroom.ran() == []
    carried = issues(newsroom.kit)[1:]
    if made == [27]:
        assert [sorted(one) for one in carried] == [["Day 23", "Day 24", "Day 25", "Day 26"]]
    if made == [25, 26, 27]:
        # Each carries what was out by its own time.
        assert [sorted(one) for one in carried] == [["Day 23", "Day 24"], ["Day 25"], ["Day 26"]]


def test_a_started_slot_that_became_too_old_is_skipped(newsroom: Newsroom) -> None:
    """Subscribers would get the news of the day before yesterday as today's issue."""
    newsroom.clock.at = slot(23)
    newsroom.claim()
    newsroom.clock.at = slot(25, 6)
    assert newsroom.ran() == [("digest:daily", 24, "daily/2026-11-24T0700")]
    assert newsroom.runs() == [(23, "skipped", "it was too late"), (24, "done", "daily/2026-11-24T0700")]


def test_a_clock_that_is_set_back_runs_no_slot_twice(newsroom: Newsroom) -> None:
    """A corrected clock would send subscribers yesterday's issue again."""
    newsroom.clock.at = slot(23)
    newsroom.turn()
    for hours in (-1, -25, -49):
        newsroom.clock.at = slot(23) + timedelta(hours=hours)
        newsroom.article()
        assert newsroom.ran() == []
    newsroom.clock.at = slot(23, 9)
    assert newsroom.ran() == []
    newsroom.clock.at = slot(24)
    assert newsroom.ran() == [("digest:daily", 24, "daily/2026-11-24T0700")]


def test_a_corrected_clock_loses_no_slot(newsroom: Newsroom) -> None:
    """After a wrong clock was corrected, subscribers would get no issue until the wrong date."""
    newsroom.clock.at = slot(25, 8)
    assert newsroom.ran() == [("digest:daily", 25, "daily/2026-11-25T0700")]
    newsroom.article()
    newsroom.clock.at = slot(23, 6)
    assert newsroom.ran() == []
    newsroom.clock.at = slot(23)
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]


def test_a_timetable_that_was_saved_in_the_future_counts_from_now(any_kit: SiteKit) -> None:
    """A site whose first run had a wrong clock would make no issue for years."""
    room = Newsroom(any_kit)
    room.clock.at = datetime(2031, 1, 1, tzinfo=UTC)
    room.turn()
    room.article()
    room.clock.at = SIX
    room.turn()
    room.clock.at = slot(23)
    assert room.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]


def test_an_edited_cadence_counts_from_its_edit(newsroom: Newsroom) -> None:
    """An operator who changes the time would at once send an issue for a time of the day that has passed."""
    newsroom.clock.at = slot(23)
    newsroom.turn()
    newsroom.article()
    newsroom.clock.at = slot(23, 12)
    # 09:00 is over, and was none of the old cadence's.
    newsroom.configure(cadence='"0 9,15 * * *"')
    assert newsroom.ran() == []
    newsroom.clock.at = slot(23, 15)
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T1500")]


def test_a_missed_slot_survives_an_edit_of_the_cadence_that_keeps_it(newsroom: Newsroom) -> None:
    """Subscribers would lose an issue because an operator added another time."""
    newsroom.clock.at = slot(23, 8)
    newsroom.configure(cadence='["0 7 * * *", "0 20 * * *"]', blackout='["2026-12-25"]')
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]


def test_a_removed_digest_has_no_slots_and_returns_as_a_new_one(newsroom: Newsroom) -> None:
    """A newsletter that returns would send an issue for a slot from before it was removed."""
    newsroom.clock.at = slot(23)
    newsroom.claim()
    newsroom.configure(cadence=None)
    newsroom.clock.advance(hours=1)
    assert newsroom.ran() == []
    assert newsroom.runs() == [(23, "skipped", "its schedule was removed")]
    newsroom.configure(cadence='"0 7 * * *"')
    assert newsroom.ran() == []
    newsroom.clock.at = slot(24)
    assert newsroom.ran() == [("digest:daily", 24, "daily/2026-11-24T0700")]


def test_a_manual_issue_of_the_same_minute_is_the_issue_of_the_slot(newsroom: Newsroom) -> None:
    """Subscribers would get two issues in one minute."""
    newsroom.clock.at = slot(23)
    newsroom.kit.open_issue(now=slot(23))
    newsroom.article()
    assert newsroom.ran() == [("digest:daily", 23, "it has an issue already")]
    assert issues(newsroom.kit) == [["Article 1"], ["Article 2"]]
    assert len(load_status(newsroom.kit.site, slot(23)).issues) == 1


def test_a_broken_digest_waits_and_the_others_are_published(newsroom: Newsroom) -> None:
    """A faulty template of one newsletter would stop the others, or be tried without a pause."""
    newsroom.base += '\n[digests.other]\ntitle = "The Other"\ncadence = "0 7 * * *"\n'
    newsroom.configure(subject='"{{ nobody.knows }}"')
    newsroom.turn()
    newsroom.clock.at = slot(23)
    report = newsroom.turn()
    assert report is not None and report.exit_status == 1
    failed = {one.schedule: one.is_failed for one in report.scheduled_runs}
    assert failed == {"feeds": False, "digest:daily": True, "digest:other": False}
    assert [one.where for one in report.rejected] == ["digests.daily"]
    assert len(issues(newsroom.kit, "other")) == 1
    # It is tried again after a minute, then after two.
    tried = []
    for _ in range(8):
        newsroom.clock.advance(seconds=30)
        again = newsroom.turn()
        assert again is not None
        tried.append(any(one.schedule == "digest:daily" for one in again.scheduled_runs))
    assert tried == [False, True, False, False, False, True, False, False]
    digest = load_status(newsroom.kit.site, newsroom.clock.now()).digests[0]
    assert digest.last is not None and digest.last.failures == 3 and "nobody" in digest.last.outcome
    newsroom.configure(subject='"Fixed"')
    newsroom.clock.advance(hours=1)
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]


def test_feeds_that_cannot_be_staged_delay_no_issue(newsroom: Newsroom) -> None:
    """Subscribers by mail would wait because a folder of feeds cannot be written."""
    for path in (newsroom.kit.root / "feeds").rglob("*"):
        path.unlink() if path.is_file() else None
    import shutil

    shutil.rmtree(newsroom.kit.root / "feeds")
    (newsroom.kit.root / "feeds").write_text("in the way")
    newsroom.clock.at = slot(23)
    report = newsroom.turn()
    assert report is not None and report.feeds_failed and report.exit_status == 1
    assert {one.schedule: one.is_failed for one in report.scheduled_runs} == {"feeds": True, "digest:daily": False}
    assert issues(newsroom.kit) == [["Article 1"]]
    (newsroom.kit.root / "feeds").unlink()
    newsroom.clock.advance(minutes=1)
    report = newsroom.turn()
    assert report is not None
    assert not report.feeds_failed and [one.schedule for one in report.scheduled_runs] == ["feeds"]
    assert (newsroom.kit.root / "feeds" / "all.rss").exists()


def test_a_stopped_runner_releases_its_slots_at_once(newsroom: Newsroom) -> None:
    """A restart of the service would delay the issue until its claim expires."""
    newsroom.clock.at = slot(23)

    def stop(label: str, done: int, total: int) -> None:
        raise JobStopped

    with pytest.raises(JobStopped):
        newsroom.turn(progress=stop)
    assert newsroom.ran() == [("digest:daily", 23, "daily/2026-11-23T0700")]


@pytest.mark.postgresql
def test_a_claim_is_renewed_during_a_long_run(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another machine would take over a slot whose run takes longer than a lease."""
    newsroom.clock.at = slot(23)
    renewed = threading.Event()
    real = slots.renew_lease

    def renew(*arguments: Any) -> bool:
        found = real(*arguments)
        renewed.set()
        return found

    monkeypatch.setattr(slots, "renew_lease", renew)

    def wait(label: str, done: int, total: int) -> None:
        assert renewed.wait(20)

    # A lease of 0.3 seconds on a clock that stands: only its renewal shows.
    assert newsroom.ran(progress=wait, lease=timedelta(seconds=0.3)) == [("digest:daily", 23, "daily/2026-11-23T0700")]


def test_a_newer_slot_waits_for_an_older_one_that_is_running(newsroom: Newsroom) -> None:
    """Issues would be made out of order, and the newer one would take the articles of the older one."""
    newsroom.configure(catch_up='"all"', catch_up_hours=72)
    newsroom.turn()
    newsroom.clock.at = slot(24) - timedelta(seconds=30)
    (older,) = newsroom.claim("asleep")
    assert older.slot == slot(23)
    newsroom.clock.at = slot(24)
    assert newsroom.claim("quick") == []
    newsroom.clock.advance(minutes=2)
    assert [(one.slot.day, one.attempt) for one in newsroom.claim("quick")] == [(23, 2), (24, 1)]


@pytest.mark.postgresql
def test_a_newer_slot_replaces_a_failed_older_one(newsroom: Newsroom) -> None:
    """After a repair subscribers would get the failed issue beside the current one."""
    newsroom.configure(subject='"{{ nobody.knows }}"', catch_up_hours=72)
    newsroom.turn()
    newsroom.clock.at = slot(23)
    newsroom.turn()
    newsroom.configure(subject='"Fixed"')
    newsroom.clock.at = slot(24)
    assert newsroom.ran() == [("digest:daily", 24, "daily/2026-11-24T0700")]
    assert newsroom.runs() == [(23, "skipped", "a newer slot replaced it"), (24, "done", "daily/2026-11-24T0700")]


def test_the_slot_of_an_issue_is_in_the_zone_of_the_cadence(any_kit: SiteKit) -> None:
    """Subscribers would get the morning issue at the local time of the server."""
    room = Newsroom(any_kit, zone='"America/New_York"')
    room.turn()
    room.article()
    room.clock.at = slot(23, 12)
    assert room.ran() == [("digest:daily", 23, "daily/2026-11-23T1200")]


def test_old_runs_are_deleted_except_the_newest(newsroom: Newsroom) -> None:
    """The table of runs would grow for ever, or status would not know the last run."""
    for day in (23, 24, 25):
        newsroom.clock.at = slot(day)
        newsroom.turn()
    with newsroom.kit.open() as db, db.write() as connection:
        assert slots.delete_old_runs(connection, slot(25)) == 4
        assert slots.delete_old_runs(connection, slot(30)) == 0
    assert newsroom.runs() == [(25, "done", "nothing new")]


# -- a life ----------------------------------------------------------------------------------------
