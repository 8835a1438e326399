"""Threads for requests that write to the database, apart from those of all other pages."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, ParamSpec, TypeVar

from starlette.exceptions import HTTPException

from publisher.errors import StoreBusy

__all__ = ["DATABASE_SECONDS", "RETRY_AFTER", "FormWriters"]

#: Requests of one kind that write at a time. All kinds together stay below the connections of the database
#: pool (15), so that a page that reads always gets one.
_AT_ONCE: Final = 2
#: Seconds that a request waits for its turn, and that it then waits for the database.
_WAIT_SECONDS: Final = 5.0
DATABASE_SECONDS: Final = 10
#: Seconds after which a client that was refused may try again.
RETRY_AFTER: Final = 10
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class FormWriters:
    """Runs functions that write, a few of each kind at a time.

    Where another process holds the database, requests that write wait for it. In the threads of the other pages
    they would keep everybody waiting: 40 of them are all threads that there are.
    """

    def __init__(self) -> None:
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let the threads end once their work is done."""
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
        """Call a function in a thread, and return its result.

        Args:
            kind: what it writes; kinds do not wait for each other.
            wait: seconds to wait for a turn; 0 for the usual time.
            function: what to call.
            arguments: its arguments.
            options: its keyword arguments.

        Raises:
            HTTPException: 503 with Retry-After, because others of the kind are waiting, or the database is busy.
        """
        with self._lock:
            threads = self._threads.get(kind)
            if threads is None:
                threads = self._threads[kind] = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix=kind)
            call = threads.submit(function, *arguments, **options)
        result = asyncio.wrap_future(call)
        await asyncio.wait([result], timeout=wait or _WAIT_SECONDS)
        # A call that has begun is not taken back: it ends by itself, with the database's own time limit.
        if not result.done() and call.cancel():
            raise _busy()
        try:
            return await result
        except StoreBusy:
            raise _busy() from None


def _busy() -> HTTPException:
    return HTTPException(503, headers={"Retry-After": str(RETRY_AFTER)})
