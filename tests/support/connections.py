"""Sessions of PostgreSQL that outlive the databases that tests open.

A new session costs a process of the server and a dozen queries of its catalogue: more than most tests ask of it. So
a connection that a test closes is reset, as a connection pooler does it, and used by the next one.
"""

from __future__ import annotations

import select
import threading
from collections import defaultdict
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Engine, event

#: The idle connections of a database; more are closed.
_MAX_IDLE = 8

_lock = threading.Lock()
#: Name of a database → its idle connections.
_idle: dict[str, list[Any]] = defaultdict(list)


def keep_connections(engine: Engine) -> None:
    """Keep the connections of an engine for the engines of the same database that follow."""
    event.listen(engine, "do_connect", _connect)


def idle_sessions(name: str) -> list[int]:
    """Return the process IDs of the idle connections of a database."""
    with _lock:
        return [connection.info.backend_pid for connection in _idle[name]]


def close_connections(name: str) -> None:
    """Close the idle connections of a database, as PostgreSQL requires to drop or to copy it."""
    with _lock:
        connections = _idle.pop(name, [])
    for connection in connections:
        connection.end()


def _connect(_dialect: Any, _record: Any, arguments: Any, options: dict[str, Any]) -> Any:
    with _lock:
        connections = _idle[options["dbname"]]
        while connections:
            connection = connections.pop()
            # The server sends nothing to an idle connection but that it ends it.
            if not select.select([connection], [], [], 0)[0]:
                return connection
            connection.end()
    return _connection_class().connect(*arguments, **options)


@cache
def _connection_class() -> Any:
    """Return the class of connections; only tests that need PostgreSQL import psycopg."""
    import psycopg

    class KeptConnection(psycopg.Connection[Any]):
        """A connection whose session is reset and kept when it is closed."""

        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._own_handlers: list[Callable[[Any], None]] = []

        def add_notice_handler(self, callback: Callable[[Any], None]) -> None:
            self._own_handlers.append(callback)
            super().add_notice_handler(callback)

        def close(self) -> None:
            name = self.info.dbname if not self.closed else ""
            if name and self._reset():
                with _lock:
                    if len(_idle[name]) < _MAX_IDLE:
                        _idle[name].append(self)
                        return
            self.end()

        def end(self) -> None:
            """Close it for good."""
            super().close()

        def _reset(self) -> bool:
            """Bring the session into the state of a new one; return False if that is impossible."""
            try:
                self.rollback()
                self.isolation_level = self.read_only = self.deferrable = None
                self.autocommit = True
                self.execute("DISCARD ALL")
                self.autocommit = False
            except psycopg.Error:
                return False
            while self._own_handlers:
                self.remove_notice_handler(self._own_handlers.pop())
            return True

    return KeptConnection
