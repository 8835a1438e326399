"""The upgrade to one job table keeps all open work of notifications, of the hub and of confirmation emails."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, inspect, text

from publisher.model.subscriptions import ConfirmationKind
from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.storage.job_queue import dump_payload
from publisher.storage.migrate import upgrade
from publisher.subscriptions import confirmation_store as confirmations
from publisher.websub.hub_store import HUB_KINDS
from publisher.websub.notifications_store import NOTIFICATION

CALLBACK = "https://c.example/?id=1"
ROWS = (
    (
        "INSERT INTO notification VALUES ('all.rss', 'websub https://hub.example/', 'ab', 2, 77, 'timed out'),"
        " ('all.atom', 'rsscloud https://cloud.example/ping', 'cd', 0, 0, '')"
    ),
    (
        f"INSERT INTO hub_task VALUES ('all.rss', '{CALLBACK}', 'content', 'gehe\"im', 0, 3, 80, 'answers 503'),"
        f" ('all.rss', '{CALLBACK}', 'unsubscribe', '', 0, 0, 90, ''),"
        f" ('all.rss', '{CALLBACK}', 'subscribe', 'é', 864000, 1, 85, ''),"
        f" ('all.atom', '{CALLBACK}', 'subscribe', '', 600, 0, 81, '')"
    ),
    (
        "INSERT INTO confirmation_email VALUES"
        " (9, 'subscribe', 'h1', 'a@example.org', NULL, '{}', 10, 20, 3, NULL),"
        " (10, 'erase', 'h2', 'b@example.org', 4, '{}', 10, 20, 0, NULL),"
        " (11, 'download', 'h2', 'b@example.org', 4, '{\"x\": 1}', 10, NULL, 1, 15)"
    ),
)


def old_database(url: str) -> None:
    """Create a database of the schema before the upgrade, with open and finished work."""
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0015")
        for statement in ROWS:
            connection.execute(text(statement))
    engine.dispose()


@pytest.mark.postgresql
def test_open_work_is_done_after_the_upgrade(database_url: str) -> None:
    """Hubs, callbacks and people get what was queued, after the same pause and with the same number of attempts left."""
    old_database(database_url)
    with Database.open(database_url) as db, db.read() as connection:
        jobs = [job for kind in (NOTIFICATION, *HUB_KINDS) for job in job_queue.due(connection, kind, None)]
    assert {(job.subject, job.target, job.due_at, job.attempts, job.answer) for job in jobs} == {
        ("all.rss", "websub https://hub.example/", 77, 2, "timed out"),
        ("all.atom", "rsscloud https://cloud.example/ping", 0, 0, ""),
        ("all.rss", CALLBACK, 80, 3, "answers 503"),
        ("all.atom", CALLBACK, 81, 0, ""),
        # The later one of two verifications of a callback counts.
        ("all.rss", CALLBACK, 90, 0, ""),
    }
    assert {job.due_at: job.payload for job in jobs} == {
        77: dump_payload(sha256="ab"),
        0: dump_payload(sha256="cd"),
        80: dump_payload(secret='gehe"im'),
        81: dump_payload(mode="subscribe", secret="", lease=600),
        90: dump_payload(mode="unsubscribe", secret="", lease=0),
    }


def test_confirmation_emails_that_were_sent_are_not_sent_again(database_url: str) -> None:
    """Their links work, and only the emails that were due have a job, in the order of their numbers."""
    old_database(database_url)
    with Database.open(database_url) as db, db.write() as connection:
        kind = confirmations.CONFIRMATION
        jobs = job_queue.claim(connection, [kind], 20, lease=300, limit=10)
        assert [(int(job.subject), job.target, job.attempts) for job in jobs] == [(9, "h1", 3), (10, "h2", 0)]
        sent = confirmations.find(connection, 11)
        assert sent is not None and (sent.request, sent.used_at) == ({"x": 1}, 15)
        confirmations.delete_jobs(connection, [9])
        confirmations.delete_for_address(connection, "h2", 4)
        assert job_queue.count(connection, kind) == 0
        number = confirmations.add(connection, ConfirmationKind.ERASE, "h3", "c@example.org", 30)
        assert [int(job.subject) for job in job_queue.due(connection, kind, None)] == [number]


def test_a_database_without_open_work_is_upgraded(database_url: str) -> None:
    """The former tables are gone, and the columns of confirmation emails with them."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection, "0015")
    Database.open(database_url).close()
    with engine.connect() as connection:
        inspector = inspect(connection)
        assert not {"notification", "hub_task"} & set(inspector.get_table_names())
        columns = {column["name"] for column in inspector.get_columns("confirmation_email")}
        assert not {"due_at", "attempts"} & columns
    engine.dispose()
