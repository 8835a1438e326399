"""A site whose newsletter has a daily slot, and the runners that look at it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from publisher.model.report import PublishResult
from publisher.schedule import store as slots
from publisher.schedule.claims import LEASE, claim_due_slots
from tests.conftest import SiteKit
from tests.support.clocks import ManualClock
from tests.support.use_cases import run_due_slots

# A Monday; the cadence is 07:00 each day.
SIX = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)


DAY = timedelta(days=1)


def slot(day: int, hour: int = 7) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


class Newsroom:
    """A site whose digest comes at 07:00 each day, and runners that look at it."""

    def __init__(self, kit: SiteKit, **options: Any) -> None:
        self.kit = kit
        self.clock = ManualClock(SIX)
        # Issues that no mail is sent: they need no subscribers.
        self.options = {"cadence": '"0 7 * * *"', "send": '"none"', "catch_up": '"latest"', **options}
        self.base = (kit.root / "publisher.toml").read_text()
        self.configure()
        self.count = 0

    def configure(self, **options: Any) -> None:
        self.options |= options
        lines = "".join(f"{key} = {value}\n" for key, value in self.options.items() if value is not None)
        self.kit.settings(self.base.replace('title = "The Daily"\n', f'title = "The Daily"\n{lines}'))

    def article(self, **fields: Any) -> None:
        self.count += 1
        # News: not dated long before it is read.
        date = f"{min(self.clock.at, slot(23)) - timedelta(days=5):%Y-%m-%d}"
        self.kit.article(f"a{self.count}.md", title=f"Article {self.count}", date=date, **fields)

    def turn(self, **options: Any) -> PublishResult | None:
        with self.kit.open() as db:
            return run_due_slots(self.kit.site, db, self.clock, always=True, **options)

    def ran(self, **options: Any) -> list[tuple[str, int, str]]:
        report = self.turn(**options)
        assert report is not None
        return [(one.schedule, one.slot.day, one.outcome) for one in report.scheduled_runs if one.schedule != "feeds"]

    def claim(self, runner: str = "other", lease: timedelta = LEASE) -> list[slots.ClaimedSlot]:
        with self.kit.open() as db:
            found = claim_due_slots(db, self.kit.site.schedules, self.clock.now(), runner=runner, lease=lease)
        return [one for one in found if one.schedule != "feeds"]

    def runs(self, name: str = "digest:daily") -> list[tuple[int, str, str]]:
        with self.kit.open() as db, db.read() as connection:
            return [(one.slot.day, one.state, one.outcome) for one in slots.recent_runs(connection, name, 50)][::-1]
