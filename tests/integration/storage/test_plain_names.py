"""The upgrade that renames tables, columns and stored values keeps the data of every older schema."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, inspect, text

from publisher.delivery import bounces_store
from publisher.delivery import store as deliveries
from publisher.digests import notes_store
from publisher.digests.variants_store import load_variants
from publisher.feeds import facets_store
from publisher.feeds import store as feeds
from publisher.model.subscriptions import ConfirmationKind
from publisher.model.taxonomy import FacetKind
from publisher.schedule import store as schedules
from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.storage.facts import get_fact
from publisher.storage.migrate import upgrade
from publisher.subscribers import store as subscribers
from publisher.subscriptions import confirmation_store
from publisher.websub.hub_store import CONTENT
from publisher.websub.notifications_store import NOTIFICATION
from tests.conftest import SiteKit

#: Rows of each schema that was released, in the order of the upgrades.
ROWS: list[tuple[str, tuple[str, ...]]] = [
    (
        "0001",
        (
            (
                "INSERT INTO article (seq, id, path, asked_at, published_at, changed_at, hash, record, body, source)"
                " VALUES (1, 'urn:1', '/1', 10, 10, 10, 'h', '{\"date\":\"2026-01-01\",\"title\":\"T\"}', '', 'a.md')"
            ),
            "INSERT INTO facet VALUES (1, 'all', 'all', 'all', 'all')",
            "INSERT INTO facet VALUES (2, 'channel', 'water', 'water', 'water')",
            "INSERT INTO membership VALUES (2, 10, 1)",
            "INSERT INTO dirty VALUES (2)",
            "INSERT INTO digest VALUES ('daily', 0)",
            (
                "INSERT INTO issue (id, digest, slot, name, number, subject, is_staged) "
                "VALUES (1, 'daily', 1000, 'x', 1, 'S', true)"
            ),
            "INSERT INTO source VALUES ('a.md', 1, 's')",
            "INSERT INTO problem VALUES ('a.md', 1, 'a.md', true, 'no date')",
            "INSERT INTO meta VALUES ('channel:water', 'definition')",
            "INSERT INTO meta VALUES ('archive_kinds', 'all channel topic')",
        ),
    ),
    ("0002", ("INSERT INTO announcement VALUES ('all.rss', 'websub https://hub.example/', 'ab', 2, 77, 'timed out')",)),
    (
        "0003",
        (
            "INSERT INTO rendering VALUES (1, 1, '[1]', '0123456789ab', :html, :text)",
            "INSERT INTO preparation VALUES ('daily', 'A note', 1)",
        ),
    ),
    (
        "0004",
        (
            'INSERT INTO selection VALUES (7, \'{"topic": ["water"]}\')',
            (
                "INSERT INTO subscriber (id, address, key, domain, status, selection_id, added_at)"
                " VALUES (1, 'p1@example.org', 'p1@example.org', 'example.org', 'active', 7, 500)"
            ),
            "INSERT INTO subscription VALUES ('daily', 1)",
            (
                "INSERT INTO delivery (issue_id, subscriber_id, edition, state, due_at)"
                " VALUES (1, 1, 1, 'accepted', 0), (1, 2, 1, 'queued', 90), (1, 3, 1, 'accepted', -1)"
            ),
            "INSERT INTO bounce VALUES (1, 'a hash', 'soft', 1, 1, '4.2.2', 'mailbox full', 2000)",
            "INSERT INTO sent_day VALUES ('2026-11-20', 41)",
        ),
    ),
    ("0005", ("INSERT INTO schedule VALUES ('feeds', '{}', 4000)",)),
    (
        "0006",
        (
            (
                "INSERT INTO letter VALUES (11, 'join', 'h1', 'a@example.org', NULL, '{\"digests\": [\"daily\"]}',"
                " 10, 20, 0, NULL), (12, 'known', 'h2', 'b@example.org', NULL, '{}', 10, NULL, 1, NULL),"
                " (13, 'leaving address', 'h3', 'c@example.org', 1, '{\"to\": \"d@example.org\"}', 10, NULL, 1, 15)"
            ),
            "INSERT INTO meta VALUES ('letters', '13')",
            "INSERT INTO hub_task VALUES ('all.rss', 'https://c.example/', 'content', '', 0, 3, 80, 'answers 503')",
            "INSERT INTO listening VALUES ('2026-11-20', 'all', 'direct', 5, 9, 4)",
        ),
    ),
]


def old_database(url: str) -> None:
    """Create a database with the oldest schema, and fill each table at the revision that brought it."""
    engine = create_engine(url)
    for revision, statements in ROWS:
        with engine.begin() as connection:
            upgrade(connection, revision)
            for statement in statements:
                values: dict[str, Any] = {"html": b"<p>", "text": b"T"} if ":html" in statement else {}
                connection.execute(text(statement), values)
    engine.dispose()


def scalar(connection: Connection, query: str) -> Any:
    return connection.execute(text(query)).scalar_one()


@pytest.mark.postgresql
def test_an_upgrade_to_plain_names_keeps_all_rows(database_url: str) -> None:
    """Every renamed table and column holds what the table and column of the old name held."""
    old_database(database_url)
    with Database.open(database_url) as db, db.read() as connection:
        (variant,) = load_variants(connection, 1)
        assert (variant.articles, variant.html, variant.text) == ((1,), b"<p>", b"T")
        assert scalar(connection, "SELECT placeholder_hash FROM issue_variant") == "0123456789ab"
        note = notes_store.load_next_issue_note(connection, "daily")
        assert (note.note, note.lead_seq) == ("A note", 1)
        person = subscribers.find_subscriber(connection, 1)
        assert person is not None and "water" in repr(person.follows)
        assert scalar(connection, "SELECT interests_id FROM subscriber") == 7
        copy = deliveries.delivery_of(connection, 1, 2)
        assert copy is not None and (copy.state.value, copy.due_at) == ("queued", 90)
        (bounced,) = bounces_store.bounces_of(connection, 1, 1)
        assert "mailbox full" in repr(bounced)
        assert scalar(connection, "SELECT report_hash FROM bounce") == "a hash"
        assert deliveries.count_sent_on(connection, "2026-11-20") == 41
        (waiting,) = job_queue.due(connection, NOTIFICATION, None)
        assert (waiting.attempts, waiting.due_at, waiting.answer) == (2, 77, "timed out")
        (waiting,) = job_queue.due(connection, CONTENT, None)
        assert (waiting.attempts, waiting.due_at, waiting.answer) == (3, 80, "answers 503")
        (waiting,) = job_queue.due(connection, confirmation_store.CONFIRMATION, None)
        assert (int(waiting.subject), waiting.target, waiting.due_at) == (11, "h1", 20)
        assert int(schedules.load_schedules(connection)["feeds"].effective_from.timestamp()) == 4000
        assert scalar(connection, "SELECT is_rejected FROM problem")
        assert scalar(connection, "SELECT subscribers FROM feed_requests") == 5


def test_confirmation_emails_keep_their_links_and_requests(database_url: str) -> None:
    """A link names the number of its email, so numbers go on after the last one."""
    old_database(database_url)
    with Database.open(database_url) as db, db.write() as connection:
        found = {number: confirmation_store.find(connection, number) for number in (11, 12, 13)}
        assert {number: email.kind for number, email in found.items() if email is not None} == {
            11: ConfirmationKind.SUBSCRIBE,
            12: ConfirmationKind.ALREADY_SUBSCRIBED,
            13: ConfirmationKind.OLD_ADDRESS,
        }
        assert found[11] is not None and found[11].request == {"digests": ["daily"]}
        assert found[13] is not None and found[13].used_at == 15
        connection.execute(text("DELETE FROM confirmation_email"))
        assert confirmation_store.add(connection, ConfirmationKind.ERASE, "h", "e@example.org", 30) == 14


def test_welcome_issues_are_known_by_their_origin(database_url: str) -> None:
    """Their due time, which marked them before, is an ordinary one."""
    old_database(database_url)
    with Database.open(database_url) as db, db.read() as connection:
        assert scalar(connection, "SELECT origin FROM delivery WHERE subscriber_id = 3") == "welcome"
        assert scalar(connection, "SELECT due_at FROM delivery WHERE subscriber_id = 3") == 0


def test_custom_feeds_keep_their_definition_and_members(database_url: str) -> None:
    """A custom feed whose kind was called "channel" is not made anew, and still has to be staged."""
    old_database(database_url)
    with Database.open(database_url) as db, db.write() as connection:
        assert facets_store.add_facets(connection, [(FacetKind.CUSTOM, "water")])[FacetKind.CUSTOM, "water"] == 2
        assert [facet.kind for facet in feeds.dirty_facets(connection)] == [FacetKind.CUSTOM]
        assert get_fact(connection, "custom_feed:water") == "definition"
        assert get_fact(connection, "archive_kinds") == "all custom topic"


@pytest.mark.postgresql
def test_a_custom_feed_keeps_its_id_and_archive(kit: SiteKit, database_url: str) -> None:
    """The Atom ID of a custom feed holds the old name of its kind for ever."""
    kit.add_settings('\n[feeds]\narchive = ["channel"]\n[feeds.channels.water]\ntitle = "Water"\ntopic = ["Water"]\n')
    kit.article("a.md", title="A", topic="Water")
    assert kit.publish().exit_status == 0
    with kit.open() as db, db.read() as connection:
        namespace = get_fact(connection, "namespace")
        assert get_fact(connection, "archive_kinds") == "custom"
    assert namespace is not None
    expected = uuid.uuid5(uuid.UUID(namespace), "feed:channel/water").urn
    assert expected in (kit.root / "feeds/water.atom").read_text()


def names(url: str) -> dict[str, set[str]]:
    """Return table → the names of its constraints and indexes, but for Alembic's own table."""
    engine = create_engine(url)
    with engine.connect() as connection:
        inspector = inspect(connection)
        found: dict[str, set[str]] = {}
        for table in inspector.get_table_names():
            named: list[Any] = [inspector.get_pk_constraint(table), *inspector.get_foreign_keys(table)]
            named += [*inspector.get_unique_constraints(table), *inspector.get_indexes(table)]
            found[table] = {str(one["name"]) for one in named}
    engine.dispose()
    del found["alembic_version"]
    return found


@pytest.mark.parametrize("first", ["0001", "0011"])
def test_an_upgraded_database_has_the_names_of_a_new_one(database_url: str, first: str) -> None:
    """Later upgrades name constraints and indexes, so that they are the same in every database."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        upgrade(connection, first)
    Database.open(database_url).close()
    upgraded = names(database_url)
    with engine.begin() as connection:
        for table in (*upgraded, "alembic_version"):
            connection.execute(text(f"DROP TABLE {table}" + (" CASCADE" if "postgres" in database_url else "")))
    engine.dispose()
    Database.open(database_url).close()
    assert upgraded == names(database_url)
