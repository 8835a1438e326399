"""Registry of sending processes.

Each holds a lock for as long as it lives, so no timeout decides whether it is dead.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, text

from publisher.storage.engine import Database
from publisher.storage.facts import increment_fact
from publisher.storage.locks import release_session_lock
from publisher.storage.process_lock import hold_lock, is_locked
from publisher.storage.tables.delivery import delivery, sender

#: Folder beside publisher.toml with the lock files of the senders on this machine.
LOCK_FOLDER: Final = ".publish.senders"
#: The first of two numbers of PostgreSQL's advisory locks; the second is the sender's number.
_ADVISORY: Final = 0x7365_6E64
#: The fact with the number of the last sender.
_LAST_NUMBER: Final = "last_sender"
#: Senders that have claims. The first condition is that of an index: SQLite uses it only if both are written alike.
_WITH_CLAIMS: Final = (
    select(delivery.c.sender_id)
    .where(
        text("state IN ('sending', 'handed over', 'deferred', 'uncertain')"),
        delivery.c.sender_id.is_not(None),
    )
    .distinct()
)


@contextmanager
def active_sender(db: Database, root: Path, name: str, now: int) -> Iterator[int]:
    """Register this process as a sender, with a NAME for reports, and yield its number.

    Its claims are safe while the block runs.

    Raises:
        StoreError: the lock file cannot be created.
    """
    with contextlib.ExitStack() as stack:
        with db.write() as connection:
            number = _next_number(connection)
            connection.execute(insert(sender).values(id=number, name=name, started_at=now))
            # Before the row is visible: a sender without a lock counts as dead.
            stack.enter_context(_sender_lock(db, root, number))
        yield number


def _next_number(connection: Connection) -> int:
    """Return a number that no sender has ever had.

    Another process may still hold the lock of a number that was used before: the recovery of a dead sender, or the
    sender itself at its end. The registration would wait for that process in its transaction, and that process for the
    transaction. PostgreSQL cannot detect such a deadlock, because the transaction waits on a second connection.
    """
    greatest = connection.execute(select(func.coalesce(func.max(sender.c.id), 0))).scalar_one()
    return increment_fact(connection, _LAST_NUMBER, 1, at_least=greatest) + 1


def _sender_lock(db: Database, root: Path, number: int) -> AbstractContextManager[None]:
    if db.engine.dialect.name == "postgresql":
        return _session_lock(db, number)
    return hold_lock(_lock_path(root, number))


@contextmanager
def _session_lock(db: Database, number: int) -> Iterator[None]:
    numbers = {"first": _ADVISORY, "second": number}
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT pg_advisory_lock(:first, :second)"), numbers)
        yield
        release_session_lock(connection, _ADVISORY, number)


def _lock_path(root: Path, number: int) -> Path:
    return root / LOCK_FOLDER / f"{number}.lock"


def dead_senders(connection: Connection, root: Path) -> list[int]:
    """Return the numbers of senders whose process has ended: their locks are free.

    A sender that lost its lock is forgotten while it runs, and may claim deliveries after that. So senders are found by
    their claims, too.
    """
    registered = connection.execute(select(sender.c.id)).scalars()
    numbers = {*registered, *connection.execute(_WITH_CLAIMS).scalars()}
    return [number for number in sorted(numbers) if not _is_alive(connection, root, number)]


def _is_alive(connection: Connection, root: Path, number: int) -> bool:
    if connection.dialect.name == "postgresql":
        query = text("SELECT pg_try_advisory_xact_lock(:first, :second)")
        return not connection.execute(query, {"first": _ADVISORY, "second": number}).scalar()
    return is_locked(_lock_path(root, number))


def forget_sender(connection: Connection, number: int) -> None:
    """Delete a sender that has no claims."""
    connection.execute(delete(sender).where(sender.c.id == number))


def delete_stale_locks(root: Path) -> None:
    """Delete the lock files of killed senders. Call it in a write transaction: a new sender locks its file in one."""
    for path in (root / LOCK_FOLDER).glob("*.lock"):
        with contextlib.suppress(OSError):
            if not is_locked(path):
                path.unlink()
