"""A site whose newsletter has a cadence, run by ``publish tick`` at times that a test sets."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Self

from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.digests.issue_drafts_store import IssueDraft
from publisher.digests.store import IssueRow
from publisher.model.report import PublishResult
from publisher.pipeline.approve import Approval, ApprovalTime
from tests.conftest import MailKit
from tests.support.clocks import ManualClock
from tests.support.smtp import Server
from tests.support.use_cases import add_subscriber, approve, import_list, run_due_slots, send_due_issues

#: The slot is on Monday at 07:00.
FRIDAY = datetime(2026, 11, 20, 15, tzinfo=UTC)
SATURDAY = datetime(2026, 11, 21, 12, tzinfo=UTC)
SUNDAY = datetime(2026, 11, 22, 12, tzinfo=UTC)
MONDAY = datetime(2026, 11, 23, 7, tzinfo=UTC)

EDITOR = "ed@review.example"

_SETTINGS = f"""
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"

[mail]
sender = "The Test Review <news@review.example>"
unsubscribe = "https://review.example/leave"
editors = ["{EDITOR}"]
"""
_WEEKLY = """
[digests.weekly]
title = "The Weekly"
cadence = "0 7 * * mon"
"""


class ScheduledSite:
    """A site with a weekly newsletter, its mail server and its clock, which starts on Friday."""

    def __init__(self, kit: MailKit, server: Server, *, weekly: str = "", more: str = "") -> None:
        """Write the settings.

        Args:
            kit: an empty site; the settings of its database stay.
            server: the mail server.
            weekly: more settings of the newsletter.
            more: more settings of the site.
        """
        self.kit, self.server, self.clock = kit, server, ManualClock(FRIDAY)
        before = (kit.root / "publisher.toml").read_text("utf-8")
        database = before[before.index("[database]") :] if "[database]" in before else ""
        smtp = f'\n[smtp]\nhost = "127.0.0.1"\nport = {server.port}\nsecurity = "none"\n\n'
        kit.settings(_SETTINGS + _WEEKLY + weekly + "\n" + more + smtp + database)
        # The cadence counts from the first run.
        self.tick()

    @classmethod
    def again(cls, kit: MailKit, server: Server) -> Self:
        """Return a site that was set up before, with another mail server; its clock is at the start."""
        site = cls.__new__(cls)
        site.kit, site.server, site.clock = kit, server, ManualClock(FRIDAY)
        settings = (kit.root / "publisher.toml").read_text("utf-8")
        kit.settings(re.sub(r"(?m)^port = \d+$", f"port = {server.port}", settings))
        return site

    def replace_setting(self, old: str, new: str) -> None:
        """Replace text in ``publisher.toml``."""
        path = self.kit.root / "publisher.toml"
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def subscribe(self, *names: str, digests: Sequence[str] = ("weekly",), **fields: object) -> None:
        """Subscribe people at mail.example.org; keywords are those of ``add_subscriber``."""
        for name in names:
            address = f"{name}@mail.example.org"
            add_subscriber(self.kit.site, address, self.clock.now(), digests=list(digests), **fields)

    def unsubscribe(self, name: str) -> None:
        """Unsubscribe somebody from everything."""
        path = self.kit.root / "unsubscribed.csv"
        path.write_text(f"address,status\n{name}@mail.example.org,unsubscribed\n")
        result = import_list(self.kit.site, path, self.clock.now())
        assert not result.rejected, result.rejections

    def tick(self, at: datetime | None = None) -> PublishResult:
        """Do the work of ``publish tick`` once, at a time."""
        self.clock.at = at or self.clock.at
        site = self.kit.site
        with self.kit.open() as db:
            report = run_due_slots(site, db, self.clock, always=True)
            assert report is not None
            return report + send_due_issues(site, db, self.clock.now(), clock=self.clock)

    def approve(
        self,
        digest: str = "weekly",
        at: datetime | None = None,
        *,
        time: ApprovalTime = ApprovalTime.SLOT,
        expect: str | None = None,
    ) -> Approval:
        """Approve the draft of a newsletter."""
        self.clock.at = at or self.clock.at
        return approve(self.kit.site, digest, self.clock.now(), time=time, expect=expect)

    def draft(self, digest: str = "weekly") -> IssueDraft | None:
        """Return the stored draft of a newsletter."""
        with self.kit.open() as db, db.read() as connection:
            return drafts.load_draft(connection, digest)

    def issues(self, digest: str = "weekly") -> list[IssueRow]:
        """Return the issues of a newsletter, oldest first."""
        with self.kit.open() as db, db.read() as connection:
            return [row for row in reversed(issues.list_issues(connection)) if row.digest == digest]

    @property
    def recipients(self) -> list[str]:
        """Return the names of the subscribers who were mailed, once for each message."""
        return sorted(name.partition("@")[0] for name in self.server.recipients if name != EDITOR)

    def messages(self, name: str) -> list[EmailMessage]:
        """Return the messages to a subscriber, in order."""
        return self._messages(f"{name}@mail.example.org")

    def editor_mails(self) -> list[EmailMessage]:
        """Return the messages to the editor, in order."""
        return self._messages(EDITOR)

    def _messages(self, recipient: str) -> list[EmailMessage]:
        data = [one.data for one in self.server.accepted if one.recipient == recipient]
        messages = [message_from_bytes(one, policy=policy.default) for one in data]
        assert all(isinstance(message, EmailMessage) for message in messages)
        return messages


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a message."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")
