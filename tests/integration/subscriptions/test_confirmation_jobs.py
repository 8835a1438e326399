"""Confirmation emails while something happens: a kill, another process, a second request, erasure."""

from __future__ import annotations

import os
import queue
import signal
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from publisher.model.subscriptions import ConfirmationKind
from publisher.storage import job_queue
from publisher.storage.job_queue import Job
from publisher.subscriptions import confirmation_store as confirmations
from publisher.subscriptions.confirmation_emails import send_confirmation_emails
from tests.support.processes import Process
from tests.support.smtp import Script
from tests.support.subscriber_site import ANN, SubscriberSite
from tests.support.use_cases import erase_subscriber


def open_jobs(site: SubscriberSite) -> list[Job]:
    with site.kit.open() as db, db.read() as connection:
        return job_queue.due(connection, confirmations.CONFIRMATION, None)


@pytest.mark.parametrize(("step", "received"), [("rcpt", 1), ("dot", 2)])
def test_an_email_of_a_killed_process_is_sent_when_its_claim_ends(
    subscriber_site: SubscriberSite, step: str, received: int
) -> None:
    """It is not lost; if the server had accepted it, both have one Message-ID, so that mail programs show one."""
    site = subscriber_site
    site.clock.jump(datetime.now(UTC))
    site.subscribe()
    processes: queue.Queue[int] = queue.Queue()

    def kill(at: str, argument: str, number: int) -> str | None:
        if at == step:
            os.kill(processes.get(timeout=60), signal.SIGKILL)
        return None

    site.server.script = Script(at=kill)
    process = Process("publisher", "tick", "--site", str(site.kit.root))
    processes.put(process.pid)
    assert process.wait(60) == -signal.SIGKILL
    site.server.script = Script()
    assert site.deliver_emails() == []
    (job,) = open_jobs(site)
    assert job.attempts == 0
    site.advance(minutes=30)
    assert [email.recipient for email in site.deliver_emails()] == [ANN]
    assert site.server.recipients == [ANN] * received
    assert len({message.message_id for message in site.server.accepted}) == 1
    assert open_jobs(site) == []


@pytest.mark.postgresql
def test_processes_at_once_send_each_email_once(subscriber_site: SubscriberSite) -> None:
    """They share the due emails, as runners on several machines do."""
    site = subscriber_site
    names = [f"reader{number:02}@mail.example.org" for number in range(60)]
    with site.kit.open() as db, db.write() as connection:
        for name in names:
            now, request = int(site.clock.now().timestamp()), {"digests": ["daily"]}
            confirmations.add(connection, ConfirmationKind.SUBSCRIBE, name, name, now, request=request)

    def send() -> int:
        with site.kit.open() as db:
            return send_confirmation_emails(site.context(db)).sent

    with ThreadPoolExecutor(3) as pool:
        results = [pool.submit(send) for _ in range(3)]
        assert sum(result.result(60) for result in results) == len(names)
    assert site.server.recipients == names


def test_a_request_during_the_sending_is_confirmed_by_the_same_email(subscriber_site: SubscriberSite) -> None:
    """The person gets one email, and its link does what they asked for last."""
    site = subscriber_site
    requests = [("weekly",)]

    def ask_again(step: str, argument: str, number: int) -> str | None:
        if step == "dot" and requests:
            site.subscribe(digests=requests.pop())
        return None

    site.subscribe()
    site.server.script = Script(at=ask_again)
    (email,) = site.deliver_emails()
    assert requests == [] and open_jobs(site) == []
    site.advance(hours=2)
    assert site.deliver_emails() == []
    site.visitor.post(email.link, {"yes": "yes"})
    found = site.subscriber()
    assert found is not None and found.digests == ("weekly",)


def test_erasure_deletes_queued_emails_with_their_jobs(subscriber_site: SubscriberSite) -> None:
    """Nothing is mailed to a person who asked to be forgotten, and nothing of them is left in the queue."""
    site = subscriber_site
    link = site.subscribe_and_confirm()
    site.subscribe("bob@mail.example.org")
    site.submit_preferences(link, "download")
    site.submit_preferences(link, "move", address="ann@new.example.org")
    assert len(open_jobs(site)) == 4
    erase_subscriber(site.kit.site, ANN, site.clock.now())
    assert len(open_jobs(site)) == 1
    assert [email.recipient for email in site.deliver_emails()] == ["bob@mail.example.org"]


def test_erasure_during_the_sending_sends_nothing_again(subscriber_site: SubscriberSite) -> None:
    """A failure that is recorded after the erasure brings no job back."""
    site = subscriber_site

    def erase(step: str, argument: str, number: int) -> str | None:
        if step == "rcpt":
            erase_subscriber(site.kit.site, ANN, site.clock.now())
            return "451 later"
        return None

    site.subscribe()
    site.server.script = Script(at=erase)
    assert site.deliver_emails() == [] and open_jobs(site) == []
    site.server.script = Script()
    site.advance(hours=2)
    assert site.deliver_emails() == []


def test_a_job_whose_email_was_deleted_after_the_claim_is_dropped(subscriber_site: SubscriberSite) -> None:
    """Erasure may come between the claim and the message."""
    site = subscriber_site
    site.subscribe()
    with site.kit.open() as db, db.write() as connection:
        connection.execute(text("DELETE FROM confirmation_email"))
    assert site.deliver_emails() == [] and open_jobs(site) == []


def test_a_late_process_sends_no_third_email(subscriber_site: SubscriberSite) -> None:
    """An email that was accepted after its claim ended is sent, although another process has claimed it since."""
    site = subscriber_site

    def claim_again(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            now = int(site.clock.now().timestamp())
            with site.kit.open() as db, db.write() as connection:
                assert (
                    len(job_queue.claim(connection, [confirmations.CONFIRMATION], now + 300, lease=300, limit=10)) == 1
                )
        return None

    site.subscribe()
    site.server.script = Script(at=claim_again)
    assert len(site.deliver_emails()) == 1
    assert open_jobs(site) == []
