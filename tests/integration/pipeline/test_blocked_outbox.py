"""A folder of the outbox that cannot be written: the other drafts and issues are staged."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

import pytest

from publisher.errors import StageError
from publisher.testing import MemoryTransport
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.issues import open_draft
from tests.support.use_cases import tick


def test_a_file_in_place_of_one_draft_stops_no_other(kit: SiteKit) -> None:
    """The error names the path; once the file is moved away, the next run stages the rest."""
    kit.add_settings('\n[digests.notes]\ntitle = "Notes"\n')
    (kit.root / "outbox/daily").mkdir(parents=True)
    (kit.root / "outbox/daily/next").write_bytes(b"mine")
    kit.article("one.md", "One")
    with pytest.raises(StageError, match="cannot stage daily/next/"):
        kit.publish()
    assert (kit.root / "outbox/notes/next/message.eml").is_file()
    assert (kit.root / "outbox/daily/next").read_bytes() == b"mine"
    shutil.move(kit.root / "outbox/daily/next", kit.root / "mine")
    kit.publish()
    assert (kit.root / "outbox/daily/next/message.eml").is_file()


def test_a_tick_sends_what_is_due_although_a_folder_is_blocked(mail_kit: MailKit) -> None:
    """The error is raised once everything else is done: subscribers do not wait for a draft of another issue."""
    kit = mail_kit
    kit.mail(1, send="review")
    kit.add_subscribers(2)
    kit.issue("one", now=datetime.now(UTC))
    kit.article("two.md", "Two")
    (kit.root / "outbox/daily/next").write_bytes(b"mine")
    mail = MemoryTransport()
    with pytest.raises(StageError, match="cannot stage daily/next/"):
        tick(kit.site, transport=mail)
    assert len(mail.sent) == 2


def test_a_draft_ends_although_a_file_is_in_place_of_its_folder(kit: SiteKit) -> None:
    """The issue is staged, and the file is kept."""
    kit.article("one.md", "One")
    kit.publish()
    shutil.rmtree(kit.root / "outbox/daily/next")
    (kit.root / "outbox/daily/next").write_bytes(b"mine")
    row = open_draft(kit.site, "daily", NOW, opens=False)
    assert (kit.root / "outbox" / row.path / "message.eml").is_file()
    assert (kit.root / "outbox/daily/next").read_bytes() == b"mine"
