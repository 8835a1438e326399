"""A process that is killed at a commit, or while a sender hands a message over: it commits nothing from then on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from unittest.mock import patch

from sqlalchemy import Connection

from publisher.storage.engine import Database


class Killed(BaseException):
    """The process was killed."""


@dataclass(frozen=True, slots=True)
class CommitKill:
    """A kill at a commit of the main thread."""

    #: The number of the commit, from 1.
    at: int
    #: True to kill after that commit, False before it.
    is_after: bool


class SenderStep(StrEnum):
    """The steps of a delivery, each followed by the next."""

    #: The hand-over is to be committed: that transaction fails.
    CLAIMED = "claimed"
    #: The hand-over is committed, and the mail server has nothing yet.
    HANDED_OVER = "handed over"
    #: The mail server has the message, and the outcome is not committed.
    TAKEN = "taken"
    #: The outcome is committed.
    RECORDED = "recorded"


@dataclass(frozen=True, slots=True)
class SenderKill:
    """A kill in a thread that sends messages."""

    #: The number of the message, from 1.
    at: int
    step: SenderStep


class _DurableConnection:
    """A connection of the ledger. Its transactions fail once the process is killed."""

    def __init__(self, connection: Connection, process: Process) -> None:
        self._connection = connection
        self._process = process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    @contextmanager
    def begin(self) -> Iterator[None]:
        self._process.require_alive()
        with self._connection.begin():
            yield
            self._process.require_alive()
        with self._process.has_committed:
            self._process.has_committed.notify_all()


class Process:
    """A process with one command."""

    def __init__(self, kill: CommitKill | SenderKill | None = None) -> None:
        self._kill = kill
        self._commits = 0
        self._messages = 0
        self.is_dead = False
        #: Notified after each commit of the ledger.
        self.has_committed = threading.Condition()

    def require_alive(self) -> None:
        """Raise ``Killed`` in a process that was killed."""
        if self.is_dead:
            raise Killed

    @contextmanager
    def running(self) -> Iterator[None]:
        """Count the commits of the main thread, and let none happen after the kill."""
        real_write, real_durable = Database.write, Database.durable

        @contextmanager
        def write(db: Database) -> Iterator[Connection]:
            self.require_alive()
            is_last = threading.current_thread() is threading.main_thread() and self._is_last_commit()
            with real_write(db) as connection:
                yield connection
                if is_last and not self._is_after:
                    self.kill()
            if is_last:
                self.kill()

        @contextmanager
        def durable(db: Database) -> Iterator[_DurableConnection]:
            with real_durable(db) as connection:
                yield _DurableConnection(connection, self)

        with patch.object(Database, "write", write), patch.object(Database, "durable", durable):
            yield

    def kill(self) -> None:
        """Kill the process.

        Raises:
            Killed: always.
        """
        self.is_dead = True
        raise Killed

    def next_sender_step(self) -> SenderStep | None:
        """Count a message; return the step after which the process is killed, or None."""
        self._messages += 1
        is_last = isinstance(self._kill, SenderKill) and self._messages == self._kill.at
        return self._kill.step if is_last and isinstance(self._kill, SenderKill) else None

    def wait_for_commit(self, is_done: Callable[[], bool]) -> None:
        """Wait until the ledger has committed what IS_DONE looks for: group commits would make runs differ."""
        if not isinstance(self._kill, SenderKill):
            return
        with self.has_committed:
            while not self.is_dead and not is_done():
                self.has_committed.wait(timeout=1)

    @property
    def _is_after(self) -> bool:
        return isinstance(self._kill, CommitKill) and self._kill.is_after

    def _is_last_commit(self) -> bool:
        self._commits += 1
        return isinstance(self._kill, CommitKill) and self._commits == self._kill.at
