"""(l) The life of an issue: a draft that follows its articles, its approval, and the opening of its send.

    python -m bench.issue_life [ARTICLES] [SUBSCRIBERS] [AUDIENCE]

The draft is brought up to date with one new article at ARTICLES articles (10,000) and SUBSCRIBERS subscribers (50,000): in
a running process without reading articles/, and by `publish now` in a fresh process. A send is opened for AUDIENCE
subscribers (1,000,000). Processor time does not depend on other programs of the machine as much as time does.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bench.audience import size
from bench.corpus import make_site, posts, text_export
from bench.delivery import add_people, site
from bench.timing import PUBLISH, machine
from publisher import Publisher
from publisher.clock import FixedClock
from publisher.context import Context
from publisher.delivery.issue_life.fixed_issue import fix_draft
from publisher.delivery.issue_life.opening import open_issue
from publisher.digests.update_draft import update_draft
from publisher.pipeline.ingest import ingest
from publisher.pipeline.stage_outbox import stage_outbox
from publisher.pipeline.update_drafts import update_drafts
from publisher.settings import Site, read_site
from publisher.storage.engine import Database
from publisher.workers.pool import Workers

_NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
_RUNS = 8


@contextmanager
def measured(name: str) -> Iterator[None]:
    """Print the time of a block, and its processor time in this process."""
    began, worked = time.perf_counter(), time.process_time()
    yield
    worked, took = time.process_time() - worked, time.perf_counter() - began
    print(f"{name:<64}{took:8.2f} s   processor {worked:7.2f} s", flush=True)


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the milliseconds of a call, and its processor time."""
    began, worked = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000


def show(name: str, runs: list[tuple[float, float]]) -> None:
    """Print the medians of several runs, and the least of each."""
    took, worked = zip(*runs, strict=True)
    print(
        f"{name:<64}{statistics.median(took):6.1f} ms (least {min(took):.1f})   "
        f"processor {statistics.median(worked):6.1f} ms (least {min(worked):.1f})",
        flush=True,
    )


def add_article(folder: Path, number: int) -> None:
    """Write one more article, newer than the others."""
    post = next(post for at, post in enumerate(posts(number + 1)) if at == number)
    text = text_export(replace(post, day=_NOW.date(), name=f"new-{number}"))
    (folder / "articles" / f"new-{number}.txt").write_text(text)


def follow(folder: Path, count: int, subscribers: int) -> None:
    """Measure a draft that follows its articles."""
    make_site(folder, count)
    path = folder / "publisher.toml"
    path.write_text(path.read_text() + 'cadence = "0 9 * * mon"\n')
    one = read_site(folder)
    add_people(one, subscribers)
    with measured(f"{count:,} articles published, with a first draft"):
        Publisher(one, clock=FixedClock(_NOW)).publish()
    with Database.open(one.database_url) as db:
        changed = [milliseconds(_prepared(one, db, folder, number)) for number in range(_RUNS)]
        show("draft brought up to date with one new article", changed[1:])
        show("draft looked at, nothing changed", [milliseconds(lambda: update(one, db)) for _ in range(_RUNS)])
    fresh = []
    for number in range(_RUNS, _RUNS + 2):
        add_article(folder, number)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        subprocess.run([*PUBLISH, "now", "--at", _NOW.isoformat()], cwd=folder, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        worked = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        fresh.append(((time.perf_counter() - began) * 1000, worked * 1000))
    show("publish now with one new article, in a fresh process", fresh)


def update(one: Site, db: Database) -> None:
    """Bring the drafts of a site up to date and stage them."""
    context = Context(site=one, db=db, now=_NOW)
    update_drafts(context)
    stage_outbox(context)


def _prepared(one: Site, db: Database, folder: Path, number: int) -> Callable[[], None]:
    """Add an article and read it; return a function that brings the draft up to date with it."""
    add_article(folder, number)
    with db.exclusive(one.root), Workers() as workers:
        ingest(Context(site=one, db=db, now=_NOW, workers=workers))
    return lambda: update(one, db)


def open_send(folder: Path, audience: int) -> None:
    """Measure the approval of an issue, and the opening of its send."""
    one = site(folder, audience)
    before = size(folder)
    Publisher(one, clock=FixedClock(_NOW)).publish()
    with Database.open(one.database_url) as db:
        context = Context(site=one, db=db, now=_NOW)
        draft = update_draft(context, "daily", as_of=_NOW)
        with measured(f"approval at {audience:,} subscribers"):
            row = fix_draft(context, draft)
        with measured("opening: audience, selections and deliveries, in one transaction"):
            opened = open_issue(context, row)
    assert opened is not None
    assert opened.subscribers == audience
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{(size(folder) - before) / audience:.0f} bytes for each delivery; peak memory {peak:.0f} MB")


def main() -> None:
    """Measure and print."""
    numbers = [int(word) for word in sys.argv[1:]]
    count, subscribers, audience = [*numbers, *(10_000, 50_000, 1_000_000)[len(numbers) :]]
    print(f"(l) the life of an issue; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        open_send(Path(name) / "opening", audience)
        follow(Path(name) / "following", count, subscribers)


if __name__ == "__main__":
    main()
