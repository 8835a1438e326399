"""The upgrade to issues that exist from their approval on."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from sqlalchemy import Connection, create_engine, text

from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.model.report import PublishResult
from publisher.storage.engine import Database
from publisher.storage.migrate import upgrade
from tests.conftest import NOW, SiteKit

SECONDS = int(NOW.timestamp())
DAY = 86_400


def execute(connection: Connection, statement: str, **values: object) -> None:
    connection.execute(text(statement), values)


def add_article(connection: Connection, seq: int) -> None:
    execute(
        connection,
        "INSERT INTO article (seq, id, path, asked_at, published_at, changed_at, hash, record, body, source) "
        "VALUES (:seq, :id, :path, :at, :at, :at, 'h', :record, '<p>b</p>', 's')",
        seq=seq,
        id=f"urn:{seq}",
        path=f"/{seq}",
        at=SECONDS - 10 * DAY + seq,
        record=json.dumps({"date": "2026-11-13", "title": f"T{seq}"}, separators=(",", ":")),
    )


def add_issue(connection: Connection, number: int, digest: str, days: int, seq: int, **columns: object) -> None:
    """Add an issue of the schema before the upgrade, with one article and two queued deliveries."""
    values = {"errors": 0, "approved": None, "approved_at": None, **columns}
    execute(
        connection,
        "INSERT INTO issue (id, digest, slot, name, number, subject, is_staged, errors, approved, approved_at) VALUES "
        "(:id, :digest, :slot, :name, :number, 'S', true, :errors, :approved, :approved_at)",
        id=number,
        digest=digest,
        slot=SECONDS - days * DAY + number,
        name=f"n{number}",
        number=number,
        **values,
    )
    execute(connection, "INSERT INTO issue_article VALUES (:digest, :seq, :id, 0)", digest=digest, seq=seq, id=number)
    execute(
        connection,
        "INSERT INTO issue_variant VALUES (:id, 1, :seqs, 'S', 'x', :h, :h)",
        id=number,
        seqs=f"[{seq}]",
        h=b"",
    )
    for name in ("issue.json", "index.html", "message.txt", "message.eml"):
        execute(connection, "INSERT INTO issue_file VALUES (:id, :name, :data)", id=number, name=name, data=b"{}")
    for person in (1, 2):
        execute(
            connection,
            "INSERT INTO delivery (issue_id, subscriber_id, variant, state) VALUES (:id, :person, 1, 'queued')",
            id=number,
            person=person,
        )


def old_site(kit: SiteKit, url: str) -> None:
    """Make a site whose database has issues in every state of the schema before the upgrade."""
    kit.add_settings(
        f'\n[digests.auto]\ntitle = "Auto"\nsend = "auto"\ncadence = "0 7 * * *"\n[database]\nurl = "{url}"\n'
    )
    engine = create_engine(url)
    with engine.begin() as connection:
        upgrade(connection, "0013")
        for slug in ("daily", "auto"):
            execute(connection, "INSERT INTO digest VALUES (:slug, 0)", slug=slug)
        for seq in range(1, 8):
            add_article(connection, seq)
        add_issue(connection, 1, "daily", 60, 1)
        add_issue(connection, 2, "daily", 3, 2, approved="h", approved_at=SECONDS - 2 * DAY)
        add_issue(connection, 3, "daily", 2, 3)
        add_issue(connection, 4, "daily", 1, 4)
        add_issue(connection, 5, "auto", 2, 5)
        add_issue(connection, 6, "auto", 1, 6, errors=1)
        add_issue(connection, 7, "auto", 1, 7)
        execute(
            connection, "UPDATE delivery SET state = 'accepted', attempts = 1 WHERE issue_id = 7 AND subscriber_id = 1"
        )
    engine.dispose()


@pytest.fixture
def upgraded(kit: SiteKit, database_url: str) -> tuple[SiteKit, PublishResult]:
    """A site after the upgrade and its first run."""
    old_site(kit, database_url)
    return kit, kit.publish(may_open=False)


def test_recent_issues_that_nobody_approved_become_the_draft(upgraded: tuple[SiteKit, PublishResult]) -> None:
    """The run names each of them; their articles are in the draft of their digest."""
    kit, report = upgraded
    assert [(one.digest, one.articles) for one in report.issue_drafts] == [("daily", 2), ("auto", 1)]
    named = {one.where for one in report.warnings if "it was not approved" in one.reason}
    assert named == {"daily/n3", "daily/n4", "auto/n6"}
    assert (kit.root / "outbox/daily/next/message.eml").exists()
    assert not any("it was not approved" in one.reason for one in kit.publish(may_open=False).warnings)


def test_issues_that_were_approved_or_sent_go_on(upgraded: tuple[SiteKit, PublishResult]) -> None:
    """They keep number, name and deliveries; an old one that nobody approved is never mailed."""
    kit, _ = upgraded
    with Database.open(kit.site.database_url) as db, db.read() as connection:
        rows = {row.id: row for row in issues.list_issues(connection)}
        states = deliveries.state_counts(connection)
    assert {number: row.name for number, row in rows.items()} == {1: "n1", 2: "n2", 5: "n5", 7: "n7"}
    assert rows[1].cancelled_at is not None and rows[1].opened_at is None
    assert rows[2].opened_at == SECONDS - 2 * DAY
    assert rows[5].opened_at is not None and rows[7].opened_at is not None
    assert sum(states[7].values()) == sum(states[2].values()) == 2


def test_the_upgrade_waits_for_the_first_run(kit: SiteKit, database_url: str) -> None:
    """Opening the database changes nothing that the settings decide."""
    old_site(kit, database_url)
    with Database.open(kit.site.database_url) as db, db.read() as connection:
        rows = {row.id: (row.opened_at is not None, row.cancelled_at) for row in issues.list_issues(connection)}
    assert rows == {number: (number in (2, 7), None) for number in range(1, 8)}
    kit.publish(NOW + timedelta(days=90), may_open=False)
    with Database.open(kit.site.database_url) as db, db.read() as connection:
        assert len(issues.list_issues(connection)) == 7
