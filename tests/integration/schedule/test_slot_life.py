"""Claims of slots through random events: deaths, clock changes and suspension."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.schedule import store as slots
from publisher.schedule.claims import claim_due_slots
from publisher.storage.engine import Database
from tests.conftest import SiteKit
from tests.support.examples import examples
from tests.support.newsroom import DAY, Newsroom

EVENTS = st.one_of(
    st.tuples(st.just("turn"), st.integers(1, 2000)),
    st.tuples(st.just("dies"), st.integers(1, 2000)),
    st.tuples(st.just("jumps"), st.integers(-3000, 3000)),
    st.tuples(st.just("sleeps"), st.integers(1000, 4000)),
)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, min_size=4, max_size=14))
def test_any_sequence_of_events_runs_each_slot_once(
    tmp_path_factory: pytest.TempPathFactory, events: list[Any]
) -> None:
    """Time passes, runners die during a run, the clock is changed, the machine is suspended; then all recover."""
    room = Newsroom(SiteKit(tmp_path_factory.mktemp("life") / "site"), catch_up='"all"', catch_up_hours=24 * 31)
    room.configure(cadence='["0 7 * * *", "0 19 * * *"]')
    url = room.kit.site.database_url
    first = latest = room.clock.at
    done: list[datetime] = []
    with Database.open(url) as db:
        schedules = [one for one in room.kit.site.schedules if one.digest]

        def look(*, dies: bool) -> None:
            for claim in claim_due_slots(db, schedules, room.clock.now(), runner="x"):
                if not dies:
                    with db.write() as connection:
                        slots.finish_slot(connection, claim, room.clock.now())
                    done.append(claim.slot)

        look(dies=False)
        for what, minutes in events:
            room.clock.advance(minutes=minutes)
            if what in ("turn", "dies"):
                look(dies=what == "dies")
                latest = max(latest, room.clock.at)
        # In the end the clock is right, and a runner is active.
        room.clock.at = max(room.clock.at, latest, first) + timedelta(hours=13)
        for _ in range(2):
            look(dies=False)
            room.clock.advance(minutes=2)
        assert len(done) == len(set(done))
        # The clock may have been set back to before the timetable was taken up: then that counts from there.
        with db.read() as connection:
            since = min(first, slots.load_schedules(connection)["digest:daily"].effective_from)
        day, wanted = since.replace(hour=7, minute=0), set()
        while day <= room.clock.at:
            wanted |= {
                one for one in (day, day + timedelta(hours=12)) if first < one <= room.clock.at - timedelta(minutes=4)
            }
            day += DAY
        assert wanted <= set(done)
