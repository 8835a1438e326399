"""Start worker processes when there is enough work: a pool, and processes with limits for parsers."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Self, TypeVar

from publisher.workers.timed_worker import TimedWorker

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_Job = TypeVar("_Job")
_Result = TypeVar("_Result")


class Workers:
    """Worker processes, started on first use.

    If a worker of ``map`` dies (out of memory, killed), its job runs in this process.
    """

    #: Modules that the fork server imports once for all workers.
    _PRELOAD = (
        "publisher.articles.parsers",
        "publisher.feeds.make_entries",
        "publisher.feeds.formats.entry",
        "publisher.feeds.formats.xml_frame",
        "publisher.feeds.checks.feed",
    )

    #: Modules that parser processes import when they start.
    PARSER_PRELOAD = (
        "publisher.articles.parsers.registry",
        "publisher.articles.parsers.front_matter",
        "markdown_it",
        "nh3",
    )

    def __init__(self, count: int | None = None, *, parser_process: TimedWorker | None = None) -> None:
        """Create the pool; no process is started yet.

        Args:
            count: number of processes; one for each core by default.
            parser_process: a parser process that outlives this pool, so that the next run starts faster.
        """
        self.count = (os.cpu_count() or 1) if count is None else count
        self._pool: ProcessPoolExecutor | None = None
        self._parser_process = parser_process
        self._timed: list[TimedWorker] = []

    def __enter__(self) -> Self:
        return self

    def timed(self, number: int = 0) -> TimedWorker:
        """Return the parser process with this number; number 0 is the given one, if there is one."""
        if self._parser_process is not None and number == 0:
            return self._parser_process
        while len(self._timed) <= number:
            self._timed.append(self.new_parser())
        return self._timed[number]

    @classmethod
    def new_parser(cls) -> TimedWorker:
        """Return a parser process that is not started yet. The caller closes it."""
        return TimedWorker(preload=cls.PARSER_PRELOAD)

    def __exit__(self, *_: object) -> None:
        for worker in self._timed:
            worker.close()
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def map(self, function: Callable[[_Job], _Result], jobs: Iterable[_Job], *, worth_it: bool) -> Iterator[_Result]:
        """Yield ``function(job)`` for each job, in order.

        Args:
            function: a module-level function; called in a worker process.
            jobs: consumed a few at a time, so that they need not all be in memory.
            worth_it: False to run little work in this process.
        """
        if not worth_it or self.count < 2:
            yield from map(function, jobs)
            return
        waiting: deque[Callable[[], _Result]] = deque()
        # While the first workers start, this process runs as many jobs itself.
        here = self.count if self._pool is None else 0
        for number, job in enumerate(jobs):
            waiting.append(partial(function, job) if number < here else self._submit(function, job))
            if len(waiting) > self.count + 1:
                yield waiting.popleft()()
        while waiting:
            yield waiting.popleft()()

    def _submit(self, function: Callable[[_Job], _Result], job: _Job) -> Callable[[], _Result]:
        """Start a job in the pool; return a function that waits for its result."""
        from concurrent.futures.process import BrokenProcessPool

        try:
            future = self._started().submit(function, job)
        except BrokenProcessPool:
            return partial(function, job)

        def result() -> _Result:
            try:
                return future.result()
            except BrokenProcessPool:
                return function(job)

        return result

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            import multiprocessing
            from concurrent.futures import ProcessPoolExecutor

            # Not a plain fork: a forked copy of an open SQLite connection may write its last page again.
            context = multiprocessing.get_context("forkserver")
            context.set_forkserver_preload(list(self._PRELOAD))
            self._pool = ProcessPoolExecutor(self.count, mp_context=context)
        return self._pool
