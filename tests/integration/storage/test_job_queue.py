"""The job queue: claims, retries, and jobs that change while they are worked on."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from publisher.storage import job_queue
from publisher.storage.engine import Database
from publisher.storage.job_queue import Job, dump_payload

pytestmark = pytest.mark.postgresql

NOW = 1_000


def job(subject: str, target: str = "t", due_at: int = NOW, kind: str = "mail", **details: str | int) -> Job:
    return Job(kind=kind, subject=subject, target=target, due_at=due_at, payload=dump_payload(**details))


def queue(db: Database, *jobs: Job) -> None:
    with db.write() as connection:
        job_queue.queue(connection, jobs)


def claim(db: Database, *kinds: str, now: int = NOW, limit: int = 100, one_per_target: bool = False) -> list[Job]:
    with db.write() as connection:
        return job_queue.claim(
            connection, kinds or ("mail",), now, lease=300, limit=limit, one_per_target=one_per_target
        )


def open_jobs(db: Database, kind: str = "mail") -> list[Job]:
    with db.read() as connection:
        return job_queue.due(connection, kind, None)


def subjects(jobs: list[Job]) -> list[str]:
    return [job.subject for job in jobs]


def test_due_jobs_are_claimed_the_oldest_first(db: Database) -> None:
    """A job that is overdue does not wait behind newer ones, of whichever kind they are."""
    queue(db, job("c"), job("b"), job("z", due_at=NOW - 1, kind="hub"), job("d", due_at=NOW + 1), job("e", kind="x"))
    assert subjects(claim(db, "mail", "hub", limit=2)) == ["z", "b"]
    assert subjects(claim(db, "mail", "hub")) == ["c"]
    assert claim(db, "mail", "hub") == []
    assert subjects(claim(db, "mail", now=NOW + 1)) == ["d"]


def test_the_claim_of_a_process_that_died_ends(db: Database) -> None:
    """Nothing is lost with a process, and its attempt is not counted, so a message is built as before."""
    queue(db, job("a"))
    (first,) = claim(db)
    assert claim(db, now=NOW + 299) == []
    (second,) = claim(db, now=NOW + 300)
    assert (first.attempts, first.due_at) == (0, NOW + 300) and (second.attempts, second.due_at) == (0, NOW + 600)


def test_one_job_of_a_target_is_claimed_at_a_time(db: Database) -> None:
    """An address gets its emails one after the other, the oldest first."""
    queue(db, job("3", "ann"), job("1", "ann"), job("2", "bob"))
    assert subjects(claim(db, one_per_target=True)) == ["1", "2"]
    assert subjects(claim(db, one_per_target=True)) == ["3"]


def test_a_queued_job_replaces_the_open_one(db: Database) -> None:
    """A change that follows a failure is not delayed by the backoff of the failure."""
    queue(db, job("a", sha256="old"), job("a", "other"))
    (first,) = (one for one in claim(db) if one.target == "t")
    with db.write() as connection:
        job_queue.reschedule(connection, first, NOW + 9_000, attempts=4, answer="x" * 300)
    (failed,) = (one for one in open_jobs(db) if one.target == "t")
    assert (failed.due_at, failed.attempts, failed.answer) == (NOW + 9_000, 4, "x" * 200)
    queue(db, job("a", sha256="new"))
    assert [one for one in open_jobs(db) if one.target == "t"] == [job("a", sha256="new")]


@pytest.mark.parametrize("again", [job("a", due_at=NOW + 5, sha256="old"), job("a", due_at=NOW + 300, sha256="new")])
def test_a_job_that_was_queued_again_is_not_changed_by_the_older_attempt(db: Database, again: Job) -> None:
    """A change that happens while a hub is notified of the one before is notified as well."""
    queue(db, job("a", sha256="old"))
    (claimed,) = claim(db)
    queue(db, again)
    with db.write() as connection:
        job_queue.reschedule(connection, claimed, NOW + 60, attempts=1, answer="failed")
        job_queue.finish(connection, claimed)
    assert open_jobs(db) == [again]


def test_a_job_that_another_process_has_claimed_is_not_rescheduled(db: Database) -> None:
    """A process that slept past its claim does not make a job due while another process works on it."""
    queue(db, job("a"))
    (late,) = claim(db)
    (second,) = claim(db, now=NOW + 300)
    with db.write() as connection:
        job_queue.reschedule(connection, late, NOW + 301, attempts=1)
    assert open_jobs(db) == [second]
    with db.write() as connection:
        job_queue.finish(connection, second)
    assert open_jobs(db) == []


def test_the_next_due_time_and_the_number_are_those_of_the_kinds(db: Database) -> None:
    """A background job wakes for its own kinds, and sleeps if there is nothing to do."""
    with db.read() as connection:
        assert job_queue.next_due_time(connection, "mail", "hub") is None
    queue(db, job("a", due_at=0), job("b", due_at=7, kind="hub"), job("c", due_at=5, kind="hub"))
    with db.read() as connection:
        assert job_queue.next_due_time(connection, "hub") == 5
        assert job_queue.next_due_time(connection, "hub", "mail", "none") == 0
        assert job_queue.count(connection, "hub", "mail") == 3
        assert job_queue.count(connection, "none") == 0
        assert job_queue.due(connection, "hub", 5) == [job("c", due_at=5, kind="hub")]


def test_processes_that_claim_at_once_share_the_jobs(prepared_database_url: str) -> None:
    """Two machines send each email once."""
    with Database.open(prepared_database_url) as db:
        queue(db, *(job(f"{number:03}", f"t{number}", due_at=NOW - number % 7) for number in range(200)))
    barrier = threading.Barrier(3)

    def work() -> list[Job]:
        with Database.open(prepared_database_url) as own:
            barrier.wait(30)
            jobs: list[Job] = []
            while batch := claim(own, limit=7):
                jobs += batch
            return jobs

    with ThreadPoolExecutor(3) as pool:
        workers = [pool.submit(work) for _ in range(3)]
        claimed = [job for worker in workers for job in worker.result(60)]
    assert sorted(subjects(claimed)) == [f"{number:03}" for number in range(200)]


@pytest.mark.parametrize("prepared_database_url", ["postgresql"], indirect=True)
def test_a_claim_does_not_wait_for_another_one(prepared_database_url: str) -> None:
    """Jobs that another process is claiming are skipped."""
    with Database.open(prepared_database_url) as one, Database.open(prepared_database_url, wait_seconds=1) as other:
        queue(one, *(job(name) for name in "abcd"))
        with one.write() as connection:
            first = job_queue.claim(connection, ["mail"], NOW, lease=300, limit=2)
            assert (subjects(first), subjects(claim(other))) == (["a", "b"], ["c", "d"])


@pytest.mark.parametrize("prepared_database_url", ["sqlite"], indirect=True)
def test_a_claim_of_many_due_jobs_reads_no_more_than_it_returns(db: Database) -> None:
    """A feed with 100,000 subscriptions is delivered in small batches, each of which would sort all of them."""
    statements: list[str] = []
    queue(db, job("a"))
    with db.write() as connection:
        sqlite = connection.connection.driver_connection
        assert sqlite is not None
        sqlite.set_trace_callback(statements.append)
        assert job_queue.claim(connection, ["mail"], NOW, lease=300, limit=32)
        sqlite.set_trace_callback(None)
        (query,) = (statement for statement in statements if statement.startswith("SELECT"))
        steps = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {query}")]
    assert steps == ["SEARCH job USING INDEX ix_job_due (kind=? AND due_at<?)"]


def test_a_payload_is_not_in_the_representation_of_a_job() -> None:
    """Tracebacks and logs show no secret of a hub subscription."""
    secret = job("all.rss", secret="geheim")
    assert "geheim" not in repr(secret) and secret.details == {"secret": "geheim"}
    assert dataclasses.replace(secret, payload="{}") != secret
