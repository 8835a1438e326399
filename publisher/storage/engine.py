"""The database: opening, transactions, schema, and the lock of a publishing run."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.exc import OperationalError, ProgrammingError

from publisher.errors import SchemaTooNew, StoreError
from publisher.private_files import FILE_MODE
from publisher.storage.failures import database_path, quiet_psycopg, translate_errors
from publisher.storage.locks import release_session_lock
from publisher.storage.process_lock import LOCK_FILE, file_lock, wait_for
from publisher.storage.tables import REVISION, metadata

#: An arbitrary number for the advisory lock on PostgreSQL.
_ADVISORY_LOCK: Final = 0x7075_626C
_NETWORK_FILE_SYSTEMS: Final = frozenset(["nfs", "nfs4", "cifs", "smb2", "smb3", "smbfs", "ncpfs", "afs", "fuse.sshfs"])
#: Seconds that a statement waits for another connection's write.
BUSY_SECONDS = 30
#: Open databases of this process.
_open: weakref.WeakSet[Database] = weakref.WeakSet()


def has_open_database() -> bool:
    """Return whether this process has an open database: it must not fork then."""
    return bool(_open)


class Database:
    """The database. ``write()`` gives a transaction, ``read()`` a connection.

    With ``dry_run`` everything happens in one transaction that ``close()`` rolls back. An older schema is upgraded
    in it too, so that ``publish status`` can show what the next run will change.
    """

    def __init__(self, engine: Engine, *, dry_run: bool = False, is_old: bool = False) -> None:
        self.engine = engine
        _open.add(self)
        self._url = engine.url.render_as_string(hide_password=False)
        self._dry: Connection | None = None
        self._shared = threading.local()
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
        wait_seconds: int = BUSY_SECONDS,
    ) -> Database:
        """Open the database at an SQLAlchemy URL; create or upgrade it if needed.

        Args:
            mounts: the system's list of mounted file systems.
            wait_seconds: how long a statement waits for another connection's write. PostgreSQL waits without a
                limit unless this differs from the default.

        Raises:
            StoreError: it cannot be reached, is on a network file system, or belongs to another program.
            SchemaTooNew: a newer publisher has upgraded it.
        """
        with translate_errors(url):
            path = database_path(url)
            if path is not None:
                _reject_network_file_system(path, Path(mounts))
                if not dry_run:
                    # SQLite gives -wal and -shm the mode of the database, and reports why it cannot be opened.
                    with contextlib.suppress(OSError):
                        path.touch(FILE_MODE, exist_ok=False)
                elif not path.exists():
                    url = "sqlite://"
            engine = _engine(url, wait_seconds)
            try:
                # An up-to-date database is opened without a write: another process may hold the lock.
                is_old = False
                if not _is_current(engine):
                    with engine.connect().execution_options(write=not dry_run) as connection, connection.begin():
                        is_old = _migrate(connection, may_write=not dry_run or url == "sqlite://")
                return cls(engine, dry_run=dry_run, is_old=is_old)
            except BaseException:
                engine.dispose()
                raise

    @property
    def is_dry_run(self) -> bool:
        """Whether ``close`` rolls back every change."""
        return self._dry is not None

    @property
    def _outer(self) -> Connection | None:
        """The transaction that this thread's reads and writes are part of."""
        return self._dry or getattr(self._shared, "connection", None)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Make every ``write()`` and ``read()`` of this thread part of one transaction.

        It commits at the end, or rolls back as a whole on an error.
        """
        if self._outer is not None:
            with self.write() as connection:
                yield connection
            return
        with self.write() as connection:
            self._shared.connection = connection
            try:
                yield connection
            finally:
                del self._shared.connection

    def require_commits(self, action: str) -> None:
        """Raise an error if writes of this thread may be rolled back after ACTION, which cannot be taken back.

        Raises:
            StoreError: this thread has a transaction, or this is a dry run.
        """
        if self._dry is not None:
            raise StoreError(f"{action} cannot be part of a dry run. Open the site without dry_run")
        if self._outer is not None:
            raise StoreError(f"{action} cannot be part of a transaction. Call it before or after the transaction")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Return a transaction with the write lock; it commits or rolls back as a whole."""
        with translate_errors(self._url):
            if (outer := self._outer) is not None:
                with outer.begin_nested():
                    yield outer
                return
            with self.engine.connect().execution_options(write=True) as connection, connection.begin():
                yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Return a connection that sees one state of the database."""
        with translate_errors(self._url):
            if (outer := self._outer) is not None:
                yield outer
                return
            with self.engine.connect() as connection:
                yield connection

    @contextmanager
    def durable(self) -> Iterator[Connection]:
        """Return a connection for many transactions, each on the disk when it is committed.

        Everything else can be regenerated after a power failure; the record of a sent message cannot.

        Raises:
            StoreError: this thread has a transaction, which would hold these up.
        """
        if self._dry is None:
            self.require_commits("sending")
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
        """Close the connections, and roll back a dry run."""
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
        """Lock the site: no other publishing run works on it, on any machine. A dry run needs no lock.

        The operating system releases the lock if the process is killed. ON_WAIT gets a name for the holder, if there is
        one to wait for.

        Raises:
            StoreBusy: the other run did not finish in time.
            StoreError: this thread has a transaction, which would hold up the other run.
        """
        if self._dry is not None:
            yield
            return
        self.require_commits("a publishing run")
        deadline = time.monotonic() + wait_seconds
        with file_lock(root / LOCK_FILE, deadline, on_wait), self._advisory_lock(deadline, on_wait):
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
            with translate_errors(self._url):
                wait_for(
                    lambda: bool(connection.execute(query, {"number": _ADVISORY_LOCK}).scalar()),
                    deadline,
                    lambda: on_wait("another machine"),
                    "another machine",
                )
            try:
                yield
            finally:
                release_session_lock(connection, _ADVISORY_LOCK)


def _engine(url: str, wait_seconds: int) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", partial(_on_sqlite_connect, wait_seconds))
        event.listen(engine, "begin", _on_sqlite_begin)
        return engine
    quiet_psycopg()
    if wait_seconds != BUSY_SECONDS:
        event.listen(engine, "connect", partial(_on_postgresql_connect, wait_seconds))
    return engine


def _on_postgresql_connect(wait_seconds: int, connection: Any, _: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{wait_seconds}s'")
    connection.commit()


def _on_sqlite_connect(wait_seconds: int, connection: Any, _: Any) -> None:
    # The driver begins deferred transactions: of 2,000 writes by four processes 542 then fail with "database
    # is locked". _on_sqlite_begin begins them instead.
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
    """Switch to WAL, with retries.

    SQLite does not wait here if several processes open a new file at once.
    """
    deadline = time.monotonic() + BUSY_SECONDS
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
    """Return whether the database has this version's schema; False if that cannot be read."""
    query = text("SELECT version_num FROM alembic_version")
    with engine.connect() as connection:
        try:
            return connection.execute(query).scalar() == REVISION
        except (OperationalError, ProgrammingError):
            # Asked afterwards, because to ask for a table takes longer than to read it.
            connection.rollback()
            # Another process may have created it since, so that it is read again.
            return inspect(connection).has_table("alembic_version") and connection.execute(query).scalar() == REVISION


def _migrate(connection: Connection, *, may_write: bool) -> bool:
    """Upgrade the schema to :data:`REVISION` if MAY_WRITE; return whether it is still old."""
    if may_write and connection.dialect.name == "postgresql":
        # Two first runs at once would both create the tables. (On SQLite: BEGIN IMMEDIATE.)
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
    version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version == REVISION:
        return False
    if version is not None and str(version) > REVISION:
        raise SchemaTooNew(
            f"the database was made by a newer version of publisher (schema {version}; this version has {REVISION}). "
            "Install that version"
        )
    if may_write:
        _upgrade(connection)
    return not may_write


def _set_index_conditions() -> None:
    """Copy the conditions of partial indexes from SQLite's option to PostgreSQL's.

    ``postgresql_where`` in the schema would import that dialect: 25 ms for each command on SQLite.
    """
    for index in (index for table in metadata.tables.values() for index in table.indexes):
        if (condition := index.dialect_options["sqlite"]["where"]) is not None:
            index.dialect_options["postgresql"]["where"] = condition


def _upgrade(connection: Connection) -> None:
    # Importing Alembic takes 0.4 s.
    from publisher.storage.migrate import upgrade

    upgrade(connection)


def _reject_network_file_system(path: Path, mounts: Path) -> None:
    """Reject SQLite on a network file system.

    Its locks do not hold across machines, which would corrupt the database.
    """
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
