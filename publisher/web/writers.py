"""Threads for requests that write to the database, separate from other pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from starlette.exceptions import HTTPException

from publisher.errors import StoreBusy

#: Threads of each kind. All kinds together stay below the database pool of 15 connections, so that pages that only
#: read always get one.
_THREADS_PER_KIND: Final = 2
#: How long a request waits for a thread, and then for the database.
_WAIT_SECONDS: Final = 5.0
DATABASE_SECONDS: Final = 10
#: Retry-After of a response with status 503.
RETRY_AFTER_SECONDS: Final = 10
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class FormWriters:
    """Runs functions that write to the database, a few of each kind at once.

    While another process holds the database, these requests wait. In Starlette's pool of 40 threads they would block
    all other pages.
    """

    def __init__(self) -> None:
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop the threads after their current call."""
        with self._lock:
            for threads in self._threads.values():
                threads.shutdown(wait=False)
            self._threads.clear()

    async def run(
        self,
        kind: str,
        wait: float,
        function: Callable[_Arguments, _Result],
        *arguments: _Arguments.args,
        **options: _Arguments.kwargs,
    ) -> _Result:
        """Call a function in a thread and return its result.

        Args:
            kind: a name; kinds do not wait for each other.
            wait: seconds to wait for a thread; 0 for the default.

        Raises:
            HTTPException: 503 with Retry-After if no thread is free in time or the database is busy.
        """
        with self._lock:
            threads = self._threads.get(kind)
            if threads is None:
                threads = self._threads[kind] = ThreadPoolExecutor(_THREADS_PER_KIND, thread_name_prefix=kind)
            call = threads.submit(function, *arguments, **options)
        result = asyncio.wrap_future(call)
        await asyncio.wait([result], timeout=wait or _WAIT_SECONDS)
        # A call that has started is not cancelled: the timeout of the database ends it.
        if not result.done() and call.cancel():
            raise _busy()
        try:
            return await result
        except StoreBusy:
            raise _busy() from None


def _busy() -> HTTPException:
    return HTTPException(503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
