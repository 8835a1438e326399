"""``publish run`` and ``publish tick`` as processes: slots, updates, signals and clock jumps."""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher.articles.scan import _COARSE_TICK_NANOSECONDS
from publisher.digests import store
from publisher.schedule.processes import list_runners
from tests.conftest import NOW, MailKit, SiteKit, titles
from tests.support.processes import Process, publish_output
from tests.support.smtp import Script, Server
from tests.support.use_cases import list_issues, reinstate, retract
from tests.support.waiting import until


class Running:
    """A runner in a process of its own."""

    def __init__(self, *command: str, log: Path, **environ: str) -> None:
        self.log = log
        self._stream = log.open("ab")
        self.process = Process(*command, stdout=self._stream, stderr=self._stream, env=os.environ | environ)

    @property
    def lines(self) -> list[dict[str, Any]]:
        lines = self.log.read_text().splitlines()
        assert all(line.startswith("{") for line in lines), lines
        return [json.loads(line) for line in lines]

    def entries(self, event: str) -> list[dict[str, Any]]:
        return [one for one in self.lines if one["event"] == event]

    def wait_for(self, event: str, count: int = 1, seconds: float = 120) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = until(lambda: len(self.entries(event)) >= count and self.entries(event), seconds)
        return found

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def close(self) -> None:
        self._stream.close()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    begun: list[Running] = []

    def make(*command: str, name: str = "run.log", **environ: str) -> Running:
        begun.append(Running(*command, log=tmp_path / name, **environ))
        return begun[-1]

    yield make
    for one in begun:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
        one.close()


@contextmanager
def service_manager(path: Path) -> Iterator[list[bytes]]:
    """Listen as systemd does, and yield the notifications."""
    notifications: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.settimeout(0.1)
        is_over = threading.Event()

        def listen() -> None:
            while not is_over.is_set():
                with suppress(TimeoutError):
                    notifications.append(sock.recv(200))

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield notifications
        finally:
            is_over.set()
            thread.join()


def real(kit: SiteKit) -> tuple[str, ...]:
    return ("publisher", "run", "--log", "json", "--site", str(kit.root))


def fast(kit: SiteKit, clock: str = "2026-11-23T06:59:30+00:00", speed: float = 30) -> tuple[str, ...]:
    return ("tests.support.clocks.runner", str(kit.root), clock, repr(time.time()), str(speed))


def test_an_article_is_staged_at_once_and_settings_are_reloaded(
    kit: SiteKit, start: Callable[..., Running], tmp_path: Path
) -> None:
    """The runner stages a new article at once, notifies systemd, and reads changed settings."""
    with service_manager(tmp_path / "notify") as notifications:
        kit.article("one.md", "One")
        runner = start(*real(kit), NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="1000000")
        runner.wait_for("published")
        assert titles(kit) == ["One"]
        until(lambda: b"WATCHDOG=1" in notifications)
        assert notifications[0] == b"READY=1"

        # Long before its cadence comes. How long it takes: bench/cadence.py.
        kit.article("new.md", "New", date="2026-11-21")
        until(lambda: "New" in titles(kit))

        good = (kit.root / "publisher.toml").read_text()
        kit.settings(good + "cadence = '0 7 31 2 *'\n")
        (refused,) = runner.wait_for("settings rejected")
        assert "digests.daily.cadence: '0 7 31 2 *' never matches" in refused["reason"]
        kit.article("later.md", "Later", date="2026-11-22")
        until(lambda: "Later" in titles(kit))
        until(lambda: any("0 7 31 2 *" in one["settings_error"] for one in list_runners(kit.root)))

        kit.settings(good.replace("The Test Review", "The New Review") + "cadence = '0 7 * * *'\n")
        assert runner.wait_for("settings read")[-1]["schedules"] == 2
        until(lambda: b"The New Review" in (kit.root / "feeds" / "all.rss").read_bytes())
        runner.process.send_signal(signal.SIGHUP)
        runner.wait_for("settings read", 2)

        shown = publish_output(kit.root, "status")
        assert f"  runner   {socket.gethostname()} {runner.process.pid}, since" in shown
        assert runner.end() == 0
        until(lambda: b"STOPPING=1" in notifications)
        assert [
            one.partition(b"\n")[0] for one in notifications if b"WATCHDOG" not in one and b"STATUS" not in one
        ] == [
            b"READY=1",
            *[b"RELOADING=1", b"READY=1"] * 3,
            b"STOPPING=1",
        ]
    assert [one["event"] for one in runner.lines[-2:]] == ["stopping", "stopped"]
    assert "runner   none on this machine" in publish_output(kit.root, "status")


def test_issues_are_made_at_their_slots_and_sent(mail_kit: MailKit, start: Callable[..., Running]) -> None:
    """A minute is two seconds here: an issue a minute, each with the article of that minute."""
    kit = mail_kit
    begin = datetime(2026, 11, 23, 6, 59, 30, tzinfo=UTC)
    for number in range(1, 60):
        at = begin + timedelta(seconds=30, minutes=number - 1)
        kit.article(f"n{number:02}.md", f"Number {number}", date=f"{at:%Y-%m-%dT%H:%M:%SZ}")
    names = kit.add_subscribers(8)
    with Server() as server:
        kit.mail(server.port)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(
            text.replace('title = "The Daily"\n', 'title = "The Daily"\ncadence = "* * * * *"\ncatch_up = "all"\n')
        )
        runner = start(*fast(kit))
        runner.wait_for("issue sent", 3)
        assert runner.end() == 0
        opened = [one["issue"] for one in runner.entries("issue opened")]
        assert opened == sorted(opened)
        assert not [one for one in runner.lines if one["level"] == "error"]

        # An hour later by that clock: what was missed comes, each once.
        again = start(*fast(kit, "2026-11-23T07:15:30+00:00"), name="again.log")
        until(lambda: has_sent_everything(kit, 16), 90)
        assert again.end() == 0
    with kit.open() as db, db.read() as connection:
        rows = store.list_issues(connection)
    slots = sorted(row.slot for row in rows)
    minute = timedelta(minutes=1)
    assert {other - one for one, other in itertools.pairwise(slots)} == {minute}
    assert f"daily/{slots[0]:%Y-%m-%dT%H%M}" == opened[0]
    counts = Counter((one.recipient, one.message_id) for one in server.accepted)
    assert set(counts.values()) == {1}
    # Slots may have come while the runner was ending: their deliveries are still queued.
    queued = sum(box.states.get("queued", 0) for box in list_issues(kit.site))
    assert len(server.accepted) + queued == len(rows) * len(names)


def has_sent_everything(kit: SiteKit, count: int) -> bool:
    """Tell whether there are COUNT issues or more, and no queued delivery."""
    boxes = list_issues(kit.site)
    return len(boxes) >= count and not any(box.states.get("queued") for box in boxes)


def a_minute_ago() -> datetime:
    """Return a time for an issue that a runner with the real clock sends: it leaves old ones alone."""
    return datetime.now(UTC) - timedelta(minutes=1)


def test_sigterm_finishes_open_messages_and_the_next_runner_continues(
    mail_kit: MailKit, start: Callable[..., Running]
) -> None:
    """No subscriber gets two messages or none."""
    kit = mail_kit
    names = kit.add_subscribers(120)
    kit.issue("one", now=a_minute_ago())
    slow = Script(at=lambda step, argument, number: time.sleep(0.1) if step == "dot" else None)
    with Server(slow) as server:
        kit.mail(server.port)
        runner = start(*real(kit))
        until(lambda: len(server.accepted) > 5)
        assert runner.end() == 0
        sent = len(server.accepted)
        assert 5 < sent < 120
        box = list_issues(kit.site)[0]
        assert not box.uncertain
        assert box.states["accepted"] == sent
        server.script = Script()
        again = start(*real(kit), name="again.log")
        until(lambda: len(server.accepted) >= 120)
        assert again.end() == 0
        assert server.recipients == sorted(names)


@pytest.mark.slow(reason="waits for the longest shutdown, 20 seconds")
def test_a_hub_that_does_not_answer_delays_neither_articles_nor_the_end(
    kit: SiteKit, start: Callable[..., Running]
) -> None:
    """Each job has a thread, and the process does not wait for a thread that waits for a server."""
    with socket.create_server(("127.0.0.1", 0)) as hub:
        url = f"http://127.0.0.1:{hub.getsockname()[1]}"
        kit.add_settings(f'\n[feeds]\nurl = "{url}/feeds"\n\n[announce]\nhubs = ["{url}/hub"]\ntimeout = 60\n')
        kit.article("one.md", "One")
        runner = start(*real(kit))
        connection, _ = hub.accept()
        with connection:
            kit.article("new.md", "New", date="2026-11-21")
            until(lambda: "New" in titles(kit))
            assert runner.end() == 0
    assert [entry["jobs"] for entry in runner.entries("jobs unfinished")] == ["announce"]


def test_an_approved_issue_is_sent_while_another_one_fails(mail_kit: MailKit, start: Callable[..., Running]) -> None:
    """An issue that cannot be sent does not delay another one."""
    kit = mail_kit
    kit.add_settings('\n[digests.other]\ntitle = "Other"\nbrand = ["Other"]\n')
    kit.add_subscribers(3, digests=("daily",))
    kit.add_subscribers(2, domain="other.example.org", digests=("other",))
    now = a_minute_ago()
    kit.articles("one")
    kit.articles("two", brand="Other")
    assert len(kit.open_issues(now)) == 2
    retract(kit.site, now, "one.md", "untrue")
    with Server() as server:
        kit.mail(server.port, send="review")
        runner = start(*real(kit))
        (held,) = runner.wait_for("not sent")
        assert "articles of it were withdrawn" in held["reason"]
        until(lambda: server.recipients == ["reader0@other.example.org", "reader1@other.example.org"])
        reinstate(kit.site, now, "one.md")
        until(lambda: len(server.accepted) == 5, 60)
        assert runner.end() == 0


def test_a_clock_jump_is_logged(kit: SiteKit) -> None:
    """A jump ahead past a slot makes its issue at once, and a jump back makes no second one."""
    import io
    import threading

    from publisher.runner import Runner, make_log
    from tests.support.clocks import AdjustableClock

    text = (kit.root / "publisher.toml").read_text()
    daily = 'title = "The Daily"\ncadence = "0 7 * * *"\nsend = "none"\n'
    kit.settings(text.replace('title = "The Daily"\n', daily))
    kit.article()
    clock, log = AdjustableClock(NOW - timedelta(hours=10)), io.StringIO()
    runner = Runner(kit.site, make_log(log, as_json=True), clock=clock)
    thread = threading.Thread(target=runner.run)
    thread.start()
    try:
        until(lambda: '"published"' in log.getvalue())
        clock.jump(clock.now() + timedelta(hours=12))
        until(lambda: '"issue opened"' in log.getvalue())
        assert '"clock jumped"' in log.getvalue()
        clock.jump(clock.now() - timedelta(hours=24))
        until(lambda: log.getvalue().count('"clock jumped"') == 2)
    finally:
        runner.stop()
        thread.join(30)
    assert log.getvalue().count('"issue opened"') == 1


def test_every_tick_lists_skipped_records(kit: SiteKit) -> None:
    """The exit status of 1 is explained by every call."""
    kit.article("one.md", "One")
    path = kit.write("broken.md", "No front matter.")
    until(lambda: time.time_ns() - path.stat().st_ctime_ns > _COARSE_TICK_NANOSECONDS)
    line = "  broken.md: no front matter: the file must begin with --- and name title and date"
    first = publish_output(kit.root, "tick").splitlines()
    assert first[first.index("Skipped (1):") + 1] == line
    assert publish_output(kit.root, "tick").splitlines() == ["Skipped (1):", line]
    path.unlink()
    assert publish_output(kit.root, "tick") == ""


def test_a_tick_prints_its_work_and_nothing_if_there_was_none(mail_kit: MailKit) -> None:
    """A call without work prints nothing, so that cron sends no mail."""
    kit = mail_kit
    kit.add_subscribers(2)
    path = kit.article("one.md", "One")
    # A file that is younger than a tick of the file system's clock is read again by the next run.
    until(lambda: time.time_ns() - path.stat().st_ctime_ns > _COARSE_TICK_NANOSECONDS)
    with Server() as server:
        kit.mail(server.port)
        # The last slot was a minute ago, and the next one is tomorrow, however long this takes.
        last = datetime.now(UTC) - timedelta(minutes=1)
        text = (kit.root / "publisher.toml").read_text()
        cadence = f'cadence = "{last.minute} {last.hour} * * *"'
        kit.settings(text.replace('title = "The Daily"\n', f'title = "The Daily"\n{cadence}\n'))
        first = publish_output(kit.root, "tick")
        assert "1 file read: 1 new" in first
        assert publish_output(kit.root, "tick") == ""
        with kit.open() as db, db.write() as connection:
            from sqlalchemy import text as sql

            connection.execute(sql("UPDATE schedule SET effective_from = effective_from - 600"))
        second = publish_output(kit.root, "tick")
        assert "daily No. 1 is sent to 2 subscribers, 1 article" in second
        assert "Slots:" in second and "started" in second
        assert len(server.accepted) == 2
        shown = publish_output(kit.root, "status")
        assert "last slot" in shown and "daily/" in shown
