"""The audience of an opened send: variant and due time of each delivery, and what may change in the meantime."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, time
from itertools import product
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, select, update

from publisher.articles import store as articles
from publisher.delivery.audience import AudienceChanged, count_audience, freeze_audience, load_audience
from publisher.delivery.local_time import LocalDeliveryTimes
from publisher.digests.store import issue_article_seqs
from publisher.digests.variants_store import load_variants
from publisher.model.articles import Article
from publisher.storage.tables.delivery import delivery
from publisher.subscribers import store as subscribers
from tests.conftest import NOW, MailKit
from tests.support.use_cases import import_list

TOPICS = ("", "Water", "Trade", "Water | Trade", "Nothing")
ZONES = ("", "Europe/London", "Asia/Tokyo", "Pacific/Auckland", "Mars/Base")
#: What subscribers with some topics get.
GOT = {"": {"One", "Two"}, "Water": {"One"}, "Trade": {"Two"}, "Water | Trade": {"One", "Two"}}
AT = time(7)


@pytest.fixture
def kit(any_mail_kit: MailKit) -> MailKit:
    """Two newsletters with two articles each, and subscribers of every combination of topics and time zones."""
    any_mail_kit.add_settings('\n[digests.notes]\ntitle = "Notes"\n\n[delivery]\ntransport = "maildir"\n')
    any_mail_kit.article("one.md", "One", topic="Water")
    any_mail_kit.article("two.md", "Two", topic="Trade")
    any_mail_kit.publish()
    lines = [
        f"s{number}@mail.example.org,daily,{topics},{zone if zone != 'Mars/Base' else ''}"
        for number, (topics, zone) in enumerate(product(TOPICS, ZONES))
    ]
    path = any_mail_kit.root / "list.csv"
    path.write_text("\n".join(["address,digests,topics,zone", *lines]) + "\n")
    result = import_list(any_mail_kit.site, path, NOW)
    assert not result.rejected, result.rejections
    with any_mail_kit.open() as db, db.write() as connection:
        for number, (_, zone) in enumerate(product(TOPICS, ZONES)):
            person = subscribers.find_by_key(connection, f"s{number}@mail.example.org")
            assert person is not None
            if zone == "Mars/Base":
                subscribers.update_subscribers(connection, [(person.id, {"zone": zone})])
    return any_mail_kit


def approved_articles(kit: MailKit, connection: Connection, issue_id: int) -> list[Article]:
    """Return the articles of an issue, in order."""
    seqs = issue_article_seqs(connection, issue_id)
    known = articles.articles_by_seq(connection, seqs, kit.site.base_url, kit.site.tz)
    return [known[seq] for seq in seqs]


@pytest.mark.postgresql
def test_each_delivery_has_the_variant_of_its_topics_and_the_time_of_its_zone(kit: MailKit) -> None:
    """Subscribers whose topics select nothing have none; an unknown zone counts as that of the site."""
    kit.approve_issue()
    row = kit.newest_issue()
    digest = kit.site.digest("daily")
    with kit.open() as db, db.write() as connection:
        chosen = approved_articles(kit, connection, row.id)
        titles = {article.seq: article.title for article in chosen}
        audience = load_audience(connection, digest, chosen, int(NOW.timestamp()), issue_id=row.id)
        variants = load_variants(connection, row.id)
        frozen = freeze_audience(
            connection, row.id, audience, variants, chosen, LocalDeliveryTimes(NOW, AT, ZoneInfo("UTC"))
        )
        expected = {}
        for number, (topics, zone) in enumerate(product(TOPICS, ZONES)):
            if topics in GOT:
                local = NOW.astimezone(ZoneInfo(zone if zone not in ("", "Mars/Base") else "UTC"))
                due = local.replace(hour=7, minute=0)
                due = due if due >= local else due.replace(day=due.day + 1)
                expected[f"s{number}@mail.example.org"] = (GOT[topics], due.astimezone(UTC))
        got = {}
        for subscriber_id, variant, due_at in connection.execute(
            select(delivery.c.subscriber_id, delivery.c.variant, delivery.c.due_at)
        ):
            person = subscribers.find_subscriber(connection, subscriber_id)
            assert person is not None
            brought = {titles[seq] for seq in variants[variant - 1].articles}
            got[person.address] = (brought, datetime.fromtimestamp(due_at, UTC))
        assert got == expected
        assert frozen.deliveries == len(expected) == 20
        assert frozen.unknown_zones == {"Mars/Base": 4}


@pytest.mark.slow(reason="load: thousands of interests")
def test_an_issue_with_thousands_of_interests_brings_each_subscriber_the_right_articles(kit: MailKit) -> None:
    """They do not fit into one statement."""
    path = kit.root / "more.csv"
    lines = [f"t{number}@mail.example.org,daily,Water | Topic {number}" for number in range(5_200)]
    path.write_text("\n".join(["address,digests,topics", *lines]) + "\n")
    assert not import_list(kit.site, path, NOW).rejected
    name = kit.open_issue()
    with kit.open() as db, db.read() as connection:
        row = kit.newest_issue()
        assert row.path == name
        variants = load_variants(connection, row.id)
        counts = Counter(connection.execute(select(delivery.c.variant)).scalars())
    titles = Counter({len(variants[number - 1].articles): 0 for number in counts})
    for number, count in counts.items():
        titles[len(variants[number - 1].articles)] += count
    assert titles == {2: 10, 1: 5_210}


def test_an_audience_that_a_failed_delivery_changes_is_not_settled(kit: MailKit) -> None:
    """The article of the failed delivery is for another selection, which may have no variant yet."""
    kit.open_issue()
    path = kit.root / "notes.csv"
    path.write_text("address,digests\ns0@mail.example.org,notes\nnew@mail.example.org,notes\n")
    assert not import_list(kit.site, path, NOW).rejected
    kit.article("three.md", "Three")
    kit.approve_issue("notes")
    row, digest = kit.newest_issue("notes"), kit.site.digest("notes")
    with kit.open() as db, db.write() as connection:
        chosen = approved_articles(kit, connection, row.id)
        now = int(NOW.timestamp())
        assert count_audience(connection, digest, chosen, now) == 2
        audience = load_audience(connection, digest, chosen, now, issue_id=row.id)
        variants = load_variants(connection, row.id)
        assert sorted(len(variant.articles) for variant in variants) == [1, 3]
        connection.execute(update(delivery).values(state="failed"))
        with pytest.raises(AudienceChanged):
            freeze_audience(
                connection, row.id, audience, variants, chosen, LocalDeliveryTimes(NOW, None, ZoneInfo("UTC"))
            )
