"""publish status: the state of a site."""

from __future__ import annotations

import json

import pytest

from publisher.cli.status import lines
from publisher.errors import PublisherError
from tests.conftest import NOW, SiteKit
from tests.support.use_cases import load_status, retract


def test_status_shows_the_state_of_the_site(kit: SiteKit) -> None:
    """It counts articles, feeds and issues, and lists skipped files."""
    kit.settings((kit.root / "publisher.toml").read_text() + 'cadence = "0 7 * * mon-fri"\n')
    (kit.root / "publisher.db").touch()
    with pytest.raises(PublisherError):
        load_status(kit.site, NOW)
    (kit.root / "publisher.db").unlink()
    kit.article(tags="[T]")
    kit.write("bad.txt", "")
    kit.open_issue()
    found = load_status(kit.site, NOW)
    assert (found.articles, found.files, found.feeds, found.feed_files, found.feeds_due) == (1, 2, 2, 11, 0)
    assert found.digests[0].issues == 1
    assert found.digests[0].next is not None and found.digests[0].next.isoformat() == "2026-11-24T07:00:00+00:00"
    assert [one.where for one in found.refused] == ["bad.txt"]
    assert json.loads(json.dumps(found.as_dict()))["issues"][0]["digest"] == "daily"


def test_status_shows_withdrawn_articles_and_waiting_notifications(kit: SiteKit) -> None:
    """Both are counted."""
    kit.add_settings('\n[feeds]\nurl = "http://127.0.0.1:9/feeds"\n[announce]\nhubs = ["http://127.0.0.1:9/"]\n')
    kit.article("a.md")
    kit.article("b.md", title="B")
    kit.publish()
    retract(kit.site, NOW, "a.md", "x")
    found = load_status(kit.site, NOW)
    assert (found.articles, found.withdrawn, found.announcements) == (1, 1, 4)
    text = "\n".join(lines(kit.site, found))
    assert "1 article from 2 files, 1 more withdrawn" in text
    assert "4 announcements to hubs waiting" in text
    assert found.as_dict()["withdrawn"] == 1 and found.as_dict()["announcements"] == 4


def test_status_warns_of_deprecated_names_in_templates(kit: SiteKit) -> None:
    """An operator learns which of their templates to change, and how."""
    kit.article()
    kit.publish()
    assert load_status(kit.site, NOW).warnings == ()
    page = kit.root / "templates/web/about.html.j2"
    page.parent.mkdir(parents=True)
    page.write_text("{{ digest.rhythm }}")
    warning = "templates/web/about.html.j2: .rhythm is a deprecated name; write .cadence_description (line 1)"
    assert f"  {warning}" in lines(kit.site, load_status(kit.site, NOW))
