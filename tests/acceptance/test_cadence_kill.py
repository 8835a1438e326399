"""Kill and stop three runners on one store at random moments, with one long outage: each slot has one issue.

``PUBLISHER_TEST_KILLS=500 python -m pytest -m slow tests/acceptance/test_cadence_kill.py`` runs long.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from publisher.digests import store
from publisher.schedule import store as slots
from tests.conftest import SiteKit
from tests.support.processes import Process
from tests.support.waiting import until

ROUNDS = int(os.environ.get("PUBLISHER_TEST_KILLS", "12")) // 2 or 1
#: A minute of the runners' clocks takes so many seconds.
MINUTE = 2.0
START = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
#: Of the runners' clocks.
LEASE, OUTAGE = 45, timedelta(minutes=40)


class Runners:
    """Three of them, on a clock that they share."""

    def __init__(self, kit: SiteKit) -> None:
        self.kit = kit
        self.epoch = time.time()
        self.start = START
        self.errors = (kit.root.parent / "runners.log").open("wb")
        self.alive = [self.begin() for _ in range(3)]

    def begin(self) -> Process:
        command = ["tests.support.clocks.runner", str(self.kit.root), self.start.isoformat(), repr(self.epoch)]
        return Process(*command, repr(60 / MINUTE), str(LEASE), stdout=self.errors, stderr=self.errors)

    def now(self) -> datetime:
        return self.start + timedelta(minutes=(time.time() - self.epoch) / MINUTE)

    def kill(self, place: int) -> None:
        self.alive[place].kill()
        self.alive[place].wait()
        self.alive[place] = self.begin()

    def stall(self, place: int, seconds: float) -> None:
        self.alive[place].send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self.alive[place].send_signal(signal.SIGCONT)

    def outage(self) -> tuple[datetime, datetime]:
        """Kill all, let time pass by, begin again; return from when to when nobody was there."""
        for one in self.alive:
            one.kill()
            one.wait()
        before = self.now()
        self.start, self.epoch = before + OUTAGE, time.time()
        self.alive = [self.begin() for _ in range(3)]
        return before, before + OUTAGE

    def end(self) -> None:
        for one in self.alive:
            one.send_signal(signal.SIGTERM)
        for one in self.alive:
            assert one.wait(30) == 0

    def close(self) -> None:
        """Kill the runners that are still alive."""
        for one in self.alive:
            one.kill()
            one.wait()
        self.errors.close()


def settings(kit: SiteKit) -> None:
    every_minute = 'cadence = "* * * * *"\nsend = "none"\n'
    daily = f'title = "The Daily"\n{every_minute}catch_up = "all"\n'
    text = (kit.root / "publisher.toml").read_text().replace('title = "The Daily"\n', daily)
    kit.settings(text + f'\n[digests.newest]\ntitle = "Newest"\n{every_minute}repeat = true\n')


@pytest.mark.slow(reason="three runners for half a minute, on a clock that goes 30 times as fast")
def test_three_runners_make_each_slot_once_through_kills_stalls_and_an_outage(any_kit: SiteKit) -> None:
    """Each slot before the last round has one issue, and of the outage the newest slot alone where it says so."""
    kit = any_kit
    settings(kit)
    # An article for each minute, so that there is something new for each slot.
    length = int(ROUNDS * 4 / MINUTE) + int(OUTAGE.total_seconds() / 60) + 60
    records = [START + timedelta(minutes=number) for number in range(length)]
    kit.write("all.jsonl", "".join(record(at) for at in records))
    with kit.open():
        pass
    chance = random.Random(len(str(kit.root)))
    with closing(Runners(kit)) as runners:
        time.sleep(3)
        for _ in range(ROUNDS):
            time.sleep(chance.uniform(0.2, 1.2))
            if chance.random() < 0.6:
                runners.kill(chance.randrange(3))
            else:
                # Past the lease.
                runners.stall(chance.randrange(3), LEASE * MINUTE / 60 * 2)
        time.sleep(2)
        down, up = runners.outage()
        time.sleep(6)
        settled = runners.now()
        # A slow machine has its time: what was due by then is to be done, and not at once.
        until(lambda: is_done(kit, settled), 300)
        runners.end()
    holds(kit, down, up, settled)


def is_done(kit: SiteKit, settled: datetime) -> bool:
    """Tell whether every slot before ``settled`` is done."""
    with kit.open() as db, db.read() as connection:
        newest = max((row.slot for row in store.list_issues(connection) if row.digest == "daily"), default=settled.min)
        runs = slots.recent_runs(connection, "digest:daily", 100_000)
    if newest.replace(tzinfo=UTC) <= settled - timedelta(minutes=2):
        return False
    return all(one.state == "done" for one in runs if one.slot < settled)


def holds(kit: SiteKit, down: datetime, up: datetime, settled: datetime) -> None:
    """Hold the promise against the store: what was due before ``settled`` is done by now."""
    minute = timedelta(minutes=1)
    with kit.open() as db, db.read() as connection:
        rows = store.list_issues(connection)
        runs = {name: slots.recent_runs(connection, f"digest:{name}", 100_000) for name in ("daily", "newest")}
        carried = {row.id: row.articles for row in rows}
    daily = sorted(row.slot for row in rows if row.digest == "daily")
    newest = sorted(row.slot for row in rows if row.digest == "newest")
    # Every slot has its issue, one each, with the article of its minute: also those of the outage.
    assert {other - one for one, other in itertools.pairwise(daily)} == {minute}
    assert daily[0] < down and daily[-1] > settled - 2 * minute
    first = min(row.id for row in rows if row.digest == "daily")
    assert {count for number, count in carried.items() if number in ids(rows, "daily") - {first}} == {1}
    assert [one for one in runs["daily"] if one.slot < settled and one.state != "done"] == []
    # Of the outage the newest alone.
    assert len(newest) == len(set(newest))
    missed = [slot for slot in newest if down + minute < slot <= up]
    assert len(missed) <= 1
    assert any(up - 2 * minute < slot for slot in newest)


def ids(rows: list[store.IssueRow], digest: str) -> set[int]:
    return {row.id for row in rows if row.digest == digest}


def record(at: datetime) -> str:
    import json

    return (
        json.dumps({"title": f"At {at:%H:%M}", "date": at.isoformat(), "body": "Text.", "id": f"at-{at:%d-%H%M}"})
        + "\n"
    )
