"""Renamed and removed feeds: redirects, pages for people, and their settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from publisher.web import Web
from tests.conftest import SiteKit
from tests.support.web_visitor import Visitor

BASE = "https://review.example"


@pytest.fixture
def moved(kit: SiteKit) -> Iterator[Visitor]:
    kit.add_settings('\n[feeds.moved]\n"topic/watr" = "topic/water"\n"brand/old" = "gone"\n')
    kit.article(topic="Water")
    kit.publish()
    web = Web(kit.site)
    yield Visitor(web)
    web.close()


@pytest.mark.parametrize("suffix", ["rss", "atom", "json"])
def test_a_renamed_feed_is_redirected(moved: Visitor, suffix: str) -> None:
    """A removed one gives status 410."""
    answer = moved.get(f"{BASE}/feeds/topic/watr.{suffix}")
    assert (answer.status, answer.headers["location"]) == (301, f"{BASE}/feeds/topic/water.{suffix}")
    assert moved.get(f"{BASE}/feeds/topic/water.{suffix}").status == 200
    assert moved.get(f"{BASE}/feeds/brand/old.{suffix}").status == 410
    assert moved.get(f"{BASE}/feeds/topic/other.{suffix}").status == 404
    assert moved.get(f"{BASE}/feeds/topic/watr.html").status == 404


@pytest.mark.parametrize("suffix", ["rss", "atom", "json"])
def test_a_browser_gets_an_explanation_and_a_feed_reader_the_feed(moved: Visitor, suffix: str) -> None:
    """Sec-Fetch-Dest tells them apart."""
    address = f"{BASE}/feeds/all.{suffix}"
    page = moved.get(address, sec_fetch_dest="document", accept="text/html")
    assert page.headers["content-type"] == "text/html; charset=utf-8" and page.heading == "This is a feed"
    assert f">{address}<" in page.text and f'href="{address}?raw"' in page.text
    assert "Sec-Fetch-Dest" in page.headers["vary"]
    program = moved.get(address, accept="text/html,application/xhtml+xml,*/*;q=0.8", user_agent="Mozilla/5.0")
    assert "html" not in program.headers["content-type"] and "Sec-Fetch-Dest" in program.headers["vary"]
    assert moved.get(address, sec_fetch_dest="empty").body == program.body
    assert moved.get(f"{address}?raw", sec_fetch_dest="document").body == program.body
    index = moved.get(f"{BASE}/feeds/", sec_fetch_dest="document")
    assert index.status == 200 and "This is a feed" not in index.text


def test_settings_of_renamed_feeds_are_validated(make_kit: Callable[[str], SiteKit]) -> None:
    """A wrong target is a settings error."""
    from publisher.errors import SettingsError

    for number, text in enumerate(
        ['"a" = "a"', '"a" = "b"\n"b" = "c"', '"a b" = "c"', '"/etc" = "c"', '"x/y/z" = "c"']
    ):
        kit = make_kit(f"site{number}")
        kit.add_settings(f"\n[feeds.moved]\n{text}\n")
        with pytest.raises(SettingsError, match=r"feeds.moved"):
            _ = kit.site
