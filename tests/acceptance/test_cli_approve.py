"""``publish approve``: question, answers and output."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from tests.acceptance.test_cli import run
from tests.conftest import MailKit


@pytest.fixture
def site(mail_kit: MailKit) -> MailKit:
    mail_kit.add_subscribers(2)
    mail_kit.article("one.md", "One")
    mail_kit.mail(1, send="review")
    mail_kit.draft_issue(now=datetime.now(UTC))
    return mail_kit


def is_approved(kit: MailKit) -> bool:
    issues = json.loads(run("status", "--json", cwd=kit.root).stdout)["issues"]
    return bool(issues) and issues[0]["approved"] is not None


def on_a_terminal(kit: MailKit, answer: str, *options: str) -> tuple[int, str]:
    """Run ``publish approve`` on a terminal, type the answer, and return the exit status and what was shown."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "publisher", "approve", "daily", *options]
    process = subprocess.Popen(command, cwd=kit.root, stdin=slave, stdout=slave, stderr=slave)
    os.close(slave)
    os.write(master, answer.encode())
    shown = b""
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.close(master)
    return process.wait(60), shown.decode().replace("\r\n", "\n")


def test_approve_shows_the_draft_asks_and_explains_how_to_stop_it(site: MailKit) -> None:
    """The question names the audience, the subject and the time; the answer explains how to stop the delivery."""
    status, shown = on_a_terminal(site, "y\n")
    assert status == 0, shown
    before, _, after = shown.partition("Approve it? [y/N]:")
    assert "  subject  The Daily: One\n  articles One\n  goes to  2 subscribers today\n  sent     at once\n" in before
    assert (
        "It is ready for 2 subscribers, and nothing runs on this machine." in after
        and "To stop it: publish pause daily/" in after
    )
    assert "To send it: publish send daily/" in after
    assert is_approved(site)


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_approve_with_no_changes_nothing(site: MailKit, answer: str) -> None:
    """The answer that is given by Return alone is no."""
    status, shown = on_a_terminal(site, answer)
    assert (status, "Nothing was changed." in shown) == (2, True)
    assert not is_approved(site)


def test_approve_without_a_terminal_requires_yes(site: MailKit) -> None:
    """A script that was written before does not approve by accident."""
    refused = run("approve", "daily", cwd=site.root)
    assert refused.returncode == 2
    assert "there is no terminal to ask on: add --yes" in refused.stderr
    assert not is_approved(site)
    done = run("approve", "daily", "--yes", "--json", cwd=site.root)
    assert done.returncode == 0 and json.loads(done.stdout)["subscribers"] == 2
    assert is_approved(site)
    revoked = run("approve", "daily", "--revoke", cwd=site.root)
    assert revoked.returncode == 2 and "there is nothing to reopen" in revoked.stderr
