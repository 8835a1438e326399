"""A folder of the outbox that cannot be written: the other drafts and issues are staged."""

from __future__ import annotations

import shutil

import pytest

from publisher.errors import StageError
from tests.conftest import NOW, SiteKit
from tests.support.issues import open_draft


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


def test_a_draft_ends_although_a_file_is_in_place_of_its_folder(kit: SiteKit) -> None:
    """The issue is staged, and the file is kept."""
    kit.article("one.md", "One")
    kit.publish()
    shutil.rmtree(kit.root / "outbox/daily/next")
    (kit.root / "outbox/daily/next").write_bytes(b"mine")
    row = open_draft(kit.site, "daily", NOW, opens=False)
    assert (kit.root / "outbox" / row.path / "message.eml").is_file()
    assert (kit.root / "outbox/daily/next").read_bytes() == b"mine"
