"""Processes that send: each holds a lock as long as it lives, so that nobody has to guess by the clock."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select, text

from publisher.errors import StoreError
from publisher.private_files import FILE_MODE, make_private_folder
from publisher.storage.engine import Database
from publisher.storage.tables.delivery import sender

__all__ = ["LOCK_FOLDER", "active_sender", "dead_senders", "forget_sender"]

#: The folder, beside publisher.toml, of the files that senders on this machine hold.
LOCK_FOLDER: Final = ".publish.senders"
#: The first of two numbers of PostgreSQL's advisory locks; the second is the sender's own.
_ADVISORY: Final = 0x7365_6E64


@contextmanager
def active_sender(db: Database, root: Path, name: str, now: int) -> Iterator[int]:
    """Be a sender, and yield its number: nobody else takes its copies as long as this block or the process lives.

    Args:
        db: the store.
        root: the site's folder.
        name: what it is called where somebody asks.
        now: what time it is, seconds since 1970.
    """
    with contextlib.ExitStack() as held:
        with db.write() as connection:
            if connection.dialect.name == "postgresql":
                # Two at once would take the same number.
                connection.execute(text("LOCK TABLE sender IN EXCLUSIVE MODE"))
            number = int(connection.execute(select(func.coalesce(func.max(sender.c.id), 0))).scalar_one()) + 1
            connection.execute(insert(sender).values(id=number, name=name, started_at=now))
            # Before anybody can see the row: who sees it and gets the lock takes us for dead.
            held.enter_context(_held(db, root, number))
        yield number


@contextmanager
def _held(db: Database, root: Path, number: int) -> Iterator[None]:
    if db.engine.dialect.name == "postgresql":
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SELECT pg_advisory_lock(:first, :second)"), {"first": _ADVISORY, "second": number})
            yield
            connection.execute(
                text("SELECT pg_advisory_unlock(:first, :second)"), {"first": _ADVISORY, "second": number}
            )
        return
    path = root / LOCK_FOLDER / f"{number}.lock"
    handle = _open(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        with contextlib.suppress(OSError):
            path.unlink()
        os.close(handle)


def _open(path: Path) -> int:
    try:
        make_private_folder(path.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
    except OSError as error:
        raise StoreError(
            f"cannot open the lock {path}: {error.strerror}; the site's folder must be writable"
        ) from error


def dead_senders(connection: Connection, root: Path) -> list[int]:
    """Return senders that were killed, or left without a word: their locks are free."""
    numbers = connection.execute(select(sender.c.id).order_by(sender.c.id)).scalars().all()
    return [number for number in numbers if not _lives(connection, root, number)]


def _lives(connection: Connection, root: Path, number: int) -> bool:
    if connection.dialect.name == "postgresql":
        query = text("SELECT pg_try_advisory_xact_lock(:first, :second)")
        return not connection.execute(query, {"first": _ADVISORY, "second": number}).scalar()
    try:
        handle = os.open(root / LOCK_FOLDER / f"{number}.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def forget_sender(connection: Connection, number: int) -> None:
    """Take a sender out that has nothing in its hands."""
    connection.execute(delete(sender).where(sender.c.id == number))
