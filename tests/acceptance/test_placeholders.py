"""A new site cannot mail real people before it is configured, and names the missing settings."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_cli import run
from tests.support.processes import ROOT
from tests.support.smtp import Server
from tests.support.waiting import until

PEOPLE = ["anna@posteo.de", "bert@gmx.net", "carl@bbc.co.uk"]
SMTP = '\n[smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
SETTINGS = ["base_url", "mail.sender", "mail.postal_address"]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as started:
        yield started


class Fresh:
    """A site of ``publish init`` with a mail server and subscribers, and a newsletter that every run may send."""

    def __init__(self, root: Path, server: Server, send: str) -> None:
        self.root = root
        self.server = server
        assert run("init", cwd=root).returncode == 0
        self.replace('send = "none" ', f'send = "{send}" ')
        self.replace('cadence = "0 7 * * mon" ', "# cadence: none ")
        self.path.write_text(self.path.read_text("utf-8") + SMTP.format(port=server.port), "utf-8")
        (root / "people.csv").write_text("email,digests\n" + "".join(f"{one},weekly\n" for one in PEOPLE))
        assert run("subscribers", "import", "people.csv", cwd=root).returncode == 0

    @property
    def path(self) -> Path:
        return self.root / "publisher.toml"

    def replace(self, old: str, new: str) -> None:
        text = self.path.read_text("utf-8")
        assert old in text
        self.path.write_text(text.replace(old, new), "utf-8")

    def set_up(self) -> None:
        """Do what the messages say."""
        self.replace('base_url = "https://example.org"', 'base_url = "https://magazine.co.uk"')
        self.replace('sender = "newsletter@example.org"', 'sender = "news@magazine.co.uk"')
        self.replace("# postal_address = ", 'postal_address = "My Magazine, 5 Long Road, London"\n# postal_address = ')
        (self.root / "articles" / "welcome.md").write_text(
            "---\ntitle: Water prices rise\ndate: 2026-01-05\n---\nThey rise for the third time in a row.\n"
        )


@pytest.fixture
def fresh(tmp_path: Path, server: Server) -> Fresh:
    return Fresh(tmp_path, server, "auto")


def names_every_setting(text: str) -> bool:
    return all(f"{name}: " in text for name in SETTINGS) and "sample article" in text


def test_publish_now_sends_no_mail_and_names_the_settings(fresh: Fresh) -> None:
    """Exit status 2, every setting named, feeds and draft staged as usual."""
    done = run("now", cwd=fresh.root)
    assert done.returncode == 2, done.stdout + done.stderr
    assert names_every_setting(done.stdout)
    assert [path.parent.name for path in (fresh.root / "outbox" / "weekly").glob("*/index.html")] == ["next"]
    assert fresh.server.accepted == []


def test_every_other_sending_command_is_blocked(fresh: Fresh) -> None:
    """``tick``, an issue out of turn, a test message, and ``approve``."""
    run("now", cwd=fresh.root)
    for command in (
        ("tick",),
        ("now", "weekly", "--yes"),
        ("send", "weekly", "--test", "ed@posteo.de"),
        ("approve", "weekly", "--yes"),
    ):
        done = run(*command, cwd=fresh.root)
        assert done.returncode == 2, command
        assert names_every_setting(done.stdout + done.stderr), command
    assert fresh.server.accepted == []


def test_status_and_check_name_the_settings_before_anything_is_sent(fresh: Fresh) -> None:
    """``publish check`` ends with 1, because the draft may not be sent to its recipients."""
    run("now", cwd=fresh.root)
    assert all(f"{name}: " in run("status", cwd=fresh.root).stdout for name in SETTINGS)
    assert len(json.loads(run("status", "--json", cwd=fresh.root).stdout)["blockers"]) == 3
    checked = run("check", "weekly", "--no-browser", cwd=fresh.root)
    assert checked.returncode == 1 and names_every_setting(checked.stdout)
    assert "is blocked for its recipients by these placeholder values:" in checked.stdout


def test_the_runner_sends_no_mail_and_logs_the_settings(fresh: Fresh) -> None:
    """It goes on with everything else."""
    run("now", cwd=fresh.root)
    log = fresh.root / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "publisher", "run", "--site", str(fresh.root), "--log", "json"],
            cwd=ROOT,
            stdout=stream,
            stderr=stream,
        )
    try:
        until(lambda: log.read_text().count('"placeholder value"') >= 4)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert names_every_setting(" ".join(line["fix"] for line in lines if line["event"] == "placeholder value"))
    assert fresh.server.accepted == []


def test_recipients_at_reserved_names_and_maildirs_get_mail_from_a_fresh_site(fresh: Fresh) -> None:
    """Trials and tests are not held up."""
    run("now", cwd=fresh.root)
    tested = run("send", "weekly", "--test", "ed@mail.example.org", cwd=fresh.root)
    assert (tested.returncode, fresh.server.recipients) == (0, ["ed@mail.example.org"])
    fresh.path.write_text(fresh.path.read_text("utf-8") + '\n[delivery]\ntransport = "maildir"\n', "utf-8")
    sent = run("now", cwd=fresh.root)
    assert sent.returncode == 0, sent.stderr
    assert len(list((fresh.root / "outbox" / "maildir" / "new").iterdir())) == 3


def test_one_real_recipient_among_many_blocks_the_whole_issue(fresh: Fresh) -> None:
    """No issue is sent to a part of its audience."""
    (fresh.root / "more.csv").write_text(
        "email,digests\n" + "".join(f"r{n}@mail.example.org,weekly\n" for n in range(20))
    )
    run("subscribers", "import", "more.csv", cwd=fresh.root)
    for address in PEOPLE[1:]:
        run("subscribers", "suppress", address, cwd=fresh.root)
    assert run("now", cwd=fresh.root).returncode == 2
    assert fresh.server.accepted == []


def test_a_configured_site_brings_the_draft_up_to_date_and_sends_it(fresh: Fresh) -> None:
    """The first issue, with the links, the sender and the postal address of the settings, and no sample article."""
    run("now", cwd=fresh.root)
    fresh.set_up()
    done = run("now", cwd=fresh.root)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "weekly No. 1 is sent to 3 subscribers, 1 article: The Weekly: Water prices rise" in done.stdout
    assert fresh.server.recipients == PEOPLE
    for one in fresh.server.accepted:
        assert one.sender == "news@magazine.co.uk"
        text = one.data.decode().replace("=\r\n", "")
        assert "example.org" not in text and "welcome.md" not in text
        assert "Water prices rise" in text and "5 Long Road" in text and "https://magazine.co.uk/2026/01/" in text
    assert len(list((fresh.root / "outbox" / "weekly").iterdir())) == 1
    assert json.loads(run("status", "--json", cwd=fresh.root).stdout)["blockers"] == []
