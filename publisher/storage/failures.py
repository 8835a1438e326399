"""Turn errors of SQLAlchemy and the drivers into messages with cause and fix."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from publisher.errors import PublisherError, StoreBusy, StoreError

#: Seconds that the check of a damaged database may take.
_CHECK_SECONDS: Final = 10.0


def url_without_password(url: str) -> str:
    """Return a database URL without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "the database"


@contextmanager
def translate_errors(url: str) -> Iterator[None]:
    """Raise errors of SQLAlchemy and of the drivers as :class:`StoreError`."""
    name = url_without_password(url)
    try:
        yield
    except PublisherError:
        raise
    except DBAPIError as error:
        raise _translate(name, database_path(url), error) from error
    except PoolTimeout as error:
        raise StoreBusy(f"{name}: all connections of this process are in use; try again") from error
    except ModuleNotFoundError as error:
        if error.name != "psycopg":
            raise
        raise StoreError("PostgreSQL needs the extra: pip install 'publisher[postgres]'") from error
    except (NoSuchModuleError, SQLAlchemyError) as error:
        raise StoreError(f"{name}: {' '.join(str(error).split())}") from error


def database_path(url: str) -> Path | None:
    """Return the file of an SQLite database; None for other databases and invalid URLs."""
    try:
        address = make_url(url)
    except SQLAlchemyError:
        return None
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


def _translate(name: str, path: Path | None, error: DBAPIError) -> StoreError:
    reason = " ".join(str(error.orig).split())
    code = str(getattr(error.orig, "sqlite_errorname", ""))
    if "locked" in reason or "lock timeout" in reason:
        return StoreBusy(f"{name}: {reason}; another process is writing to it. Try again")
    if code.startswith("SQLITE_IOERR"):
        return StoreError(f"{name}: {_disk_error(code)}")
    if code.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")) and path is not None:
        return StoreError(f"{name}: {_why_unreadable(path, reason)}")
    if "full" in reason:
        return StoreError(f"{name}: {reason}; free space and run the command again")
    if "readonly" in reason or "unable to open" in reason:
        return StoreError(f"{name}: {reason}; the folder must exist and be writable")
    return StoreError(f"{name}: {reason}")


def _disk_error(code: str) -> str:
    return (
        f"the disk cannot be read or written ({code}). Check the disk, its quota and its free space, then run the "
        "command again; what was committed is kept"
    )


def _why_unreadable(path: Path, reason: str) -> str:
    """Return why SQLite calls a database damaged: it does so also if only a read has failed.

    The file is read by SQLite alone. If this process opened and closed the file itself, it would lose the locks
    that SQLite holds on it (https://www.sqlite.org/howtocorrupt.html, section 2.2).
    """
    deadline = time.monotonic() + _CHECK_SECONDS
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            connection.set_progress_handler(lambda: time.monotonic() > deadline, 10_000)
            finding = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        code = str(getattr(error, "sqlite_errorname", ""))
        if code.startswith("SQLITE_IOERR"):
            return _disk_error(code)
        if code == "SQLITE_INTERRUPT":
            return f"{reason}. Run 'sqlite3 {path} \"PRAGMA quick_check\"' to see whether the file is damaged"
        if code == "SQLITE_NOTADB":
            return "the file is not an SQLite database. Restore it from a backup, or name another file in database.url"
        finding = str(error)
    if finding == "ok":
        return (
            "a read has failed, but the file is intact: the disk had an I/O error, or another program has replaced the "
            "file or its -wal file. Check the disk, then run the command again"
        )
    finding = " ".join(finding.replace("*** in database main ***", "").split())
    return (
        f"the file is damaged ({finding}). Stop every process of the site, and restore the file together with its -wal "
        "file from a backup"
    )


def _is_cause(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("error ignored")


def quiet_psycopg() -> None:
    """Keep psycopg from printing errors of its clean-up, which follow from the raised one."""
    logging.getLogger("psycopg").addFilter(_is_cause)
