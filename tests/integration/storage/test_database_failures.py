"""What is said where a database cannot be read: the true cause, and nothing beside it."""

from __future__ import annotations

import logging
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.exc import DatabaseError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from publisher.errors import StoreBusy, StoreError
from publisher.storage import failures
from publisher.storage.engine import Database
from publisher.storage.failures import quiet_psycopg, translate_errors
from publisher.storage.tables.meta import meta
from tests.conftest import SiteKit

pytestmark = pytest.mark.postgresql

ROOT = Path(__file__).parents[3]
MALFORMED = "database disk image is malformed"


def driver_error(words: str, name: str) -> DatabaseError:
    """Return an error as SQLAlchemy raises it."""
    error = sqlite3.DatabaseError(words)
    error.sqlite_errorname = name
    return DatabaseError("SELECT 1", None, error)


def told(path: Path, words: str, name: str) -> str:
    with pytest.raises(StoreError) as raised, translate_errors(f"sqlite:///{path}"):
        raise driver_error(words, name)
    return str(raised.value)


@pytest.fixture
def path(kit: SiteKit) -> Path:
    kit.open().close()
    return kit.root / "publisher.db"


def test_a_failed_read_of_an_intact_file_is_not_called_damage(path: Path) -> None:
    """SQLite says "malformed" too where the disk has failed for a moment; the file is checked before that is repeated."""
    said = told(path, MALFORMED, "SQLITE_CORRUPT")
    assert "the file is intact: the disk had an I/O error" in said
    assert "malformed" not in said


@pytest.mark.parametrize("name", ["SQLITE_IOERR", "SQLITE_IOERR_READ", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_SHMMAP"])
def test_an_io_error_is_reported_as_an_error_of_the_disk(path: Path, name: str) -> None:
    """The message names the disk, and what to do about it."""
    assert f"the disk cannot be read or written ({name}). Check the disk" in told(path, "disk I/O error", name)


def test_a_damaged_file_is_called_so_with_the_first_finding(path: Path) -> None:
    """Where the file itself is damaged, a backup is the only help."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    data = bytearray(path.read_bytes())
    # The first page stays: the others hold nothing that makes sense.
    data[4096:] = b"\x07" * (len(data) - 4096)
    path.write_bytes(data)
    for suffix in ("-wal", "-shm"):
        path.with_name(f"{path.name}{suffix}").unlink(missing_ok=True)
    with (
        pytest.raises(StoreError, match=r"the file is damaged \(.+\)\. Stop every process") as raised,
        Database.open(f"sqlite:///{path}") as db,
        db.read() as connection,
    ):
        connection.exec_driver_sql("SELECT * FROM article").all()
    assert "restore" in str(raised.value)


def test_a_disk_that_cannot_be_written_is_named_by_the_command(kit: SiteKit) -> None:
    """A limit of the file size makes the disk refuse writes as an I/O error does."""
    kit.article()
    # The limit would also apply to the data file of coverage.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 64; exec "$@"', "-", sys.executable, "-m", "publisher", "now", "--site", str(kit.root)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    assert done.returncode == 3
    assert "the disk cannot be read or written (SQLITE_IOERR" in done.stderr
    assert "malformed" not in done.stderr and "Traceback" not in done.stderr


def test_a_full_disk_is_reported_with_the_fix(path: Path) -> None:
    """Free space; the command can be run again."""
    assert told(path, "database or disk is full", "SQLITE_FULL").endswith("; free space and run the command again")
    assert told(path, "attempt to write a readonly database", "SQLITE_READONLY").endswith("must exist and be writable")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("SQLITE_IOERR_READ", "the disk cannot be read or written (SQLITE_IOERR_READ)"),
        ("SQLITE_INTERRUPT", "PRAGMA quick_check\"' to see whether the file is damaged"),
        ("SQLITE_CANTOPEN", "the file is damaged (it failed)"),
    ],
)
def test_a_check_that_fails_itself_is_reported(
    path: Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    """The disk may fail again, and the check of a large file stops after some seconds."""

    def fail(*_: object, **__: object) -> None:
        error = sqlite3.OperationalError("it failed")
        error.sqlite_errorname = name
        raise error

    monkeypatch.setattr(failures.sqlite3, "connect", fail)
    assert message in told(path, MALFORMED, "SQLITE_CORRUPT")


def test_errors_without_a_usable_address_name_the_database() -> None:
    """The address itself may be the error, and may contain a password."""
    assert failures.url_without_password("::") == "the database"
    with pytest.raises(StoreError, match=r"^the database: database disk image is malformed$"), translate_errors("::"):
        raise driver_error(MALFORMED, "SQLITE_CORRUPT")
    assert "secret" not in failures.url_without_password("postgresql://user:secret@host/db")


def test_too_many_connections_of_this_process_can_be_tried_again() -> None:
    """A caller waits as for a lock."""
    with pytest.raises(StoreBusy, match="all connections of this process are in use"), translate_errors("sqlite://"):
        raise PoolTimeout


def test_a_missing_driver_is_reported_with_the_extra() -> None:
    """Other missing modules are errors of this program."""
    with pytest.raises(StoreError, match=r"pip install 'publisher\[postgres\]'"), translate_errors("postgresql://h/d"):
        raise ModuleNotFoundError(name="psycopg")
    with pytest.raises(ModuleNotFoundError), translate_errors("postgresql://h/d"):
        raise ModuleNotFoundError(name="json")


def test_a_lock_of_another_process_raises_store_busy(path: Path) -> None:
    """Callers that can wait and try again tell it from others."""
    with pytest.raises(StoreBusy, match="another process is writing to it"), translate_errors(f"sqlite:///{path}"):
        raise driver_error("database is locked", "SQLITE_BUSY")


def test_psycopg_prints_nothing_beside_the_error_that_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    """Its note that ending a pipeline has failed as well says nothing new; other warnings stay."""
    quiet_psycopg()
    quiet_psycopg()
    logger = logging.getLogger("psycopg")
    logger.warning("error ignored terminating %r: %s", "<psycopg.Pipeline [BAD]>", "the connection is closed")
    logger.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["something else"]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_goes_away_is_one_error(database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A connection that ends in the middle of many rows is raised once, and nothing is printed."""
    with Database.open(database_url) as db, pytest.raises(StoreError), db.write() as connection:
        pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()
        with db.read() as other:
            other.exec_driver_sql(f"SELECT pg_terminate_backend({pid})")
        rows = [{"key": f"k{number}", "value": "x"} for number in range(2000)]
        connection.execute(insert(meta), rows)
    out, err = capfd.readouterr()
    assert out + err == ""
