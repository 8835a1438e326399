"""Kill approvals, ticks and senders at random moments, and let them race: nobody gets an article twice or not at all.

``PUBLISHER_TEST_KILLS=500 python -m pytest -m slow tests/acceptance/test_issue_life_kill.py`` runs long.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.store import IssueRow
from publisher.model.delivery import DeliveryState
from tests.conftest import MailKit
from tests.support.processes import PIPE, Process
from tests.support.smtp import Server
from tests.support.use_cases import list_issues

DAYS = max(2, int(os.environ.get("PUBLISHER_TEST_KILLS", "12")) // 3)
CONNECTIONS = 3
#: The slot of the first day. Both newsletters have one each day.
FIRST_SLOT = datetime(2026, 11, 24, 7, tzinfo=UTC)
#: Longer than a claim on a slot lasts after its process was killed.
AFTER_LEASE = timedelta(minutes=2)

_CADENCE = 'title = "The Daily"\ncadence = "0 7 * * *"\n'
_OTHER = '\n[digests.other]\ntitle = "Other"\ncadence = "0 7 * * *"\nsend = "auto"\n'


class Site:
    """Two newsletters with the same articles: ``daily`` needs an approval, ``other`` does not."""

    def __init__(self, kit: MailKit, server: Server) -> None:
        self.kit, self.server = kit, server
        self.chance = random.Random(len(str(kit.root)))
        self.kills = 0
        #: Seconds of the fastest run of each command: kills come while it works, on any machine.
        self._seconds: dict[str, float] = {}
        kit.mail(server.port, send="review")
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace('title = "The Daily"\n', _CADENCE) + _OTHER)
        self.both = kit.add_subscribers(6, domain="both.example.org", digests=("daily", "other"))
        self.daily = kit.add_subscribers(6, domain="daily.example.org", digests=("daily",))
        self.other = kit.add_subscribers(6, domain="other.example.org", digests=("other",))
        # The cadences count from the first run.
        self.complete(FIRST_SLOT - timedelta(hours=2), "tick")

    def days(self) -> Iterator[datetime]:
        """Yield the slot of each day, after an article of that day was written."""
        for number in range(DAYS):
            slot = FIRST_SLOT + timedelta(days=number)
            self.kit.article(f"{number}.md", f"Story {number}", date=f"{slot - timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}")
            yield slot

    def start(self, at: datetime, *command: str) -> Process:
        """Start a command whose clock shows AT."""
        arguments = (str(self.kit.root), at.isoformat(), *command)
        return Process("tests.support.clocks.command", *arguments, stdout=PIPE, stderr=PIPE)

    def complete(self, at: datetime, *command: str) -> None:
        """Run a command to its end."""
        began = time.monotonic()
        process = self.start(at, *command)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors.decode()
        self._seconds[command[0]] = min(time.monotonic() - began, self._seconds.get(command[0], 60.0))

    def kill(self, at: datetime, *command: str) -> None:
        """Start a command, and kill it at a random moment, unless it ends before."""
        process = self.start(at, *command)
        self.kill_later(process, command[0])

    def kill_later(self, process: Process, command: str) -> None:
        """Kill a command at a random moment, unless it ends before."""
        try:
            process.communicate(timeout=self._seconds.get(command, 1.0) * self.chance.uniform(0.1, 1.1))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
        self.kills += process.returncode == -signal.SIGKILL

    def issue(self, slot: datetime) -> IssueRow | None:
        """Return the issue of the daily newsletter at a slot, or None."""
        with self.kit.open() as db, db.read() as connection:
            rows = issues.list_issues(connection)
        return next((row for row in rows if (row.digest, row.slot) == ("daily", slot)), None)

    def approve(self, slot: datetime, at: datetime) -> None:
        """Approve the draft of the daily newsletter, unless a killed process has."""
        if self.issue(slot) is None:
            self.complete(at, "approve", "daily")

    def holds(self) -> None:
        """Check the issues, the messages and the outbox after the last day."""
        slots = [FIRST_SLOT + timedelta(days=number) for number in range(DAYS)]
        with self.kit.open() as db, db.read() as connection:
            rows = sorted(issues.list_issues(connection), key=lambda row: row.slot)
            files = {
                (row.path, name): data for row in rows for name, data in issues.issue_files(connection, row.id).items()
            }
            for draft in drafts.list_drafts(connection):
                contents = drafts.draft_files(connection, draft.digest)
                files.update({(f"{draft.digest}/next", name): data for name, data in contents.items()})
        for digest in ("daily", "other"):
            own = [row for row in rows if row.digest == digest]
            assert [(row.slot, row.number, row.articles) for row in own] == [
                (slot, at, 1) for at, slot in enumerate(slots, 1)
            ]
            assert all(row.opened_at is not None for row in own)
        self._check_messages()
        outbox = self.kit.root / "outbox"
        staged = {
            (str(path.parent.relative_to(outbox)), path.name): path.read_bytes()
            for path in outbox.rglob("*")
            if path.is_file() and not path.name.startswith(".")
        }
        assert staged == files

    def _check_messages(self) -> None:
        boxes = list_issues(self.kit.site)
        uncertain = {(address, _story(box.row.slot)) for box in boxes for address in box.uncertain}
        assert not any(box.states.get(DeliveryState.QUEUED) for box in boxes)
        received = Counter((one.recipient, story) for one in self.server.accepted for story in _stories(one.data))
        assert {pair: count for pair, count in received.items() if count > 1} == {}
        people = {*self.both, *self.daily, *self.other}
        missing = {(name, f"Story {number}") for name in people for number in range(DAYS)} - set(received)
        assert missing <= uncertain
        assert len(uncertain) <= self.kills * CONNECTIONS


def _story(slot: datetime) -> str:
    return f"Story {(slot - FIRST_SLOT).days}"


def _stories(data: bytes) -> set[str]:
    """Return the articles in a message."""
    body = message_from_bytes(data, policy=policy.default).get_body(("plain",))
    assert body is not None
    return {f"Story {number}" for number in re.findall(r"(?i)\bstory (\d+)", body.get_content())}


@pytest.mark.slow(reason="some fifty processes, killed at random moments")
def test_killed_approvals_ticks_and_senders_lose_and_repeat_nothing(any_mail_kit: MailKit) -> None:
    """Each is killed and started again: one issue for each slot, each article once, and a complete outbox."""
    with Server() as server:
        site = Site(any_mail_kit, server)
        for slot in site.days():
            before = slot - timedelta(minutes=30)
            site.kill(before, "tick")
            site.complete(before, "tick")
            for _ in range(2):
                site.kill(before, "approve", "daily")
            site.approve(slot, before)
            site.kill(slot, "tick")
            site.kill(slot + AFTER_LEASE, "tick")
            site.kill(slot + AFTER_LEASE, "send", "daily")
            site.complete(slot + 2 * AFTER_LEASE, "tick")
        assert site.kills
        site.holds()


@pytest.mark.slow(reason="some thirty processes, three at a time")
def test_two_ticks_and_an_approver_at_once_lose_and_repeat_nothing(any_mail_kit: MailKit) -> None:
    """They race at the slot, and one of them may be killed: the same holds."""
    with Server() as server:
        site = Site(any_mail_kit, server)
        for number, slot in enumerate(site.days()):
            if number % 2:
                site.complete(slot - timedelta(minutes=30), "tick")
            commands = [("tick",), ("tick",), ("approve", "daily")]
            racing = [site.start(slot, *command) for command in commands]
            if site.chance.random() < 0.5:
                at = site.chance.randrange(3)
                site.kill_later(racing[at], commands[at][0])
            for process in racing:
                process.communicate(timeout=120)
            # The draft waits since the slot if the approver came too early or was killed.
            site.complete(slot + AFTER_LEASE, "tick")
            site.approve(slot, slot + AFTER_LEASE)
            site.complete(slot + 2 * AFTER_LEASE, "tick")
        site.holds()
