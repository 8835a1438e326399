"""``publish run`` on a machine whose clock is set: libfaketime moves the wall clock of a real process."""

from __future__ import annotations

import os
import platform
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import MailKit, titles
from tests.support.smtp import Server

ROOT = Path(__file__).parent.parent.parent
LIBRARY = next(
    iter(sorted(Path("/usr/lib").glob(f"{platform.machine()}*/faketime/libfaketimeMT.so.1"))),
    Path("/usr/lib/faketime/libfaketimeMT.so.1"),
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not LIBRARY.exists(), reason="libfaketime is not installed (Debian package faketime)"
)


def until(condition: Callable[[], Any], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


class Machine:
    """A runner in a process of its own, whose wall clock is set by a file."""

    def __init__(self, kit: MailKit, folder: Path, at: datetime) -> None:
        self._file, self.log = folder / "clock", folder / "run.log"
        self.set(at)
        environ = {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "TZ": "UTC",
        }
        self._stream = self.log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "publisher", "run", "--log", "json", "--site", str(kit.root)],
            cwd=ROOT,
            stdout=self._stream,
            stderr=self._stream,
            env=os.environ | environ,
        )

    def set(self, at: datetime) -> None:
        """Set the clock; it goes on from there."""
        draft = self._file.with_suffix(".new")
        offset = (at - datetime.now(UTC)).total_seconds()
        draft.write_text(f"{offset:+.0f}\n")
        draft.replace(self._file)

    def count(self, event: str) -> int:
        return self.log.read_text().count(f'"event": "{event}"')

    @property
    def memory(self) -> int:
        """Bytes of memory in use."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._stream.close()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    made: list[Machine] = []

    def make(kit: MailKit, at: datetime) -> Machine:
        made.append(Machine(kit, tmp_path, at))
        return made[-1]

    yield make
    for one in made:
        one.close()


def appears(kit: MailKit, title: str, date: str) -> None:
    """Write an article, and wait for it to be published."""
    kit.article(f"{title.lower()}.md", title, date=date)
    until(lambda: title in titles(kit))


def received(server: Server, title: str) -> list[str]:
    """Return the recipients of an article, one entry a message."""
    found = []
    for one in list(server.accepted):
        message = message_from_bytes(one.data, policy=default)
        if re.search(rf"^{title}\r?$", message.get_body(("plain",)).get_content(), re.MULTILINE | re.IGNORECASE):  # type: ignore[union-attr]
            found.append(one.recipient)
    return sorted(found)


@pytest.mark.slow(reason="waits for the next minute of a real clock")
def test_a_runner_continues_after_every_jump_of_the_clock(mail_kit: MailKit, machine: Callable[..., Machine]) -> None:
    """2000 → 2026 → 2037 → 2026: each jump is logged, work goes on at once, and nothing is sent twice."""
    kit = mail_kit
    names = kit.add_subscribers(3)
    kit.article("first.md", "First", date="1999-12-01")
    with Server() as server:
        kit.mail(server.port)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace('title = "The Daily"\n', 'title = "The Daily"\ncadence = "* * * * *"\n'))
        runner = machine(kit, datetime(2000, 1, 1, tzinfo=UTC))
        until(lambda: runner.count("published"))
        before = runner.memory

        now = datetime(2026, 11, 23, 7, 0, 30, tzinfo=UTC)
        runner.set(now)
        until(lambda: runner.count("clock jumped") == 1)
        appears(kit, "Second", "2026-11-23")
        until(lambda: len(server.accepted) >= len(names))

        runner.set(datetime(2037, 1, 1, tzinfo=UTC))
        until(lambda: runner.count("clock jumped") == 2)
        appears(kit, "Third", "2026-11-23")
        runner.set(now + timedelta(minutes=5, seconds=15))
        until(lambda: runner.count("clock jumped") == 3)
        appears(kit, "Fourth", "2026-11-23")

        # None of the timers waits for 2037: the next slot is a minute away.
        until(lambda: received(server, "Fourth") == names, 120)
        memory = runner.memory
        runner.process.send_signal(signal.SIGTERM)
        assert runner.process.wait(30) == 0
    assert memory - before < 150_000_000
    lines = runner.log.read_text().splitlines()
    assert [line for line in lines if not line.startswith("{") or '"stuck"' in line] == []
    counts = Counter((one.recipient, one.message_id) for one in server.accepted)
    assert set(counts.values()) == {1}
    for title in ("First", "Second", "Fourth"):
        assert received(server, title) == names
    # In 2037 an article of 2026 is an old one, which is published and not mailed.
    assert received(server, "Third") in ([], names)
