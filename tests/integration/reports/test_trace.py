"""The history of a delivery shows what was mailed."""

from __future__ import annotations

import json
from datetime import timedelta

from sqlalchemy import delete

from publisher.cli.trace import lines
from publisher.delivery.deliver import deliver
from publisher.digests.lookup import find_issue
from publisher.pipeline.correct import retract
from publisher.reports.trace import delivery_history
from publisher.storage.tables.digests import issue_file
from publisher.subscriptions.add import add_subscriber
from tests.conftest import NOW, MailKit
from tests.support.smtp import Server

LATER = NOW + timedelta(days=1)


def test_an_edited_headline_is_shown_as_it_was_mailed(any_mail_kit: MailKit) -> None:
    """A headline that changes after the delivery, or whose article is withdrawn, stays in the history."""
    kit = any_mail_kit
    [name] = kit.add_subscribers(1)
    kit.issue("one", "two")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    mailed = delivery_history(kit.site, "daily", name)
    assert sorted(mailed.articles) == ["One", "Two"]
    kit.article("one.md", "One: a correction")
    kit.publish(LATER)
    retract(kit.site, LATER, "two.md", "wrong")
    shown = delivery_history(kit.site, "daily", name)
    assert shown.articles == mailed.articles
    assert json.loads(json.dumps(shown.as_dict()))["articles"] == mailed.articles
    assert "a correction" not in "\n".join(lines(shown))


def test_only_the_articles_of_the_subscriber_are_shown_in_the_order_of_the_issue(any_mail_kit: MailKit) -> None:
    """A subscriber with interests got a part of the issue."""
    kit = any_mail_kit
    add_subscriber(kit.site, "all@example.org", NOW, digests=["daily"])
    add_subscriber(kit.site, "wet@example.org", NOW, digests=["daily"], follows={"topics": ["Water"]})
    kit.article("rain.md", "Rain", topic="Water")
    kit.article("sand.md", "Sand", topic="Desert")
    kit.article("sea.md", "Sea", topic="Water")
    target = kit.open_issue()
    row_articles = json.loads(kit.issue_file("issue.json").read_text())["articles"]
    in_order = [article["title"] for article in row_articles]
    kit.article("rain.md", "Showers", topic="Water")
    kit.article("sand.md", "Dust", topic="Desert")
    kit.publish(LATER)
    assert delivery_history(kit.site, target, "all@example.org").articles == in_order
    assert delivery_history(kit.site, target, "wet@example.org").articles == [
        title for title in in_order if title != "Sand"
    ]


def test_an_issue_without_metadata_shows_current_headlines(mail_kit: MailKit) -> None:
    """Without a stored ``issue.json`` the articles are still named."""
    kit = mail_kit
    [name] = kit.add_subscribers(1)
    kit.issue("one")
    with kit.open() as db, db.write() as connection:
        row = find_issue(connection, "daily")
        connection.execute(delete(issue_file).where(issue_file.c.issue_id == row.id))
    assert delivery_history(kit.site, "daily", name).articles == ["One"]
