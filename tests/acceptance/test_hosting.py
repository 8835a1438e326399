"""feeds/ behind real web servers, configured by ``publish hosting``."""

from __future__ import annotations

import gzip
import http.client
import itertools
import os
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from itertools import product
from pathlib import Path
from urllib.parse import quote

import brotli
import pytest

from publisher.feeds.hosting import render_hosting
from publisher.settings import read_site
from tests.acceptance.test_cli import run
from tests.conftest import NOW, SiteKit
from tests.support.ports import free_port
from tests.support.use_cases import publish, retract
from tests.support.web_servers import (
    Answer,
    Served,
    installed,
    start,
    started,
)


@pytest.fixture(scope="session")
def open_folder() -> Iterator[Callable[[], Path]]:
    """Make folders that other users may read: nginx and Apache, started as root, work as one.

    They are not below pytest's temporary folder, which the next session of pytest to start closes to other users.
    """
    with tempfile.TemporaryDirectory(prefix="publisher-hosting-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        count = itertools.count()

        def make() -> Path:
            folder = Path(name) / str(next(count))
            folder.mkdir(mode=0o755)
            return folder

        yield make


@pytest.fixture(scope="module", params=["nginx", "nginx+modules", "caddy", "apache", "publish serve"])
def served(request: pytest.FixtureRequest, open_folder: Callable[[], Path]) -> Iterator[Served]:
    if not installed(request.param):
        pytest.skip(f"{request.param} is not installed")
    folder = open_folder()
    port = free_port()
    kit = SiteKit(folder / "site")
    text = (kit.root / "publisher.toml").read_text().replace("https://review.example", f"http://127.0.0.1:{port}")
    kit.settings(
        text
        + '\n[feeds]\nlimit = 3\n[announce]\nhubs = ["https://hub.example/"]\ntimeout = 1\n'
        + '[feeds.moved]\n"tag/bread" = "tag/رغيف"\n"topic/old" = "gone"\n'
    )
    for number in range(8):
        kit.article(f"{number}.md", title=f"T{number}", date=f"2026-11-{number + 10}", tags='["رغيف"]')
    kit.article("gone.md", title="Gone one")
    kit.article("slash.md", title="S", url=f"http://127.0.0.1:{port}/news/slash/")
    # The server is not there yet, so hubs are not told: that is another test's.
    publish(kit.site, NOW)
    for name in ("gone.md", "slash.md"):
        retract(read_site(kit.root), NOW, name, "We were wrong & say so.")
    # A file that is younger than a second gets a weak ETag of Apache, and no time that lies ahead is believed.
    before = time.time() - 60
    for path in (kit.root / "feeds").rglob("*"):
        os.utime(path, (before, before))
    if request.param == "publish serve":
        command = [sys.executable, "-m", "publisher", "serve", "--no-run", "--port", str(port), "--site", str(kit.root)]
        process = started(command, port, folder / "server.log")
        yield Served(request.param, port, kit.root, is_full=True)
        process.terminate()
        assert process.wait(20) == 0
        return
    snippet = run("hosting", request.param.partition("+")[0], "--site", str(kit.root)).stdout
    process = start(request.param, folder, snippet, port)
    yield Served(request.param, port, kit.root, request.param != "nginx")
    process.terminate()
    process.wait(20)


def test_feeds_have_media_types_and_cache_control(served: Served) -> None:
    """Each format has its media type; archive pages are cached longer than feeds."""
    for path, kind in (
        ("/feeds/all.rss", "application/rss+xml"),
        ("/feeds/all.atom", "application/atom+xml"),
        ("/feeds/all.json", "application/feed+json"),
        ("/feeds/tag/رغيف.rss", "application/rss+xml"),
        ("/feeds/index.opml", "text/x-opml"),
        ("/feeds/archive/all/1.atom", "application/atom+xml"),
        ("/feeds/", "text/html"),
    ):
        for encoding in ("identity", "gzip"):
            answer = served.get(path, Accept_Encoding=encoding)
            assert answer.status == 200, path
            assert answer.headers["content-type"].partition(";")[0] == kind, path
            age = 3600 if "archive" in path else 300
            assert (
                answer.headers["cache-control"].removesuffix(", stale-while-revalidate=600") == f"public, max-age={age}"
            )
            assert "accept-encoding" in answer.headers["vary"].lower(), path


def test_every_feed_has_link_headers_for_itself_and_its_hub(served: Served) -> None:
    """``rel="self"`` is the URL of the feed, also with characters that URLs encode."""
    for path in ("/feeds/all.rss", "/feeds/tag/رغيف.atom"):
        for encoding in ("identity", "gzip"):
            link = served.get(path, Accept_Encoding=encoding).headers["link"]
            # Percent-encoding may be in either case (RFC 3986 §2.1).
            assert f'<http://127.0.0.1:{served.port}{quote(path)}>; rel="self"'.lower() in link.lower()
            assert '<https://hub.example/>; rel="hub"' in link
    assert "hub" not in served.get("/feeds/archive/all/1.rss").headers.get("link", "")
    assert "link" not in served.get("/feeds/index.html").headers


def plain(answer: Answer) -> bytes:
    coding = answer.headers.get("content-encoding")
    if coding == "br":
        return bytes(brotli.decompress(answer.body))
    return gzip.decompress(answer.body) if coding == "gzip" else answer.body


def test_precompressed_files_are_served(served: Served) -> None:
    """Each encoding is the staged file, with ``Vary`` and an ``ETag`` of its own."""
    data = (served.root / "feeds/all.rss").read_bytes()
    tags = set()
    for accepted, coding in (("identity", None), ("gzip", "gzip"), ("gzip, br", "br"), ("br;q=1.0, gzip;q=0.8", "br")):
        answer = served.get("/feeds/all.rss", Accept_Encoding=accepted)
        expected = coding
        if coding == "br" and not served.is_full:
            expected = "gzip" if "gzip" in accepted else None
        assert answer.headers.get("content-encoding") == expected, accepted
        assert plain(answer) == data
        tags.add((expected, answer.headers["etag"]))
        assert not answer.headers["etag"].startswith("W/")
    # Strong, and one for each encoding (RFC 9110 §8.8.3).
    assert len({tag for _, tag in tags}) == len({coding for coding, _ in tags}) == len(tags)


def matrix() -> list[tuple[str, str, str]]:
    return list(
        product(
            ["none", "same", "list", "star", "other"],
            ["none", "same", "newer", "older"],
            ["identity", "gzip", "gzip, br"],
        )
    )


@pytest.mark.parametrize(("match", "since", "accepted"), matrix())
def test_conditional_requests_follow_rfc_9110(served: Served, match: str, since: str, accepted: str) -> None:
    """If-None-Match goes before If-Modified-Since (RFC 9110 §13.2.2); both mean the encoding that was asked for."""
    first = served.get("/feeds/all.atom", Accept_Encoding=accepted)
    headers = {"Accept_Encoding": accepted}
    if match != "none":
        tag = first.headers["etag"]
        headers["If_None_Match"] = {"same": tag, "list": f'"x", {tag}', "star": "*", "other": '"x"'}[match]
    if since != "none":
        headers["If_Modified_Since"] = {
            "same": first.headers["last-modified"],
            "newer": format_datetime(
                parsedate_to_datetime(first.headers["last-modified"]) + timedelta(seconds=1), usegmt=True
            ),
            "older": "Sat, 01 Jan 2000 00:00:00 GMT",
        }[since]
    expected = (304 if since in ("same", "newer") else 200) if match == "none" else 200 if match == "other" else 304
    if served.server == "nginx" and match in ("same", "list", "star") and since == "older":
        # Without its module nginx asks that both agree. It sends what it need not, and never the other way round.
        expected = 200
    for method in ("GET", "HEAD"):
        answer = served.get("/feeds/all.atom", method, **headers)
        assert answer.status == expected, (match, since, accepted, method)
        if expected == 304:
            assert answer.body == b""
            for name in ("etag", "cache-control", "vary"):
                assert answer.headers[name] == first.headers[name], name
        elif method == "HEAD":
            length = first.headers.get("content-length")
            assert answer.body == b"" and answer.headers.get("content-length", length) == length


def test_each_encoding_has_its_own_etag(served: Served) -> None:
    """The ``ETag`` of gzip does not match the uncompressed feed."""
    tag = served.get("/feeds/all.rss", Accept_Encoding="gzip").headers["etag"]
    assert served.get("/feeds/all.rss", Accept_Encoding="identity", If_None_Match=tag).status == 200


@pytest.mark.parametrize("path", ["/2026/11/gone-one", "/news/slash/"])
def test_a_withdrawn_article_answers_410_with_the_reason(served: Served, path: str) -> None:
    """The page is served at the article's path only."""
    answer = served.get(path)
    assert answer.status == 410
    assert b"We were wrong &amp; say so." in plain(answer)
    assert answer.headers["content-type"].startswith("text/html")
    assert served.get("/2026/11/t1").status == 404
    assert served.get(path + "x").status == 404


def test_a_renamed_feed_redirects_and_a_removed_feed_answers_410(served: Served) -> None:
    """In every format, also for names that URLs encode."""
    for suffix in ("rss", "atom", "json"):
        connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=10)
        connection.request("GET", f"/feeds/tag/bread.{suffix}")
        answer = connection.getresponse()
        where = f"http://127.0.0.1:{served.port}/feeds/tag/%D8%B1%D8%BA%D9%8A%D9%81.{suffix}"
        assert (answer.status, answer.headers["location"]) == (301, where)
        connection.close()
        assert served.get(f"/feeds/topic/old.{suffix}").status == 410


def test_a_withdrawal_needs_no_reload_of_the_web_server(served: Served) -> None:
    """A running web server answers 410 as soon as the page is staged."""
    if not (served.root / "feeds/gone/2026/11/t0.html").exists():
        assert served.get("/2026/11/t0").status == 404
        retract(read_site(served.root), NOW, "0.md", "Gone too.")
    assert served.get("/2026/11/t0").status == 410


def test_unfinished_files_and_files_outside_the_folder_are_not_served(served: Served) -> None:
    """Neither the staging folder nor a path with ``..`` is served."""
    drafts = served.root / "feeds/.staging"
    drafts.mkdir(exist_ok=True)
    (drafts / "half").write_text("half")
    for path in (
        "/feeds/.staging/half",
        "/feeds/../publisher.toml",
        "/feeds/%2e%2e/publisher.toml",
        "/feeds/nothing.rss",
    ):
        assert served.get(path).status in (400, 403, 404), path


def test_served_feeds_pass_publish_check(served: Served) -> None:
    """``publish check URL`` finds nothing in feeds and archive pages behind the web server."""
    base = f"http://127.0.0.1:{served.port}/feeds"
    result = run("check", f"{base}/all.rss", f"{base}/all.atom", f"{base}/all.json", f"{base}/archive/all/1.rss")
    # The articles of this site are dated later than today on no clock but this test's.
    assert "4 feeds checked" in result.stdout
    assert re.findall(r"(?m)^([a-z-]+): ", result.stdout) in ([], ["future-date"]), result.stdout


@pytest.mark.parametrize("server", ["nginx", "caddy", "apache"])
def test_feeds_on_a_host_of_their_own(server: str, open_folder: Callable[[], Path]) -> None:
    """A site that serves its feeds on a host of their own would get two parts that do not fit together."""
    if not installed(server):
        pytest.skip(f"{server} is not installed")
    folder = open_folder()
    port = free_port()
    kit = SiteKit(folder / "site")
    text = (kit.root / "publisher.toml").read_text().replace("https://review.example", f"http://localhost:{port}")
    kit.settings(text + f'\n[feeds]\nurl = "http://127.0.0.1:{port}"\nlimit = 1\n')
    kit.article("a.md", tags="[T]")
    kit.article("b.md", title="Gone one")
    publish(kit.site, NOW)
    retract(kit.site, NOW, "b.md", "We were wrong.")
    snippet = run("hosting", server, "--site", str(kit.root)).stdout
    assert f"of localhost:{port}, which serves the articles." in snippet
    process = start(server, folder, snippet, port)
    try:
        site = Served(server, port, kit.root, is_full=False)
        for path, kind in (("/all.rss", "rss+xml"), ("/tag/t.atom", "atom+xml"), ("/archive/all/1.json", "feed+json")):
            answer = site.get(path, Accept_Encoding="gzip")
            assert (answer.status, answer.headers["content-type"]) == (200, f"application/{kind}"), path
            assert answer.headers["content-encoding"] == "gzip"
        assert f'<http://127.0.0.1:{port}/all.rss>; rel="self"' in site.get("/all.rss").headers["link"]
        if server != "caddy":
            # Caddy asks its handlers in their order, and here the feeds' one takes every address.
            assert site.get("/2026/11/gone-one").status == 410
    finally:
        process.terminate()
        process.wait(20)


def test_a_folder_name_with_a_quote_is_escaped(tmp_path: Path) -> None:
    """A quotation mark in a path does not end the string in the configuration."""
    site = SiteKit(tmp_path / 'a "b"').site
    for server in ("nginx", "caddy"):
        assert f'"{tmp_path}/a \\"b\\"/feeds' in render_hosting(site, server)
