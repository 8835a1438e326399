"""Opening the database, its transactions, its schema and the lock that one run at a time holds."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect, make_url, text

from publisher.errors import SchemaTooNew, StoreBusy, StoreError
from publisher.private_files import create_private
from publisher.storage.failures import quiet_psycopg, translate_errors
from publisher.storage.process_lock import open_lock, try_lock
from publisher.storage.tables import REVISION, metadata

__all__ = ["LOCK_FILE", "Database", "database_path", "has_open_database"]

#: Stands beside publisher.toml; the run that holds it writes its process number into it.
LOCK_FILE: Final = ".publish.lock"
#: An arbitrary number that PostgreSQL's advisory locks of this program share.
_ADVISORY_LOCK: Final = 0x7075_626C
_NETWORK_FILE_SYSTEMS: Final = frozenset(["nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "fuse.sshfs"])
#: Seconds that one statement waits for another connection's write.
_BUSY_SECONDS = 30
#: Databases of this process that were opened and not closed.
_open: weakref.WeakSet[Database] = weakref.WeakSet()


def has_open_database() -> bool:
    """Return whether this process has an open database: it must not be forked then."""
    return bool(_open)


class Database:
    """The store. ``write()`` gives a transaction that commits as a whole, ``read()`` a connection.

    With ``dry_run`` everything happens inside one transaction that is rolled back on ``close()``. An older
    schema is upgraded inside it too, so that ``publish status`` tells what the next run is going to change.
    """

    def __init__(self, engine: Engine, *, dry_run: bool = False, is_old: bool = False) -> None:
        self.engine = engine
        _open.add(self)
        self._url = engine.url.render_as_string(hide_password=False)
        self._dry: Connection | None = None
        if dry_run:
            self._dry = engine.connect().execution_options(write=True)
            self._dry.begin()
        if self._dry is not None and is_old:
            _upgrade(self._dry)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        dry_run: bool = False,
        mounts: str = "/proc/self/mounts",
        wait_seconds: int = _BUSY_SECONDS,
    ) -> Database:
        """Open the database at an SQLAlchemy URL; create or upgrade it where that is needed.

        Args:
            url: the database.
            dry_run: roll everything back on ``close``.
            mounts: the system's list of mounted file systems.
            wait_seconds: how long a statement waits for another connection's write. PostgreSQL waits without a
                bound unless this differs from the default.

        Raises:
            StoreError: it cannot be reached, is on a network file system, or belongs to another program.
            SchemaTooNew: a newer publisher has upgraded it.
        """
        with translate_errors(url):
            address = make_url(url)
            path = Path(address.database) if address.drivername == "sqlite" and address.database else None
            if path is not None:
                _refuse_network_file_system(path, Path(mounts))
                if dry_run and not path.exists():
                    url = "sqlite://"
            if path is not None and not dry_run:
                # SQLite gives -wal and -shm the mode of the database.
                _create(path)
            engine = _engine(url, wait_seconds)
            try:
                # A database that is up to date is opened without a write: another process may hold the lock.
                is_old = False
                if not _is_current(engine):
                    with engine.connect().execution_options(write=not dry_run) as connection, connection.begin():
                        is_old = _migrate(connection, may_write=not dry_run or url == "sqlite://")
                return cls(engine, dry_run=dry_run, is_old=is_old)
            except BaseException:
                engine.dispose()
                raise

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that takes the write lock at once, and commits or rolls back as a whole."""
        with translate_errors(self._url):
            if self._dry is not None:
                with self._dry.begin_nested():
                    yield self._dry
                return
            with self.engine.connect().execution_options(write=True) as connection, connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one state of the database."""
        with translate_errors(self._url):
            if self._dry is not None:
                yield self._dry
                return
            with self.engine.connect() as connection:
                yield connection

    @contextmanager
    def durable(self) -> Iterator[Connection]:
        """A connection for many transactions, each of which is on the disk when it is committed.

        Everything else that is written can be made again; what is known of a message that has left cannot.
        """
        with translate_errors(self._url), self.engine.connect() as connection:
            if self.engine.dialect.name != "sqlite":
                yield connection
                return
            driver: Any = connection.connection.driver_connection
            driver.execute("PRAGMA synchronous = FULL")
            try:
                yield connection.execution_options(write=True)
            finally:
                connection.rollback()
                driver.execute("PRAGMA synchronous = NORMAL")

    def close(self) -> None:
        """Let go of the connections; after a dry run, of everything that it wrote."""
        if self._dry is not None:
            self._dry.rollback()
            self._dry.close()
        self.engine.dispose()
        _open.discard(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def exclusive(
        self, root: Path, *, wait_seconds: float = 600, on_wait: Callable[[str], None] = lambda holder: None
    ) -> Iterator[None]:
        """Hold the site: no other run works on it meanwhile, here or on another machine.

        The lock goes with the process, so one that was killed leaves none behind.

        Args:
            root: the site's folder.
            wait_seconds: how long another run is waited for.
            on_wait: told once, with a name for the holder, when there is one to wait for.

        Raises:
            StoreBusy: the other run did not finish in time.
        """
        deadline = time.monotonic() + wait_seconds
        with _file_lock(root / LOCK_FILE, deadline, on_wait), self._advisory_lock(deadline, on_wait):
            yield

    @contextmanager
    def _advisory_lock(self, deadline: float, on_wait: Callable[[str], None]) -> Iterator[None]:
        if self.engine.dialect.name != "postgresql":
            yield
            return
        with translate_errors(self._url):
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        with connection:
            query = text("SELECT pg_try_advisory_lock(:number)")
            _wait(
                lambda: bool(connection.execute(query, {"number": _ADVISORY_LOCK}).scalar()),
                deadline,
                lambda: on_wait("another machine"),
                "another machine",
            )
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": _ADVISORY_LOCK})


@contextmanager
def _file_lock(path: Path, deadline: float, on_wait: Callable[[str], None]) -> Iterator[None]:
    handle = open_lock(path)

    def holder() -> str:
        number = os.pread(handle, 20, 0).decode("ascii", "replace").strip()
        return f"process {number}" if number else "another process"

    try:
        _wait(lambda: try_lock(handle), deadline, lambda: on_wait(holder()), "another process")
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _wait(taken: Callable[[], bool], deadline: float, on_wait: Callable[[], None], holder: str) -> None:
    told = False
    while not taken():
        if not told:
            on_wait()
            told = True
        if time.monotonic() >= deadline:
            raise StoreBusy(f"{holder} is publishing this site and did not finish in time; try again later")
        time.sleep(0.05)


def _engine(url: str, wait_seconds: int) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_on_sqlite_connect, wait_seconds))
        event.listen(engine, "begin", _on_sqlite_begin)
        return engine
    quiet_psycopg()
    if wait_seconds != _BUSY_SECONDS:
        event.listen(engine, "connect", partial(_on_postgresql_connect, wait_seconds))
    return engine


def _on_postgresql_connect(wait_seconds: int, connection: Any, _: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{wait_seconds}s'")
    connection.commit()


def _on_sqlite_connect(wait_seconds: int, connection: Any, _: Any) -> None:
    # The driver's own transaction handling begins deferred ones: of 2,000 writes by four
    # processes 542 then fail with "database is locked". BEGIN is ours (see _on_sqlite_begin).
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {wait_seconds * 1000}",
        "synchronous = NORMAL",
        "foreign_keys = ON",
        "cache_size = -32768",
        "wal_autocheckpoint = 16384",
    ):
        connection.execute(f"PRAGMA {pragma}")
    _use_wal(connection)


def _use_wal(connection: Any) -> None:
    """Switch to WAL. Where several processes open a new database at once, SQLite refuses some without waiting."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _on_sqlite_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_current(engine: Engine) -> bool:
    """Tell whether the database has the schema of this version; False also where that cannot be read."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return False
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION


def _migrate(connection: Connection, *, may_write: bool) -> bool:
    """Bring the schema to :data:`REVISION`, and return whether it is still an older one: it may not be written."""
    if may_write and connection.dialect.name == "postgresql":
        # Two first runs at the same moment would both make the tables. (SQLite: BEGIN IMMEDIATE.)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": _ADVISORY_LOCK + 1})
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" not in tables:
        if tables & set(metadata.tables):
            raise StoreError("the database has tables of these names that are not the publisher's; name another one")
        if not may_write:
            raise StoreError("the database is empty; run publish now without --dry-run first")
        if connection.dialect.name == "postgresql":
            _set_index_conditions()
        metadata.create_all(connection)
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
        connection.execute(text("INSERT INTO alembic_version VALUES (:revision)"), {"revision": REVISION})
        return False
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found == REVISION:
        return False
    if found is not None and str(found) > REVISION:
        raise SchemaTooNew(
            f"the database is of a newer publisher (schema {found}, this one knows {REVISION}); upgrade it"
        )
    if may_write:
        _upgrade(connection)
    return not may_write


def _set_index_conditions() -> None:
    """Copy the conditions of partial indexes from SQLite's option to PostgreSQL's.

    ``postgresql_where`` in the schema would import that dialect, 25 ms of each command on SQLite.
    """
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        if (condition := index.dialect_options["sqlite"]["where"]) is not None:
            index.dialect_options["postgresql"]["where"] = condition


def _upgrade(connection: Connection) -> None:
    # Alembic takes 0.4 s to import.
    from publisher.storage.migrate import upgrade

    upgrade(connection)


def database_path(url: str) -> Path | None:
    """Return the file of an SQLite database; None for other databases, and for one in memory."""
    address = make_url(url)
    return Path(address.database) if address.get_backend_name() == "sqlite" and address.database else None


def _create(path: Path) -> None:
    with contextlib.suppress(OSError):
        # SQLite says itself why the file cannot be opened.
        create_private(path)


def _refuse_network_file_system(path: Path, mounts: Path) -> None:
    """SQLite's locks do not hold across machines; a shared folder corrupts the store."""
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return
    folder = str(path.resolve().parent)
    best, kind = "", ""
    for line in lines:
        fields = line.split()
        if len(fields) < 3:
            continue
        mount = fields[1].replace("\\040", " ")
        if len(mount) >= len(best) and (folder + "/").startswith(mount.rstrip("/") + "/"):
            best, kind = mount, fields[2]
    if kind in _NETWORK_FILE_SYSTEMS:
        raise StoreError(
            f"{path} lies on a network file system ({kind}), where SQLite cannot lock; "
            "move the site to a local disk, or use PostgreSQL: set database.url"
        )
