"""Cadences: the time to compute a slot, the delay of 1,000 slots, and the cost of an idle runner.

python -m bench.cadence [MINUTES]: against croniter, cronsim and APScheduler, in the same run. Takes about three times MINUTES (2)
and two more; with 0, only slots are computed. Run nothing else on the machine at the same time.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from apscheduler.triggers.cron import CronTrigger
from croniter import croniter
from cronsim import CronSim, CronSimError

from bench.timing import machine
from publisher.cadence import Timetable, next_slot, parse_cadence, slots_between

_SCHEDULES = 1_000
_HEAD = """
title = "Bench"
base_url = "https://bench.example"
[database]
url = "sqlite:///publisher.db"
[mail]
sender = "news@bench.example"
"""
#: The same number of jobs, written as in the documentation of APScheduler: each records its time of start.
_PEER = """
import sys, time
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.jobstores.sqlalchemy import SQLAlchemyJobStore
from bench.cadence import note
stores = {"default": SQLAlchemyJobStore(url=sys.argv[2])} if sys.argv[2] != "memory" else {}
scheduler = BackgroundScheduler(jobstores=stores, job_defaults={"misfire_grace_time": None, "coalesce": True})
for number in range(int(sys.argv[1])):
    scheduler.add_job(note, "cron", minute="*", id=str(number), args=[sys.argv[3]])
scheduler.start()
time.sleep(100_000)
"""
_IDLE_PEER = """
import sys, time, threading
from apscheduler.schedulers.background import BackgroundScheduler
from watchfiles import watch
scheduler = BackgroundScheduler()
for number in range(10):
    scheduler.add_job(print, "cron", hour="3")
scheduler.start()
for _ in watch(sys.argv[1]):
    pass
"""


def note(path: str) -> None:
    """Append the current time to a file: the job of the peer."""
    with Path(path).open("a") as file:
        file.write(f"{time.time()}\n")


def next_slots() -> None:
    """Print the time to compute the next slot."""
    print("\nThe next slot, microseconds (Publisher / croniter / cronsim / APScheduler's CronTrigger):")
    zone, start = ZoneInfo("Europe/London"), datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
    for text in ("0 7 * * *", "0 7 * * mon-fri", "*/15 * * * *", "0 7 1 * *", "0 9 * * fri#2"):
        table = Timetable(cadences=(parse_cadence(text),), zone=zone)
        ours = each(lambda moment, table=table: next_slot(table, moment), start)
        local = start.astimezone(zone)
        theirs = each(lambda moment, text=text: croniter(text, moment).get_next(datetime), local)
        trigger = None if "#" in text else CronTrigger.from_crontab(text, zone)
        plain = (
            each(lambda moment, trigger=trigger: trigger.get_next_fire_time(None, moment + timedelta(seconds=1)), local)
            if trigger
            else float("nan")
        )
        simulated = each(lambda moment, text=text: next(CronSim(text, moment)), local)
        print(
            f"  {text:<16} {ours:6.1f} / {theirs:6.1f} / {simulated:6.1f} / {plain:6.1f}   "
            f"{theirs / ours:.1f}x croniter, {simulated / ours:.1f}x cronsim"
        )


#: Cadences at clock changes, and whether cronsim parses them.
_AT_CHANGES = ("30 2 * * *", "0 0 * * mon", "0 */2 * * sat,sun", "*/30 2 * * *")
_EXTENSIONS = ("0 9 L * *", "0 9 * * fri#2", "0 9 * * 5L", "0 9 * * friL", "0 9 * * fri-mon", "@daily")


def compare_with_cronsim() -> None:
    """Print in how many time zones the slots of two years differ from those of cronsim, and what it rejects."""
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2028, 1, 1, tzinfo=UTC)
    names = sorted(available_timezones() - {"localtime", "Factory"})
    print(f"\nTwo years of slots in {len(names)} time zones that differ from those of cronsim:")
    for text in _AT_CHANGES:
        differing = 0
        for zone in map(ZoneInfo, names):
            ours = list(slots_between(Timetable(cadences=(parse_cadence(text),), zone=zone), start, end))
            theirs = takewhile(
                lambda slot: slot <= end,
                (slot.astimezone(UTC) for slot in CronSim(text, (start - timedelta(days=1)).astimezone(zone))),
            )
            differing += ours != [slot for slot in theirs if slot > start]
        print(f"  {text:<20} {differing:4d}")
    half_hour = ZoneInfo("Australia/Lord_Howe")
    ours = set(slots_between(Timetable(cadences=(parse_cadence("45 * * * *"),), zone=half_hour), start, end))
    theirs = takewhile(lambda slot: slot <= end, CronSim("45 * * * *", start.astimezone(half_hour)))
    missing = len(ours - {slot.astimezone(UTC) for slot in theirs})
    print(f"  45 * * * * in {half_hour}: cronsim lacks {missing} of {len(ours):,} slots")
    for text in _EXTENSIONS:
        try:
            CronSim(text, start)
        except CronSimError as error:
            print(f"  {text:<20} cronsim: {error}")


def each(step: Callable[[datetime], datetime | None], start: datetime) -> float:
    """Return the processor time of a step in microseconds, over a year of a daily cadence."""
    moment, count = start, 400
    began = time.process_time()
    for _ in range(count):
        found = step(moment)
        assert found is not None
        moment = found
    return (time.process_time() - began) / count * 1e6


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the end of the block."""
    process = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


@contextmanager
def runner(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``publish run`` with its log in the folder."""
    with (folder / "log").open("wb") as log:
        command = [sys.executable, "-m", "publisher", "run", "--log", "json", "--site", str(folder)]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.terminate()
            process.wait()


def site(folder: Path, digests: int, cadence: Callable[[int], str]) -> None:
    """Write a site with a number of newsletters."""
    (folder / "articles").mkdir(parents=True)
    tables = "".join(f'[digests.d{n}]\ntitle = "D{n}"\ncadence = "{cadence(n)}"\n' for n in range(digests))
    (folder / "publisher.toml").write_text(_HEAD + tables)
    for number in range(20):
        (folder / "articles" / f"{number}.md").write_text(f'---\ntitle: "S{number}"\ndate: 2026-11-20\n---\nText.\n')
    subprocess.run(
        [sys.executable, "-m", "publisher", "now", "--site", str(folder)], check=True, stdout=subprocess.DEVNULL
    )


def lines(folder: Path, event: str) -> list[dict[str, str]]:
    """Return the log entries of an event."""
    found = (json.loads(line) for line in (folder / "log").read_text().splitlines())
    return [one for one in found if one["event"] == event]


def lateness(folder: Path, minutes: float, cadence: Callable[[int], str], name: str) -> None:
    """Print the delay of the start and of the end of slots."""
    site(folder, _SCHEDULES, cadence)
    with runner(folder):
        time.sleep(minutes * 60)
    for event in ("slot started", "slot done"):
        late = sorted(
            (datetime.fromisoformat(one["at"]) - datetime.fromisoformat(one["slot"])).total_seconds()
            for one in lines(folder, event)
            if one["schedule"] != "feeds"
        )
        show(f"Publisher, {name}, {event.partition(' ')[2]}", late)


def show(name: str, late: list[float]) -> None:
    """Print percentiles of delays in seconds."""
    if len(late) < 2:
        print(f"  {name:<44} none")
        return
    cuts = statistics.quantiles(late, n=100)
    print(f"  {name:<44} p50 {cuts[49] * 1000:8,.0f} ms   p99 {cuts[98] * 1000:8,.0f} ms   ({len(late):,} slots)")


def peer(folder: Path, minutes: float, store: str, name: str) -> None:
    """Print the delay of the same number of jobs of APScheduler."""
    path = folder / f"{name}.times"
    with running("-c", _PEER, str(_SCHEDULES), store, str(path)):
        time.sleep(minutes * 60)
    times = [float(line) for line in path.read_text().splitlines()]
    show(f"APScheduler, {name}, begun", sorted(moment % 60 for moment in times))


def processor(pid: int) -> float:
    """Return the processor time of a process in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Return the proportional memory (PSS) of a process and its children in megabytes."""
    own = Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(own) / 1024 + sum(memory(int(child)) for child in children)


def idle(folder: Path, seconds: float) -> None:
    """Print processor time and memory of an idle runner."""
    site(folder, 10, lambda number: "0 3 * * *")
    with runner(folder) as ours, running("-c", _IDLE_PEER, str(folder / "articles")) as theirs:
        time.sleep(10)
        before = {one.pid: processor(one.pid) for one in (ours, theirs)}
        time.sleep(seconds)
        print("\nIdle (processor seconds per hour, megabytes):")
        for name, one in (("publish run, 10 digests", ours), ("APScheduler and watchfiles alone", theirs)):
            spent = (processor(one.pid) - before[one.pid]) / seconds * 3600
            print(f"  {name:<34} {spent:6.1f} s   {memory(one.pid):5.0f} MB")


def live(folder: Path) -> None:
    """Print the time from a new article file to the staged feed."""
    site(folder, 1, lambda number: "0 3 * * *")
    feed = folder / "feeds" / "all.rss"
    with runner(folder):
        time.sleep(4)
        ours = [drop(folder / "articles", feed, number) for number in range(30)]
    print("\nFrom an article file to the staged feed:")
    show("publish run", sorted(ours))
    command = ["-m", "watchfiles", f"{sys.executable} -m publisher now --feeds-only --site {folder}"]
    with running(*command, str(folder / "articles")):
        time.sleep(4)
        theirs = [drop(folder / "articles", feed, 100 + number) for number in range(15)]
    show("watchfiles, which calls publish now", sorted(theirs))


def drop(articles: Path, feed: Path, number: int) -> float:
    """Write an article, and return the seconds until the feed contains it."""
    time.sleep(1.2)
    began = time.monotonic()
    text = f'---\ntitle: "Fresh {number}"\ndate: 2026-11-21\n---\nText.\n'
    (articles / f"fresh-{number}.md").write_text(text)
    while f"Fresh {number}<" not in feed.read_text():
        time.sleep(0.002)
        if time.monotonic() - began > 20:
            sys.exit(f"{feed} does not contain the article after 20 seconds")
    return time.monotonic() - began


def main() -> None:
    """Measure and print."""
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 2
    print(machine())
    next_slots()
    compare_with_cronsim()
    if minutes == 0:
        return
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        live(root / "live")
        print(f"\n{_SCHEDULES:,} schedules, after their time:")
        lateness(root / "once", minutes + 0.5, lambda number: "* * * * *", "all at once")
        lateness(root / "spread", minutes, lambda number: f"{number % 60} * * * *", "over an hour")
        peer(root, minutes, "memory", "memory")
        peer(root, minutes, f"sqlite:///{root / 'jobs.db'}", "sqlite")
        idle(root / "idle", 60)


if __name__ == "__main__":
    main()
