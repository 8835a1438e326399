"""Opening, migrating, locking and refusing databases."""

from __future__ import annotations

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from publisher.articles import store
from publisher.errors import SchemaTooNew, StoreBusy, StoreError
from publisher.storage import facts
from publisher.storage.engine import Database
from publisher.storage.migrate import upgrade
from publisher.storage.tables import REVISION, metadata
from tests.conftest import SiteKit, ids, titles
from tests.support.databases import end_lock_holders

pytestmark = pytest.mark.postgresql


def test_the_migrations_build_the_schema(database_url: str) -> None:
    """An upgraded database and a new one have the same tables."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection)
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    with Database.open(database_url) as db, db.read() as connection:
        assert store.count_articles(connection) == 0


def test_indexes_of_open_rows_leave_out_the_others_in_a_new_database(database_url: str) -> None:
    """Most deliveries and slots are done; an index of all of them would grow without end."""
    with Database.open(database_url) as db, db.read() as connection:
        table, column = ("pg_indexes", "indexdef") if "postgres" in database_url else ("sqlite_master", "sql")
        query = f"SELECT {column} FROM {table} WHERE {column} LIKE 'CREATE INDEX ix_%_open %'"
        definitions = connection.execute(text(query)).scalars().all()
    assert len(definitions) == 2
    assert all(" WHERE " in definition for definition in definitions)


def test_articles_of_the_first_schema_keep_their_ids_and_order(database_url: str, kit: SiteKit) -> None:
    """A site of before archives: the next run files everything on pages, and changes no id."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection, "0001")
        connection.execute(text("INSERT INTO facet VALUES (1, 'all', 'all', 'all', 'all')"))
        connection.execute(text("INSERT INTO meta VALUES ('feeds_fingerprint', 'x')"))
        for seq, changed in ((1, 100), (2, 900), (3, 300)):
            record = '{"date":"2026-01-01","title":"T' + str(seq) + '"}'
            values = {
                "seq": seq,
                "id": f"urn:{seq}",
                "path": f"/{seq}",
                "at": seq * 100,
                "changed": changed,
                "r": record,
            }
            connection.execute(
                text(
                    "INSERT INTO article (seq, id, path, asked_at, published_at, changed_at, hash, record, body, source)"
                    " VALUES (:seq, :id, :path, :at, :at, :changed, 'h', :r, '<p>b</p>', 's')"
                ),
                values,
            )
            connection.execute(text("INSERT INTO membership VALUES (1, :at, :seq)"), values)
    engine.dispose()
    kit.add_settings(f'\n[database]\nurl = "{database_url}"\n[feeds]\nlimit = 1\n')
    assert kit.publish().exit_status == 0
    assert ids(kit) == ["urn:2"] and titles(kit) == ["T2"]
    assert [ids(kit, f"archive/all/{page}") for page in (1, 2, 3)] == [["urn:1"], ["urn:2"], ["urn:3"]]


def test_a_database_without_a_revision_is_upgraded(database_url: str) -> None:
    """An empty version table counts as the oldest schema."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    engine.dispose()
    with Database.open(database_url) as db, db.read() as connection:
        assert store.count_articles(connection) == 0


def test_a_dry_run_upgrades_an_old_database_for_itself_alone(database_url: str) -> None:
    """A dry run sees the new schema, and the database keeps the old one."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection, "0001")
    for _ in range(2):
        with Database.open(database_url, dry_run=True) as db, db.read() as connection:
            assert store.count_articles(connection) == 0
            assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
        assert "draft" not in inspect(connection).get_table_names()
    engine.dispose()


def test_a_newer_schema_is_rejected(database_url: str) -> None:
    """An older version would not know its tables."""
    with Database.open(database_url) as db, db.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="newer version of publisher"):
        Database.open(database_url)


def test_a_database_of_another_program_is_rejected(database_url: str) -> None:
    """Tables of the same names must not be overwritten."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE article (x INTEGER)"))
    engine.dispose()
    with pytest.raises(StoreError, match="not the publisher's"):
        Database.open(database_url)


def test_a_dry_run_rejects_an_empty_database(database_url: str) -> None:
    """There is nothing to read before the first run."""
    if database_url.startswith("sqlite"):
        Path(database_url.removeprefix("sqlite:///")).touch()
    with pytest.raises(StoreError, match="run publish now"):
        Database.open(database_url, dry_run=True)


def test_a_dry_run_without_a_database_makes_none(tmp_path: Path) -> None:
    """A look at a new folder would begin a site there."""
    with Database.open(f"sqlite:///{tmp_path / 'x.db'}", dry_run=True) as db, db.read() as connection:
        assert store.count_articles(connection) == 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("sqlite:////nowhere/at/all/x.db", "must exist and be writable"),
        ("postgresql+psycopg://u:secret@127.0.0.1:9/x?connect_timeout=2", "postgresql"),
        ("nonsense+x://", "nonsense"),
    ],
)
def test_a_failed_connection_is_reported_without_the_password(url: str, reason: str) -> None:
    """Error messages end up in logs."""
    with pytest.raises(StoreError, match=reason) as error:
        Database.open(url)
    assert "secret" not in str(error.value)


def test_a_file_that_is_not_a_database_is_reported(tmp_path: Path) -> None:
    """The message names the file and the fix."""
    (tmp_path / "x.db").write_bytes(b"not a database at all, but long enough" * 100)
    with pytest.raises(StoreError, match="not an SQLite database"):
        Database.open(f"sqlite:///{tmp_path / 'x.db'}")


def test_sqlite_on_a_network_file_system_is_rejected(tmp_path: Path) -> None:
    """Its locks do not hold across machines."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/vda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\nshort\n")
    with pytest.raises(StoreError, match=r"network file system \(nfs4\)"):
        Database.open(f"sqlite:///{tmp_path / 'x.db'}", mounts=str(mounts))
    mounts.write_text("/dev/vda / ext4 rw 0 0\n")
    Database.open(f"sqlite:///{tmp_path / 'x.db'}", mounts=str(mounts)).close()
    Database.open(f"sqlite:///{tmp_path / 'x.db'}", mounts=str(tmp_path / "nowhere")).close()


def test_postgresql_without_its_driver_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator would see an ImportError in place of the package to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match="publisher\\[postgres\\]"):
        Database.open("postgresql+psycopg://u@127.0.0.1:9/x")


def test_a_second_publishing_run_waits_for_the_lock(db: Database, tmp_path: Path) -> None:
    """It gives up after its timeout, and names the holder."""
    waited: list[str] = []
    with (
        db.exclusive(tmp_path),
        pytest.raises(StoreBusy, match="try again later"),
        db.exclusive(tmp_path, wait_seconds=0, on_wait=waited.append),
    ):
        pass
    assert len(waited) == 1 and waited[0].startswith("process ")
    with db.exclusive(tmp_path):
        pass


def test_a_waiting_run_continues_when_the_other_ends(db: Database, tmp_path: Path) -> None:
    """The lock passes to the waiting run."""
    held, order = threading.Event(), []

    def first() -> None:
        with db.exclusive(tmp_path):
            held.set()
            waiting.wait(10)
            order.append("first")

    waiting = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    held.wait(10)
    with db.exclusive(tmp_path, on_wait=lambda _: waiting.set()):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_runs_on_two_machines_exclude_each_other(postgres: str, tmp_path: Path) -> None:
    """PostgreSQL's advisory lock covers all machines."""
    url = postgres.replace("postgresql://", "postgresql+psycopg://")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with (
        Database.open(url) as one,
        Database.open(url) as other,
        one.exclusive(tmp_path / "a"),
        pytest.raises(StoreBusy, match="another machine"),
        other.exclusive(tmp_path / "b", wait_seconds=0),
    ):
        pass


@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_a_run_that_lost_the_connection_of_its_lock_ends_as_it_does_otherwise(db: Database, tmp_path: Path) -> None:
    """The server has released the lock with the connection, so only an error of the run itself is raised."""
    for _ in range(2):
        with db.exclusive(tmp_path), db.write() as connection:
            end_lock_holders(connection)
    with pytest.raises(ZeroDivisionError), db.exclusive(tmp_path), db.write() as connection:
        end_lock_holders(connection)
        raise ZeroDivisionError


@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_a_wait_for_the_lock_that_loses_its_connection_is_an_error_of_the_store(db: Database, tmp_path: Path) -> None:
    """The message names the database and the reason."""
    waiting = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_try_advisory%%'"
    )

    def end_waiting(_: str) -> None:
        with db.read() as connection:
            connection.exec_driver_sql(waiting)

    (tmp_path / "other").mkdir()
    with (
        db.exclusive(tmp_path),
        pytest.raises(StoreError, match="terminating connection"),
        db.exclusive(tmp_path / "other", on_wait=end_waiting),
    ):
        pass


def test_a_folder_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    """An operator would see an error of the system without the folder that needs write permission."""
    with (
        Database.open(f"sqlite:///{tmp_path / 'x.db'}") as db,
        pytest.raises(StoreError, match="must be writable"),
        db.exclusive(tmp_path / "nowhere"),
    ):
        pass


WRITER = """
import sys
from pathlib import Path
from publisher.storage.engine import Database
from publisher.storage import facts
url, folder, held = sys.argv[1:]
with Database.open(url) as db:
    for _ in range(50):
        def add():
            with db.write() as connection:
                count = int(facts.get_fact(connection, "count") or 0)
                facts.set_fact(connection, "count", str(count + 1))
        if held == "held":
            with db.exclusive(Path(folder)):
                add()
        else:
            add()
"""


def count_after_four_writers(url: str, folder: Path, held: str) -> str | None:
    command = [sys.executable, "-c", WRITER, url, str(folder), held]
    writers = [subprocess.Popen(command) for _ in range(4)]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0, 0]
    with Database.open(url) as db, db.read() as connection:
        return facts.get_fact(connection, "count")


def test_concurrent_writers_lose_no_update(tmp_path: Path) -> None:
    """Deferred transactions of four processes fail with "database is locked" here, or lose counts."""
    assert count_after_four_writers(f"sqlite:///{tmp_path / 'x.db'}", tmp_path, "free") == "200"


def test_concurrent_runs_are_serialised(database_url: str, tmp_path: Path) -> None:
    """Four processes under the lock lose no update."""
    assert count_after_four_writers(database_url, tmp_path, "held") == "200"


def test_a_fact_that_two_processes_store_at_once_has_the_value_of_the_later_one(db: Database) -> None:
    """The row is new for both: the second one waits for the first."""
    begins = threading.Event()

    def store_second() -> None:
        begins.set()
        with db.write() as connection:
            facts.set_fact(connection, "count", "2")

    with ThreadPoolExecutor(1) as pool:
        with db.write() as connection:
            facts.set_fact(connection, "count", "1")
            second = pool.submit(store_second)
            assert begins.wait(60)
        second.result(60)
    with db.read() as connection:
        assert facts.get_fact(connection, "count") == "2"
