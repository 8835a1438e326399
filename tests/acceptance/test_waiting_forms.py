"""Forms that wait for the database: bounded, rejected with Retry-After, without delaying pages."""

from __future__ import annotations

import sqlite3
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pytest

from publisher.errors import StoreBusy
from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.subscriptions import confirmation_store as confirmations
from tests.acceptance.test_serve import Serving, get
from tests.conftest import MailKit
from tests.support.waiting import until

JOINS = 45


@contextmanager
def held(kit: MailKit) -> Iterator[None]:
    """Hold the write lock of the database, as a long transaction of another process does."""
    url = kit.site.database_url
    if url.startswith("sqlite"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield
            connection.execute("ROLLBACK")
        return
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute("LOCK TABLE confirmation_email IN ACCESS EXCLUSIVE MODE")
        yield
        connection.rollback()


def join(url: str, number: int) -> tuple[int, str]:
    """Fill in the form; return the status and Retry-After."""
    data = urllib.parse.urlencode({"address": f"subscriber{number}@mail.example.org", "digest": "daily"}).encode()
    try:
        with urllib.request.urlopen(f"{url}/newsletters/join", data, timeout=120) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers.get("Retry-After", "")


@pytest.fixture
def serving(any_mail_kit: MailKit) -> Iterator[Serving]:
    kit = any_mail_kit
    kit.add_settings('\n[web]\nform_limit = "1000/hour"\nnetwork_limit = "1000/hour"\njoin_limit = "1000/hour"\n')
    kit.mail(9)
    kit.article()
    kit.publish()
    made = Serving(kit, "--no-run")
    yield made
    made.process.kill()
    made.process.wait()


@pytest.mark.slow(reason="45 forms wait for a locked database for as long as they may")
def test_pages_are_served_while_forms_wait_for_the_database(any_mail_kit: MailKit, serving: Serving) -> None:
    """45 joins wait or are refused with 503; every page is there meanwhile; and afterwards joins work."""
    kit = any_mail_kit
    until(lambda: get(f"{serving.url}/newsletters/join")[0] == 200)
    answers: list[tuple[int, str]] = []
    with ThreadPoolExecutor(JOINS) as threads, held(kit):
        waiting = [threads.submit(join, serving.url, number) for number in range(JOINS)]
        # The first refusal says that the others have had to wait.
        until(lambda: any(one.done() for one in waiting), 60)
        pending = sum(not one.done() for one in waiting)
        for path in ("/", "/newsletters/", "/newsletters/join", "/feeds/all.rss", "/healthz"):
            assert get(f"{serving.url}{path}")[0] == 200
        assert pending
        answers = [one.result() for one in waiting]
    assert set(answers) == {(503, "10")}
    until(lambda: join(serving.url, 1)[0] == 200)
    with kit.open() as db, db.read() as connection:
        assert job_queue.next_due_time(connection, confirmations.CONFIRMATION) is not None
    assert "request failed" not in serving.log.read_text()


def test_kinds_of_forms_do_not_wait_for_each_other() -> None:
    """Joins that wait hold up no unsubscription."""
    import asyncio

    from starlette.exceptions import HTTPException

    from publisher.web.writers import FormWriters

    async def main() -> None:
        writers, release = FormWriters(), threading.Event()
        waiting = [asyncio.create_task(writers.run("join", 0, release.wait, 60)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(HTTPException) as refused:
            await writers.run("join", 0.01, release.wait, 60)
        assert (refused.value.status_code, refused.value.headers) == (503, {"Retry-After": "10"})
        assert await writers.run("leave", 0.01, lambda: "left") == "left"
        release.set()
        assert await asyncio.gather(*waiting) == [True, True]
        assert await writers.run("join", 0.01, lambda: "joined") == "joined"

    asyncio.run(main())


def test_a_database_that_is_up_to_date_is_opened_without_a_write(any_mail_kit: MailKit) -> None:
    """A process that starts while another one writes does not wait for it."""
    kit = any_mail_kit
    kit.open().close()
    with held(kit), Database.open(kit.site.database_url, wait_seconds=1) as db, db.read() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()


def test_a_wait_for_the_database_has_a_timeout(any_mail_kit: MailKit) -> None:
    """A write that another process holds up is an error of its own kind after the time that was asked for."""
    kit = any_mail_kit
    kit.open().close()
    with (
        held(kit),
        Database.open(kit.site.database_url, wait_seconds=1) as db,
        pytest.raises(StoreBusy, match="another process is writing to it"),
        db.write() as connection,
    ):
        confirmations.find(connection, 1)
