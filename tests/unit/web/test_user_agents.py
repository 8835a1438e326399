"""User-Agent headers of feed readers, and requests counted by day."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.web.feed_request_counter import FeedRequestCounter
from publisher.web.user_agents import is_automated, parse_user_agent

DAY = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "name", "subscribers", "feed_id"),
    [
        ("Feedly/1.0 (+http://www.feedly.com/fetcher.html; 45 subscribers; like FeedFetcher-Google)", "Feedly", 45, ""),
        ("Feedbin feed-id:1373711 - 1,204 subscribers", "Feedbin", 1204, "1373711"),
        ("NewsBlur Feed Fetcher - 12 subscribers - http://www.newsblur.com/site/1/x", "NewsBlur Feed Fetcher", 12, ""),
        ("inoreader.com; 3 subscribers", "inoreader.com", 3, ""),
        ("theoldreader.com; 1 subscriber; feed-id=ab12", "theoldreader.com", 1, "ab12"),
        ("BazQux/2.4 (+https://bazqux.com/fetcher; 7 subscribers)", "BazQux", 7, ""),
        ("NetNewsWire (RSS Reader; https://netnewswire.com/)", "direct", 1, ""),
        ("newsboat/2.32.0 (Linux x86_64)", "direct", 1, ""),
        ("Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Thunderbird/130.0", "direct", 1, ""),
        ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", "direct", 0, ""),
        ("curl/8.1", "direct", 0, ""),
        ("", "direct", 0, ""),
    ],
)
def test_a_user_agent_names_its_number_of_subscribers(text: str, name: str, subscribers: int, feed_id: str) -> None:
    """Aggregators report it in several spellings."""
    found = parse_user_agent(text.encode())
    assert (found.name, found.subscribers, found.feed_id) == (name, subscribers, feed_id)


@given(st.binary(max_size=600))
def test_any_user_agent_can_be_parsed(said: bytes) -> None:
    """The header is untrusted input."""
    assert 0 <= parse_user_agent(said).subscribers < 100_000_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15", False),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:130.0) Gecko/20100101 Firefox/130.0", False),
        ("Mozilla/5.0 (compatible; bingbot/2.0)", True),
        ("Barracuda Sentinel", True),
        ("python-requests/2.32", True),
        ("Mozilla/5.0 HeadlessChrome/120", True),
        ("", True),
    ],
)
def test_automated_clicks_are_told_from_clicks_of_people(text: str, expected: bool) -> None:
    """Scanners and previews follow links in messages."""
    assert is_automated(text) is expected


class CounterDay:
    def __init__(self) -> None:
        self.counter = FeedRequestCounter()

    def ask(
        self, agent: str, client: str = "192.0.2.1", name: str = "all.rss", status: int = 200, **asked: str
    ) -> None:
        headers = {
            b"user-agent": agent.encode(),
            **{key.replace("_", "-").encode(): one.encode() for key, one in asked.items()},
        }
        self.counter.count_request(name, {"client": (client, 1)}, headers, status)

    def counts(self, at: datetime = DAY) -> dict[tuple[str, str], tuple[int, int, int]]:
        return {
            (one.feed, one.program): (one.subscribers, one.requests, one.unchanged)
            for one in self.counter.take_rows(at)
        }


def test_the_last_reported_number_counts_and_feed_ids_are_added() -> None:
    """An aggregator may have several ids for one feed."""
    day = CounterDay()
    day.ask("Feedly/1.0 (45 subscribers)")
    day.ask("Feedly/1.0 (46 subscribers)", status=304, if_none_match='"x"')
    day.ask("Feedly/1.0 (4 subscribers)", name="all.atom")
    day.ask("Feedbin feed-id:1 - 10 subscribers")
    day.ask("Feedbin feed-id:2 - 5 subscribers")
    assert day.counts() == {("all", "Feedly"): (50, 3, 1), ("all", "Feedbin"): (15, 2, 0)}


def test_a_direct_subscriber_counts_from_the_first_conditional_request() -> None:
    """A single request may come from anyone."""
    day = CounterDay()
    for _ in range(3):
        day.ask("newsboat/2.32", "192.0.2.1", status=304, if_none_match='"x"')
    day.ask("newsboat/2.32", "192.0.2.2", if_modified_since="x")
    day.ask("NetNewsWire", "192.0.2.2", if_none_match='"x"')
    day.ask("newsboat/2.32", "192.0.2.9")
    day.ask("curl/8", "192.0.2.3", if_none_match='"x"')
    day.ask("newsboat/2.32", name="index.opml", if_none_match='"x"')
    assert day.counts() == {("all", "direct"): (3, 6, 3)}


def test_memory_is_bounded_for_any_user_agents() -> None:
    """Names and feed ids beyond the limits are counted together."""
    day = CounterDay()
    tracemalloc.start()
    for number in range(1, 8_001):
        day.ask(f"Program{number} ({number} subscribers) " + "x" * 5_000)
        day.ask(f"Feedly feed-id:{number} - 5 subscribers")
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 20_000_000
    found = day.counts()
    assert len(found) < 6_000 and sum(requests for _, requests, _ in found.values()) == 16_000
    assert found["all", "others"][1] > 2_000 and found["all", "Feedly"] == (500, 8_000, 0)


def test_counts_are_stored_by_day() -> None:
    """A new day starts with zero subscribers."""
    day = CounterDay()
    day.counts()
    day.ask("newsboat/2.32", if_none_match='"x"')
    assert day.counts() == {("all", "direct"): (1, 1, 0)}
    # Without new requests there are no new rows.
    assert day.counts() == {}
    day.ask("newsboat/2.32", if_none_match='"x"')
    (late,) = day.counter.take_rows(DAY.replace(day=25, hour=0))
    assert (late.day, late.subscribers) == ("2026-11-24", 1)
    day.ask("newsboat/2.32", "192.0.2.2", if_none_match='"x"')
    (fresh,) = day.counter.take_rows(DAY.replace(day=25, hour=1))
    assert (fresh.day, fresh.subscribers) == ("2026-11-25", 1)
