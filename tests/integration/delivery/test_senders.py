"""The registry of senders: numbers, and the recovery of a dead sender beside the registration of a new one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest
from sqlalchemy import Connection

from publisher.delivery import claims_store, senders
from publisher.delivery import store as deliveries
from publisher.delivery.senders import active_sender, dead_senders, forget_sender
from publisher.model.delivery import UncertainPolicy
from publisher.storage.engine import Database
from tests.conftest import NOW, MailKit
from tests.support.databases import end_lock_holders
from tests.support.smtp import Server
from tests.support.use_cases import deliver

pytestmark = pytest.mark.postgresql

SECONDS = int(NOW.timestamp())
LIMITS: Final = {"after": 0, "limit": 10, "now": SECONDS, "without": ()}


def test_a_number_is_given_to_one_sender_only(db: Database, tmp_path: Path) -> None:
    """A sender gets a greater number than all before it, also those that are forgotten."""
    numbers = []
    for name in ("first", "second", "third"):
        with active_sender(db, tmp_path, name, SECONDS) as number:
            with db.write() as connection:
                forget_sender(connection, number)
            numbers.append(number)
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_a_sender_registers_while_another_process_recovers_a_dead_one(
    prepared_database_url: str, tmp_path: Path
) -> None:
    """Two processes that recover the same dead sender would wait for each other, and mail would stop."""
    url = prepared_database_url
    # A statement that waits for a lock fails.
    with Database.open(url, wait_seconds=1) as one, Database.open(url, wait_seconds=1) as other:
        with active_sender(one, tmp_path, "dead", SECONDS) as dead:
            pass
        with other.write() as recovery:
            assert dead_senders(recovery, tmp_path) == [dead]
            with one.write() as connection:
                forget_sender(connection, dead)
            with active_sender(one, tmp_path, "new", SECONDS) as new:
                forget_sender(recovery, dead)
                assert dead_senders(recovery, tmp_path) == []
                assert new != dead


@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_a_sender_that_lost_the_connection_of_its_lock_ends_without_an_error(db: Database, tmp_path: Path) -> None:
    """The server has released the lock with the connection; another lock works as before."""
    for name in ("lost", "next"):
        with active_sender(db, tmp_path, name, SECONDS) as number, db.write() as connection:
            assert number not in dead_senders(connection, tmp_path)
            if name == "lost":
                end_lock_holders(connection)


def recover(connection: Connection, kit: MailKit, number: int) -> None:
    """Recover the deliveries of a sender, and forget it."""
    assert dead_senders(connection, kit.root) == [number]
    deliveries.recover_deliveries(connection, number, SECONDS, policy=UncertainPolicy.HOLD, is_idempotent=False)
    forget_sender(connection, number)


def test_a_sender_that_lost_its_lock_sends_nothing_that_another_has_claimed(any_mail_kit: MailKit) -> None:
    """It counts as dead and its delivery is claimed by the next sender, so it may not hand the delivery over."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with kit.open() as db:
        with active_sender(db, kit.root, "lost", SECONDS) as lost, db.write() as connection:
            old, _, _ = claims_store.claim(connection, 1, lost, **LIMITS)
        with db.write() as connection:
            recover(connection, kit, lost)
        with active_sender(db, kit.root, "next", SECONDS) as following, db.write() as connection:
            new, _, _ = claims_store.claim(connection, 1, following, **LIMITS)
            assert [claim.subscriber_id for claim in new] == [claim.subscriber_id for claim in old] == [1]
            assert claims_store.hand_over(connection, new, following, SECONDS) == (set(), set())
            assert claims_store.hand_over(connection, old, lost, SECONDS) == ({(1, 1)}, set())


def test_claims_of_a_sender_that_is_no_longer_registered_are_recovered(any_mail_kit: MailKit) -> None:
    """A sender that lost its lock claims deliveries after another process has recovered it, and is killed."""
    kit = any_mail_kit
    kit.add_subscribers(2)
    kit.issue("one")
    with kit.open() as db:
        with active_sender(db, kit.root, "lost", SECONDS) as lost:
            pass
        with db.write() as connection:
            recover(connection, kit, lost)
        with db.write() as connection:
            claims, _, _ = claims_store.claim(connection, 1, lost, **LIMITS)
            claims_store.hand_over(connection, claims[:1], lost, SECONDS)
    with Server() as server:
        kit.mail(server.port)
        sent = deliver(kit.site, "daily")
    assert (sent.waiting, sent.counts.accepted, len(server.accepted), len(sent.uncertain)) == (0, 1, 1, 1)


def test_claims_of_a_living_sender_are_its_own_if_it_is_not_registered(any_mail_kit: MailKit) -> None:
    """The lock decides, not the registration."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with kit.open() as db, active_sender(db, kit.root, "living", SECONDS) as number:
        with db.write() as connection:
            forget_sender(connection, number)
            claims_store.claim(connection, 1, number, **LIMITS)
        with db.write() as connection:
            assert dead_senders(connection, kit.root) == []


def test_senders_with_claims_are_found_by_an_index(tmp_path: Path) -> None:
    """Most deliveries of all issues are finished, and are not read."""
    url = f"sqlite:///{tmp_path / 'store.db'}"
    with Database.open(url) as db, db.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {senders._WITH_CLAIMS}").all()
    assert "ix_delivery_open" in str(plan)


def test_lock_files_of_killed_senders_are_deleted(tmp_path: Path) -> None:
    """The lock of a living sender stays; a folder that does not exist is no error."""
    senders.delete_stale_locks(tmp_path)
    with Database.open(f"sqlite:///{tmp_path / 'store.db'}") as db, active_sender(db, tmp_path, "living", 0) as number:
        folder = tmp_path / senders.LOCK_FOLDER
        (folder / "7.lock").touch()
        with db.write():
            senders.delete_stale_locks(tmp_path)
        assert [path.name for path in folder.iterdir()] == [f"{number}.lock"]
