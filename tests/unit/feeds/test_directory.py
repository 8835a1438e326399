"""The files besides feeds: headers, sitemap, tombstones, autodiscovery, pages of withdrawn articles."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from lxml import etree, html

from publisher.articles.corrections_store import Retraction
from publisher.errors import TemplateError
from publisher.feeds.directory import render_autodiscovery, render_withdrawn_page
from publisher.feeds.headers_file import render_headers
from publisher.feeds.sitemap import render_news_sitemap
from publisher.feeds.tombstones import render_tombstones
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import MEDIA_TYPES, media_type
from publisher.websub.link_header import link_header
from tests.support.settings import make_site
from tests.unit.feeds.test_feed_rendering import CHANNEL, MOMENT, article

NS = {
    "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "n": "http://www.google.com/schemas/sitemap-news/0.9",
    "atom": "http://www.w3.org/2005/Atom",
    "at": "http://purl.org/atompub/tombstones/1.0",
}


def test_headers_file_has_media_type_cache_time_and_hubs_of_each_feed() -> None:
    """Static hosts serve feeds with the same headers as the web server."""
    text = render_headers(["all.rss", "tag/رغيف.json"], "https://r.example/feeds", ["https://hub.example/"]).decode()
    assert text.startswith("/feeds/archive/*\n  Cache-Control: public, max-age=3600\n/feeds/all.rss\n")
    assert "  Content-Type: application/rss+xml\n  Cache-Control: public, max-age=300\n" in text
    assert (
        "/feeds/tag/%D8%B1%D8%BA%D9%8A%D9%81.json\n  Content-Type: application/feed+json\n"
        "  Cache-Control: public, max-age=300\n"
        '  Link: <https://r.example/feeds/tag/%D8%B1%D8%BA%D9%8A%D9%81.json>; rel="self", '
        '<https://hub.example/>; rel="hub"\n'
    ) in text
    assert render_headers(["all.rss"], "https://feeds.example", []).decode().startswith("/archive/*\n")
    assert link_header("https://r.example/x", []) == '<https://r.example/x>; rel="self"'


def test_a_news_sitemap_has_the_time_and_title_of_each_article() -> None:
    """Search engines require both."""
    root = etree.fromstring(render_news_sitemap([article(title="A <b> & c", language="pt-BR")], "The Review", "en"))
    (url,) = root.findall("s:url", NS)
    assert url.findtext("s:loc", namespaces=NS) == article().link
    assert url.findtext("n:news/n:publication/n:name", namespaces=NS) == "The Review"
    assert url.findtext("n:news/n:publication/n:language", namespaces=NS) == "pt"
    assert url.findtext("n:news/n:publication_date", namespaces=NS) == "2026-11-20T06:30:00+01:00"
    assert url.findtext("n:news/n:title", namespaces=NS) == "A <b> & c"
    assert len(etree.fromstring(render_news_sitemap([], "The Review", "en"))) == 0


@pytest.mark.parametrize(
    ("tag", "shown"), [("en-GB", "en"), ("zh-Hant-TW", "zh-tw"), ("zh-HK", "zh-tw"), ("zh", "zh-cn"), ("fil", "fil")]
)
def test_the_language_of_a_news_sitemap_has_two_or_three_letters(tag: str, shown: str) -> None:
    """Only Chinese has a script or region."""
    root = etree.fromstring(render_news_sitemap([article(language=tag)], "R", "en"))
    assert root.findtext("s:url/n:news/n:publication/n:language", namespaces=NS) == shown


def test_a_tombstone_has_the_id_time_and_reason_of_a_withdrawal() -> None:
    """Feed readers that support RFC 6721 can delete the entry."""
    withdrawn = Retraction(
        seq=1, id="urn:1", retracted_at=int(MOMENT.timestamp()), reason="A <b> & more.", record="{}", path="/a"
    )
    site = make_site(zone="Europe/Berlin", announce={"hubs": ["https://hub.example/"]})
    data = render_tombstones([withdrawn], site, "https://review.example/feeds/tombstones.atom", uuid.UUID(int=7))
    root = etree.fromstring(data)
    (stone,) = root.findall("at:deleted-entry", NS)
    assert (stone.get("ref"), stone.get("when")) == ("urn:1", "2026-11-20T06:30:00+01:00")
    assert stone.findtext("at:comment", namespaces=NS) == "A <b> & more."
    assert root.findtext("atom:updated", namespaces=NS) == stone.get("when")
    assert root.find("atom:entry", NS) is None
    assert [link.get("href") for link in root.findall("atom:link", NS) if link.get("rel") == "hub"] == [
        "https://hub.example/"
    ]


def test_autodiscovery_links_are_escaped_html_for_each_format() -> None:
    """Sites include them in the head of their own pages."""
    data = render_autodiscovery([CHANNEL], (FeedFormat.RSS, FeedFormat.ATOM))
    links = html.fragments_fromstring(data.decode())
    assert [(link.get("type"), link.get("title")) for link in links] == [
        ("application/rss+xml", "The Review: Water & Wine (RSS)"),
        ("application/atom+xml", "The Review: Water & Wine (Atom)"),
    ]
    assert links[0].get("href") == CHANNEL.url + ".rss"


def gone(root: Path = Path("/nowhere"), title: str = "A <b>") -> str:
    return render_withdrawn_page(make_site(root), title, "B & <c>", MOMENT).decode()


def test_the_page_of_a_withdrawn_article_has_the_reason_and_noindex(tmp_path: Path) -> None:
    """Search engines must not index it."""
    page = gone()
    assert "A &lt;b&gt;" in page and "B &amp; &lt;c&gt;" in page and 'content="noindex"' in page
    assert "20 November 2026" in page and 'dir="rtl"' in gone(title="رغيف")
    own = tmp_path / "templates/feeds/gone.html.j2"
    own.parent.mkdir(parents=True)
    own.write_text("{{ nothing }}")
    with pytest.raises(TemplateError, match=r"gone.html.j2:1: 'nothing' is undefined"):
        gone(tmp_path)


def test_the_media_type_follows_the_suffix_of_the_url() -> None:
    """Also if the URL has a query or upper-case letters."""
    assert media_type("https://r.example/a/B.MP3?x=.png#y.gif") == "audio/mpeg"
    assert media_type("/pictures/a.b.jpeg") == "image/jpeg"
    assert media_type("https://r.example/jpg") is media_type("https://r.example/a.exe") is None
    assert all("/" in one for one in MEDIA_TYPES.values())
