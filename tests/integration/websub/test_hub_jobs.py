"""The jobs of the WebSub hub with several runs at the same time."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.websub import hub_store as hub
from tests.conftest import NOW
from tests.support.hub_subscriber import HubSite, subscriber


@pytest.mark.postgresql
def test_two_runners_deliver_once(hub_site: HubSite) -> None:
    """A task is claimed by one of them."""
    with subscriber() as one:
        hub_site.request(one.url)
        hub_site.work()
        with hub_site.kit.open() as db, db.write() as connection:
            now = int(hub_site.clock.now().timestamp())
            hub.queue_content(connection, "all.atom", now)
            assert len(job_queue.claim(connection, hub.HUB_KINDS, now, lease=120, limit=10)) == 1
            assert job_queue.claim(connection, hub.HUB_KINDS, now, lease=120, limit=10) == []
        assert hub_site.work().delivered == 0
        # The one that took it died.
        hub_site.clock.advance(minutes=3)
        assert hub_site.work().delivered == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_runs_that_queue_deliveries_do_not_block_runs_that_record_them(prepared_database_url: str) -> None:
    """Transactions that change the same jobs in different orders end each other, and callbacks get a feed twice."""
    topics, moments = ("all.atom", "all.rss"), itertools.count(int(NOW.timestamp()))
    is_done = threading.Event()
    with Database.open(prepared_database_url) as db, db.write() as connection:
        for topic, number in itertools.product(topics, range(150, 0, -1)):
            hub.save_subscription(connection, topic, f"https://{number}.example/", "", int(NOW.timestamp()) + 86_400)

    def queue_often() -> None:
        with Database.open(prepared_database_url) as db:
            for now in itertools.islice(moments, 12):
                with db.write() as connection:
                    for topic in topics:
                        hub.queue_content(connection, topic, now)
                    assert job_queue.count(connection, hub.CONTENT) == 300

    def record() -> None:
        with Database.open(prepared_database_url) as db:
            while not is_done.is_set():
                with db.write() as connection:
                    jobs = job_queue.claim(connection, hub.HUB_KINDS, next(moments), lease=300, limit=32)
                with db.write() as connection:
                    for job in jobs:
                        job_queue.finish(connection, job)

    with ThreadPoolExecutor(4) as pool:
        recorders = [pool.submit(record) for _ in range(2)]
        try:
            for queuer in [pool.submit(queue_often) for _ in range(2)]:
                queuer.result(120)
        finally:
            is_done.set()
        for recorder in recorders:
            recorder.result(60)
