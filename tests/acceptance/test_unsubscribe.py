"""Unsubscribing as a subscriber sees it: a running web server, the command line and a mail server."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from publisher.digests import store as issues
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from tests.acceptance.test_cli import run
from tests.acceptance.test_serve import Serving, get
from tests.conftest import MailKit
from tests.support.smtp import Server
from tests.support.waiting import until

ANN, BOB = "ann@mail.example.org", "bob@mail.example.org"


@pytest.fixture
def serving(any_mail_kit: MailKit) -> Iterator[tuple[MailKit, Server, Serving]]:
    """A site that serves and sends, with an approved issue that is paused."""
    kit = any_mail_kit
    text = (kit.root / "publisher.toml").read_text()
    link = '[mail]\nunsubscribe = "https://review.example/leave"\none_click = true\n'
    kit.settings(text.replace("[mail]\n", link))
    kit.article("one.md", "One")
    (kit.root / "list.csv").write_text(f"email,digests\n{ANN},daily\n{BOB},daily\n")
    with Server() as server:
        kit.mail(server.port, send="review")
        assert run("subscribers", "import", "list.csv", cwd=kit.root).returncode == 0
        target = kit.open_issue(now=datetime.now(UTC))
        assert run("pause", target, cwd=kit.root).returncode == 0
        begun = Serving(kit)
        until(lambda: get(f"{begun.url}/readyz")[0] == 200)
        yield kit, server, begun
        if begun.process.poll() is None:
            begun.process.kill()
            begun.process.wait()


@pytest.mark.slow(reason="the runner looks for mail that may be sent again every thirty seconds")
def test_one_click_keeps_a_subscriber_out_of_lists_and_of_the_issue(serving: tuple[MailKit, Server, Serving]) -> None:
    """Their delivery was queued before; no command brings them back without a reason."""
    kit, server, web = serving
    with kit.open() as db, db.write() as connection:
        person = subscribers.find_by_key(connection, ANN)
        assert person is not None
        token = keyring(kit.site, connection).delivery_token(issues.list_issues(connection)[0].id, person.id)
    body = b"List-Unsubscribe=One-Click"
    with urllib.request.urlopen(f"{web.url}/leave?copy={token}", data=body, timeout=30) as answer:
        assert answer.status == 200
    added = run("subscribers", "add", ANN, cwd=kit.root)
    assert added.returncode == 2 and "unsubscribed from daily" in added.stderr and "--resubscribe" in added.stderr
    again = run("subscribers", "import", "list.csv", cwd=kit.root)
    assert again.returncode == 1 and "Skipped 1 row:" in again.stdout and ANN in again.stdout
    assert run("subscribers", "add", ANN, "--lift", cwd=kit.root).returncode == 2
    assert "unsubscribed" in run("subscribers", "list", "--status", "unsubscribed", cwd=kit.root).stdout
    assert run("resume", "daily", cwd=kit.root).returncode == 0
    until(lambda: server.recipients, 60)
    shown = run("trace", "daily", ANN, cwd=kit.root).stdout
    assert "unsubscribed from daily since" in shown and "active → unsubscribed (by link)" in shown
    assert server.recipients == [BOB]
    assert web.end() == 0
    log = web.log.read_text()
    assert 'event="subscription changed"' in log and "digest=daily" in log and "source=link" in log
    assert "ann@" not in log and token not in log
    back = run("subscribers", "add", ANN, "--resubscribe", "asked by phone", cwd=kit.root)
    assert back.returncode == 0 and back.stdout == f"{ANN}  active  daily\n"
