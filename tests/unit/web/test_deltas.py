"""Delta responses (RFC 3229) of every feed format."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from email.utils import formatdate

import feedparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.web.deltas import Deltas, asks_for_feed
from publisher.web.etags import etag_of
from publisher.web.feeds import Feeds
from publisher.web.file_cache import CachedFile, EncodedBody
from tests.conftest import SiteKit
from tests.unit.web.test_web import Answer, ask

SUFFIXES = ("rss", "atom", "json")


class DeltaSite:
    """A site with deltas, and a client that requests its feeds."""

    def __init__(self, kit: SiteKit) -> None:
        self.kit = kit
        kit.add_settings("\n[web]\ndeltas = true\n")
        kit.article("one.md", "One")
        kit.article("two.md", "Two", date="2026-11-21")
        kit.publish()
        self.feeds = Feeds(kit.site)

    def ask(self, suffix: str = "rss", **headers: str) -> Answer:
        return ask(self.feeds, f"/feeds/all.{suffix}", **headers)


@pytest.fixture
def served(kit: SiteKit) -> Iterator[DeltaSite]:
    return DeltaSite(kit)


def titles(suffix: str, body: bytes) -> list[str]:
    if suffix == "json":
        return [one["title"] for one in json.loads(body)["items"]]
    found = feedparser.parse(body)
    assert not found.bozo
    return [one.title for one in found.entries]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_delta_request_gets_only_new_entries(served: DeltaSite, suffix: str) -> None:
    """The response has status 226 and the ETag of the whole feed."""
    first = served.ask(suffix)
    assert titles(suffix, first.body) == ["Two", "One"]
    served.kit.article("three.md", "Three", date="2026-11-22")
    served.kit.article("one.md", "One, Edited")
    served.kit.publish()
    answer = served.ask(suffix, A_IM="feed", If_None_Match=first.headers["etag"])
    assert answer.status == 226 and answer.headers["im"] == "feed"
    assert titles(suffix, answer.body) == ["Three", "One, Edited"]
    whole = served.ask(suffix)
    assert answer.headers["etag"] == whole.headers["etag"] and titles(suffix, whole.body) == [
        "Three",
        "Two",
        "One, Edited",
    ]
    assert answer.headers["cache-control"] == "no-store, im" and "A-IM" in answer.headers["vary"]
    assert int(answer.headers["content-length"]) == len(answer.body)
    assert served.ask(suffix, A_IM="feed", If_None_Match=answer.headers["etag"]).status == 304
    head = ask(served.feeds, f"/feeds/all.{suffix}", "HEAD", A_IM="feed", If_None_Match=first.headers["etag"])
    assert head.status == 226 and head.body == b""


def test_a_delta_is_compressed_if_the_client_accepts_gzip(served: DeltaSite) -> None:
    """Deltas are compressed on request, because they are not staged."""
    first = served.ask(Accept_Encoding="br")
    served.kit.article("three.md", "Three", date="2026-11-22")
    served.kit.publish()
    for accepted in ("gzip", "br, gzip"):
        answer = served.ask(A_IM="feed", If_None_Match=first.headers["etag"], Accept_Encoding=accepted)
        assert answer.status == 226 and answer.headers["content-encoding"] == "gzip"
        assert titles("rss", gzip.decompress(answer.body)) == ["Three"]
        assert answer.headers["etag"] == served.ask(Accept_Encoding="gzip").headers["etag"]


def test_a_withdrawal_gives_a_delta_without_entries(served: DeltaSite) -> None:
    """A removed entry cannot be expressed in a delta."""
    from datetime import timedelta

    from publisher.pipeline.correct import retract
    from tests.conftest import NOW

    first = served.ask()
    retract(served.kit.site, NOW + timedelta(hours=1), "one.md", "It was not so")
    served.kit.publish(NOW + timedelta(hours=1))
    answer = served.ask(A_IM="feed", If_None_Match=first.headers["etag"])
    assert answer.status == 226 and titles("rss", answer.body) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"A_IM": "feed"},
        {"A_IM": "vcdiff"},
        {"A_IM": "feed;q=0"},
        {"A_IM": "feed", "If_None_Match": '"unknown"'},
        {},
    ],
)
def test_other_requests_get_the_whole_feed(served: DeltaSite, headers: dict[str, str]) -> None:
    """A client without a known version cannot get a delta."""
    first = served.ask()
    served.kit.article("three.md", "Three", date="2026-11-22")
    served.kit.publish()
    answer = served.ask(
        **{"If_None_Match": first.headers["etag"], **headers} if headers.get("A_IM") != "feed" else headers
    )
    assert answer.status == 200 and titles("rss", answer.body) == ["Three", "Two", "One"]


def test_deltas_are_off_by_default(kit: SiteKit) -> None:
    """Some feed readers fail on status 226."""
    kit.article("one.md", "One")
    kit.publish()
    feeds = Feeds(kit.site)
    first = ask(feeds, "/feeds/all.rss")
    kit.article("two.md", "Two", date="2026-11-21")
    kit.publish()
    answer = ask(feeds, "/feeds/all.rss", A_IM="feed", If_None_Match=first.headers["etag"])
    assert answer.status == 200 and titles("rss", answer.body) == ["Two", "One"]


@pytest.mark.parametrize(
    ("accepted", "asks"),
    [
        (b"feed", True),
        (b"FEED", True),
        (b"vcdiff, feed", True),
        (b"feed;q=0.5, gzip", True),
        (b"feed ; q = 0", False),
        (b"feed;q=0.000", False),
        (b"feeds", False),
        (b"", False),
        (b";,;=feed", False),
    ],
)
def test_the_a_im_header_is_parsed(accepted: bytes, asks: bool) -> None:
    """The value ``feed`` counts unless its weight is zero."""
    assert asks_for_feed(accepted) is asks


# -- any life of a feed ----------------------------------------------------------------------------

FRAMES = {
    "rss": (b"<rss><channel><title>T</title>\n", b"\n", b"\n</channel></rss>\n", lambda one: f"<item>{one}</item>"),
    "atom": (b"<feed><title>T</title>\n", b"\n", b"\n</feed>\n", lambda one: f'<entry xml:lang="ar">{one}</entry>'),
    "json": (b'{"title":"T","items":[\n', b",\n", b"\n]}\n", lambda one: json.dumps({"id": one})),
}
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="<>&"), max_size=6)


def state(suffix: str, entries: list[str]) -> tuple[CachedFile, list[bytes]]:
    head, between, tail, shape = FRAMES[suffix]
    made = [shape(one).encode() for one in entries]
    body = head + between.join(made) + tail
    return CachedFile(
        (1, 1, 1), formatdate(0).encode(), 0, {"identity": EncodedBody(body, etag_of(body))}, len(body)
    ), made


@given(st.sampled_from(SUFFIXES), st.lists(st.lists(WORDS, unique=True, max_size=5), min_size=2, max_size=8), st.data())
def test_merged_deltas_have_all_entries(suffix: str, life: list[list[str]], data: st.DataObject) -> None:
    """A client that merges each response has the same entries as the feed."""
    deltas, states = Deltas(), []
    for entries in life:
        staged, made = state(suffix, entries)
        deltas.note("all." + suffix, staged)
        states.append((staged, made))
    now, current = states[-1]
    held, had = states[data.draw(st.integers(0, len(states) - 1))]
    found = deltas.since("all." + suffix, now, [held.encodings["identity"].etag], "identity")
    assert found is not None
    entries = [one for one in current if one in found]
    head, between, tail, _ = FRAMES[suffix]
    assert found == head + between.join(entries) + tail or not current
    assert set(current) <= set(had) | set(entries)
