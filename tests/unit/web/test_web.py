"""feeds/ over HTTP: files, encodings, conditional requests, and files that are not public."""

from __future__ import annotations

import asyncio
import gzip
import os
import time
import tracemalloc
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.web import Web
from publisher.web.feeds import Feeds, _choose_encoding, _request_headers
from publisher.web.file_cache import FileCache
from tests.conftest import NOW, SiteKit
from tests.support.use_cases import retract


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


def ask(app: Any, path: str, method: str = "GET", **headers: str) -> Answer:
    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request"}

    raw = [(name.replace("_", "-").lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(app(scope, receive, send))
    got = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], got, b"".join(one.get("body", b"") for one in sent[1:]))


@pytest.fixture
def feeds(kit: SiteKit) -> Feeds:
    kit.article("one.md", "One")
    kit.publish()
    return Feeds(kit.site)


def test_a_restaged_file_is_served_at_once(kit: SiteKit, feeds: Feeds) -> None:
    """The cache compares each file with the file system."""
    first = ask(feeds, "/feeds/all.rss")
    assert first.body == (kit.root / "feeds/all.rss").read_bytes()
    kit.article("two.md", "Two", date="2026-11-21")
    kit.publish()
    second = ask(feeds, "/feeds/all.rss", If_None_Match=first.headers["etag"])
    assert second.status == 200 and b"Two" in second.body
    assert ask(feeds, "/feeds/all.rss", If_None_Match=second.headers["etag"]).status == 304


def test_a_last_modified_date_in_the_future_is_not_sent(kit: SiteKit, feeds: Feeds) -> None:
    """A feed that changed twice within a second has a date in the future; it is sent once it has passed."""
    path = kit.root / "feeds/all.rss"
    now_ns = time.time_ns()
    os.utime(path, ns=(now_ns, now_ns + 3600 * 10**9))
    ahead = ask(feeds, "/feeds/all.rss")
    assert (ahead.status, ahead.body) == (200, path.read_bytes())
    assert "last-modified" not in ahead.headers
    os.utime(path, ns=(now_ns, now_ns - 10**9))
    dated = ask(feeds, "/feeds/all.rss", If_None_Match=f"not {ahead.headers['etag']}")
    assert dated.headers["last-modified"] == formatdate(now_ns // 10**9 - 1, usegmt=True)


def test_a_stale_precompressed_file_is_not_served(kit: SiteKit, feeds: Feeds) -> None:
    """Its time differs from that of the file."""
    path = kit.root / "feeds/all.rss"
    os.utime(f"{path}.gz", ns=(1, 1))
    answer = ask(feeds, "/feeds/all.rss", Accept_Encoding="gzip")
    assert "content-encoding" not in answer.headers and answer.body == path.read_bytes()


def test_a_weak_etag_matches(feeds: Feeds) -> None:
    """A proxy may have made the ETag weak."""
    tag = ask(feeds, "/feeds/all.rss").headers["etag"]
    assert ask(feeds, "/feeds/all.rss", If_None_Match=f'"other", W/{tag}').status == 304
    assert ask(feeds, "/feeds/all.rss", If_None_Match=f'"other", W/{tag[:-2]}"').status == 200


def test_an_invalid_date_is_ignored(feeds: Feeds) -> None:
    """If-Modified-Since is untrusted input."""
    assert ask(feeds, "/feeds/all.rss", If_Modified_Since="yesterday").status == 200


def test_a_client_that_asks_for_new_entries_only_gets_the_whole_feed(kit: SiteKit, feeds: Feeds) -> None:
    """rss2email sends A-IM: feed (RFC 3229) and would lose the entries that a response with status 226 omits."""
    first = ask(feeds, "/feeds/all.rss")
    kit.article("two.md", "Two", date="2026-11-21")
    kit.publish()
    answer = ask(feeds, "/feeds/all.rss", A_IM="feed", If_None_Match=first.headers["etag"])
    assert answer.status == 200 and answer.body.count(b"<item>") == first.body.count(b"<item>") + 1


def test_only_get_head_and_options_are_allowed(feeds: Feeds) -> None:
    """Other methods get status 405."""
    refused = ask(feeds, "/feeds/all.rss", "POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    asked = ask(feeds, "/feeds/all.rss", "OPTIONS")
    assert (asked.status, asked.headers["access-control-allow-origin"]) == (204, "*")


@pytest.mark.parametrize(
    "path",
    [
        "/feeds/../publisher.toml",
        "/feeds/..",
        "/feeds/tag/../../publisher.toml",
        "/feeds//etc/passwd",
        "/feeds/.staging/half",
        "/feeds/_headers",
        "/feeds/all.rss.gz",
        "/feeds/all.rss\0",
        "/feeds/..\\publisher.toml",
        "/feeds/all.rss/",
        "/feeds/tag",
        "/publisher.toml",
        "/../publisher.toml",
        "/",
        "",
    ],
)
def test_other_files_are_not_served(kit: SiteKit, feeds: Feeds, path: str) -> None:
    """Hidden, precompressed and unknown files get status 404."""
    assert ask(feeds, path).status == 404


def test_symbolic_links_are_not_followed(kit: SiteKit, feeds: Feeds) -> None:
    """A link could lead out of the folder."""
    (kit.root / "feeds" / "secret.rss").symlink_to(kit.root / "publisher.toml")
    assert ask(feeds, "/feeds/secret.rss").status == 404


@given(path=st.text(max_size=60))
def test_no_path_leads_out_of_the_folder(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    """Paths with dots, null bytes or backslashes are refused."""
    folder = tmp_path_factory.getbasetemp() / "cache"
    (folder / "feeds").mkdir(parents=True, exist_ok=True)
    (folder / "outside").write_text("secret")
    cache = FileCache(folder / "feeds")
    for one in (path, f"../{path}", f"{path}/../../outside", f"{path}\0"):
        assert cache.find(one) is None


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (b"", "identity"),
        (b"gzip", "gzip"),
        (b"gzip, br", "br"),
        (b"GZIP;q=0.9, br;q=0.8", "gzip"),
        (b"x-gzip", "gzip"),
        (b"*", "br"),
        (b"*;q=0.5, gzip", "gzip"),
        (b"br;q=0, *", "gzip"),
        (b"zstd", "identity"),
        (b"gzip;q=0", "identity"),
        (b"identity;q=0, gzip", "gzip"),
        (b"identity;q=0", None),
        (b"*;q=0", None),
        (b"gzip;q=nonsense", "identity"),
        (b";;,,;q=1", "identity"),
    ],
)
def test_the_preferred_encoding_is_chosen(accepted: bytes, coding: str | None) -> None:
    """Weights decide; of equal ones the smallest encoding is used."""
    assert _choose_encoding(accepted, ("identity", "br", "gzip")) == coding


@given(accepted=st.binary(max_size=60))
def test_any_accept_encoding_can_be_parsed(accepted: bytes) -> None:
    """The header is untrusted input."""
    assert _choose_encoding(accepted, ("identity", "br", "gzip")) in ("identity", "br", "gzip", None)


def test_no_acceptable_encoding_gives_406(feeds: Feeds) -> None:
    """The response names the header that it depends on."""
    assert ask(feeds, "/feeds/all.rss", Accept_Encoding="identity;q=0").status == 406


def test_the_file_cache_holds_the_files_read_last(tmp_path: Path) -> None:
    """The size of the cache is limited in bytes."""
    for name in "abc":
        (tmp_path / name).write_bytes(b"x" * 100)
    cache = FileCache(tmp_path, max_bytes=2 * 4_096 + 250)
    first = cache.find("a")
    assert cache.find("a") is first
    cache.find("b")
    assert cache.find("a") is first
    cache.find("c")
    assert cache.find("a") is not first


def test_precompressed_files_have_the_content_of_their_file(tmp_path: Path) -> None:
    """A file with another time belongs to another version."""
    (tmp_path / "a").write_bytes(b"x" * 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 1000))
    found = (tmp_path / "a").stat()
    os.utime(tmp_path / "a.gz", ns=(found.st_atime_ns, found.st_mtime_ns))
    staged = FileCache(tmp_path).find("a")
    assert staged is not None and set(staged.encodings) == {"identity", "gzip"}
    assert staged.encodings["gzip"].etag != staged.encodings["identity"].etag


def test_health_checks_report_the_state_of_the_process(kit: SiteKit, feeds: Feeds) -> None:
    """/healthz is always 200, /readyz is 503 with the reason."""
    trouble = [""]
    web = Web(kit.site, unready_reason=lambda: trouble[0])
    assert ask(web, "/healthz").body == b"alive\n"
    assert ask(web, "/readyz").status == 200
    trouble[0] = "publish has failed 3 times in a row"
    refused = ask(web, "/readyz")
    assert (refused.status, refused.body) == (503, b"publish has failed 3 times in a row\n")
    assert ask(web, "/feeds/all.rss").status == 200


def test_other_asgi_scopes_are_ignored(kit: SiteKit) -> None:
    """Only HTTP requests get a response."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {}

    asyncio.run(Web(kit.site)({"type": "websocket"}, receive, send))
    assert sent == []


def test_long_headers_are_not_cached(feeds: Feeds) -> None:
    """Parsed headers are cached, so their length is limited."""

    async def nothing(_: Any = None) -> Any:
        return {"type": "http.request"}

    async def many() -> None:
        for number in range(1_500):
            strange = b"%d" % number + b"x" * 30_000
            headers = [(name, strange) for name in (b"accept-encoding", b"if-modified-since", b"user-agent")]
            scope = {"type": "http", "method": "GET", "path": "/feeds/all.rss", "headers": headers}
            await feeds(scope, nothing, nothing)

    tracemalloc.start()
    asyncio.run(many())
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size < 5_000_000


def test_pages_below_feeds_have_a_strict_content_security_policy(kit: SiteKit, feeds: Feeds) -> None:
    """They run no script and load nothing from elsewhere."""
    page = ask(feeds, "/feeds/")
    rules = page.headers["content-security-policy"]
    assert page.status == 200 and "default-src 'none'" in rules and "script-src" not in rules
    assert "style-src 'sha256-" in rules and "content-security-policy" not in ask(feeds, "/feeds/all.rss").headers


def test_repeated_headers_count_as_one(feeds: Feeds) -> None:
    """RFC 9110 section 5.3: a proxy may send a list in several lines."""
    assert _request_headers([(b"accept", b"a"), (b"if-none-match", b'"1"'), (b"if-none-match", b'"2"')]) == {
        b"accept": b"a",
        b"if-none-match": b'"1", "2"',
    }


def test_the_page_of_a_withdrawn_article_has_status_410(kit: SiteKit) -> None:
    """At the URL of the article, where the site has no other pages, and below the feeds."""
    kit.settings(
        (kit.root / "publisher.toml")
        .read_text()
        .replace('base_url = "https://review.example"', 'base_url = "https://review.example/feeds"')
    )
    kit.add_settings('\n[feeds]\nurl = "https://review.example/feeds"\n')
    kit.article("one.md", "One")
    kit.publish()
    retract(kit.site, NOW, "one.md", "It was wrong.")
    answer = ask(Feeds(kit.site), "/feeds/2026/11/one")
    assert answer.status == 410 and b"It was wrong." in answer.body
    assert "default-src" in answer.headers["content-security-policy"]
