"""The commands that import subscribers, send issues and process bounces."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.acceptance.test_cli import run
from tests.conftest import MailKit
from tests.integration.delivery.test_bounces import dsn
from tests.support.deliveries import accept_all, return_path
from tests.support.processes import PIPE, Process, run_module
from tests.support.smtp import Script, Server


@pytest.fixture
def site(mail_kit: MailKit) -> MailKit:
    (mail_kit.root / "subscribers.csv").write_text(
        "email,digests,topics\nanna@mail.example.org,daily,\nbert@mail.example.org,daily,Water\nnobody,daily,\n"
    )
    mail_kit.article("one.md", title="One", body="Some text.", topic="Water")
    mail_kit.article("two.md", title="Two", body="Some text.", topic="Trade")
    return mail_kit


def test_an_issue_from_import_to_delivery_history(site: MailKit) -> None:
    """Import, publish, send a test of the draft, approve, send, and show the delivery history of one subscriber."""
    root = site.root
    result = run("subscribers", "import", "subscribers.csv", "--rejected", "rejected.csv", cwd=root)
    assert result.returncode == 1
    assert "3 rows read: 2 added, 0 changed, 0 unchanged" in result.stdout
    assert "  row 4: " in result.stdout
    assert (root / "rejected.csv").read_text().splitlines()[1].startswith("4,")
    shown = run("subscribers", "list", cwd=root).stdout
    assert "bert@mail.example.org  active  daily  only Water" in shown
    assert shown.endswith("2 subscribers\n")
    with Server() as server:
        site.mail(server.port, send="review")
        shown = run("now", cwd=root).stdout
        assert "draft of daily No. 1, 2 articles: The Daily: " in shown
        assert "is sent once you approve it: publish approve daily" in shown
        refused = run("send", "daily", cwd=root)
        assert refused.returncode == 2 and "Approve it first: publish approve daily" in refused.stderr
        tested = run("send", "daily", "--test", "ed@review.example", cwd=root)
        assert (tested.returncode, server.recipients) == (0, ["ed@review.example"])
        approved = run("approve", "daily", "--yes", cwd=root)
        assert approved.returncode == 0 and "It is ready for 2 subscribers, and nothing runs" in approved.stdout
        sent = run("send", "daily", cwd=root)
        assert sent.returncode == 0, sent.stderr
        assert re.match(r"Sent daily/\S+: 2 messages accepted", sent.stdout)
        assert server.recipients == ["anna@mail.example.org", "bert@mail.example.org", "ed@review.example"]
    shown = run("outbox", cwd=root).stdout
    assert "  sent: 2 subscribers (2 accepted)" in shown
    assert json.loads(run("outbox", "--json", cwd=root).stdout)["issues"][0]["deliveries"]["accepted"] == 2
    status = json.loads(run("status", "--json", cwd=root).stdout)
    assert status["subscribers"] == {"active": 2}
    assert status["issues"][0]["deliveries"]["accepted"] == 2
    assert "sent: 2 accepted" in run("status", cwd=root).stdout
    story = run("trace", "daily", "BERT@mail.example.org", cwd=root)
    assert story.returncode == 0
    assert "  state   accepted" in story.stdout and "  article One" in story.stdout and "Two" not in story.stdout
    # The subject names the lead of this subscriber's variant.
    assert "The Daily: One" in story.stdout
    assert "accepted: 127.0.0.1: 250 2.0.0 taken" in story.stdout
    nobody = run("trace", "daily", "carl@mail.example.org", cwd=root)
    assert nobody.returncode == 1 and "no delivery: not a subscriber" in nobody.stdout


def test_reports_are_read_from_standard_input(site: MailKit) -> None:
    """``publish bounces -`` processes one message, as a mail server pipes it."""
    root = site.root
    run("subscribers", "import", "subscribers.csv", cwd=root)
    now = datetime.now(UTC)
    site.open_issue(now=now)
    accept_all(site, now)
    report = dsn(return_path(site, "anna@mail.example.org"), "<x@y>")
    done = run_module("publisher", "bounces", "-", input=report, cwd=root)
    assert done.returncode == 0, done.stderr
    assert b"1 hard: the address does not exist" in done.stdout
    assert b"Suppressed: anna@mail.example.org" in done.stdout
    told = run("trace", "daily", "anna@mail.example.org", cwd=root).stdout
    assert "suppressed after a bounce on" in told and "bounced: hard 5.1.1" in told
    old = run("who", "daily", "anna@mail.example.org", cwd=root)
    assert (old.stdout, old.returncode) == (told, 0)
    assert old.stderr == "publish: 'publish who' is deprecated. Use 'publish trace'.\n"
    assert " who " not in run("--help").stdout


def test_a_paused_issue_is_not_sent_until_it_is_resumed(site: MailKit) -> None:
    """``publish send`` refuses a paused issue, and sends it after ``publish resume``."""
    root = site.root
    run("subscribers", "import", "subscribers.csv", cwd=root)
    site.open_issue()
    with Server() as server:
        site.mail(server.port)
        assert "is paused. To resume it: publish resume daily/" in run("pause", "daily", cwd=root).stdout
        refused = run("send", "daily", cwd=root)
        assert refused.returncode == 2 and "is paused" in refused.stderr
        assert "is no longer paused" in run("resume", "daily", cwd=root).stdout
        assert run("send", "daily", "--json", cwd=root).returncode == 0
        assert len(server.accepted) == 2


def slow(step: str, argument: str, number: int) -> str | None:
    if step == "dot":
        time.sleep(0.1)
    return None


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_sender_finishes_open_messages_and_the_next_one_continues(site: MailKit, how: signal.Signals) -> None:
    """SIGINT and SIGTERM lose no message, and the next run sends the remaining deliveries."""
    site.add_subscribers(100)
    site.open_issue()
    with Server(Script(at=slow)) as server:
        site.mail(server.port)
        process = Process("publisher", "send", "daily", cwd=site.root, stdout=PIPE, stderr=PIPE)
        while not server.accepted:
            time.sleep(0.02)
        process.send_signal(how)
        _, errors = process.communicate(timeout=20)
        assert process.returncode == 130
        assert errors.strip() == b"publish: interrupted; run the command again to continue"
        copies = json.loads(run("outbox", "--json", cwd=site.root).stdout)["issues"][0]["deliveries"]
        assert copies["accepted"] == len(server.accepted) < 100
        assert copies["accepted"] + copies["queued"] == 100
        server.script = Script()
        assert run("send", "daily", cwd=site.root).returncode == 0
        assert len(server.recipients) == len(set(server.recipients)) == 100


def test_send_shows_a_progress_bar_with_rate_and_counts(site: MailKit) -> None:
    """The bar on a terminal shows the rate and the number of deliveries by state."""
    site.add_subscribers(60)
    site.open_issue()
    with Server(Script(at=slow)) as server:
        site.mail(server.port)
        master, slave = pty.openpty()
        process = Process("publisher", "send", "daily", cwd=site.root, stdout=PIPE, stderr=slave)
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 4096)
            except OSError:
                break
            if not data:
                break
            shown += data
        process.communicate(timeout=20)
        os.close(master)
    assert re.search(rb"\d+ of 60, \d+ a second: \d+ accepted, 0 deferred, 0 failed", shown)


def test_dkim_key_creates_a_key_once_prints_its_record_and_messages_are_signed(site: MailKit) -> None:
    """The library dkimpy verifies a message against the printed DNS record."""
    import dkim

    root = site.root
    made = run("dkim-key", "2026a", cwd=root)
    assert made.returncode == 0, made.stderr
    assert "2026a._domainkey.review.example. IN TXT (" in made.stdout
    record = "".join(re.findall(r'"([^"]*)"', made.stdout.split("IN TXT")[1].split(")")[0]))
    path: Path = root / "dkim-2026a.pem"
    assert path.stat().st_mode & 0o777 == 0o600
    assert "There is already" in run("dkim-key", "2026a", cwd=root).stdout
    assert run("dkim-key", "No Name", cwd=root).returncode == 2
    run("subscribers", "import", "subscribers.csv", cwd=root)
    site.open_issue()
    with Server() as server:
        site.mail(server.port)
        site.add_settings('\n[[dkim]]\nselector = "2026a"\nkey = { file = "dkim-2026a.pem" }\n')
        run("send", "daily", cwd=root)
        assert dkim.verify(server.accepted[0].data, dnsfunc=lambda name, timeout=5: record.encode())


def test_subscribers_are_added_suppressed_erased_and_exported(site: MailKit) -> None:
    """Each subcommand prints its result; a cell that looks like a formula is escaped in the export."""
    root = site.root
    added = run("subscribers", "add", "dora@example.org", "--topic", "Water", "--zone", "Europe/London", cwd=root)
    assert added.stdout == "dora@example.org  active  daily  only Water  Europe/London\n"
    assert "not an email address" in run("subscribers", "add", "dora", cwd=root).stderr
    run("subscribers", "add", "=emil@example.org", cwd=root)
    assert "'=emil@example.org,active" in run("subscribers", "export", cwd=root).stdout
    assert "2 subscribers written to out.jsonl" in run("subscribers", "export", "out.jsonl", cwd=root).stdout
    assert "is suppressed." in run("subscribers", "suppress", "dora@example.org", cwd=root).stdout
    again = run("subscribers", "add", "dora@example.org", cwd=root)
    assert again.returncode == 2 and "--resubscribe REASON" in again.stderr
    assert "is erased." in run("subscribers", "forget", "dora@example.org", cwd=root).stdout
    assert "dora" not in run("subscribers", "list", cwd=root).stdout
    shown = run("subscribers", "import", "out.jsonl", cwd=root).stdout
    assert "Skipped 1 row:" in shown and "dora@example.org is not mailed: erased" in shown
