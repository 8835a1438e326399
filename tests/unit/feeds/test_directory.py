"""What stands beside the feeds: headers, sitemap, tombstones, links for other pages, pages of what is gone."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from lxml import etree, html

from publisher.errors import TemplateError
from publisher.feeds.directory import render_autodiscovery, render_withdrawn_page
from publisher.feeds.headers_file import render_headers
from publisher.feeds.sitemap import render_news_sitemap
from publisher.feeds.tombstones import Tombstone, render_tombstones
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import MEDIA_TYPES, media_type
from publisher.settings.theme import ThemeSettings
from publisher.websub.link_header import link_header
from tests.unit.feeds.test_feed_rendering import CHANNEL, MOMENT, article

NS = {
    "s": "http://www.sitemaps.org/schemas/sitemap/0.9",
    "n": "http://www.google.com/schemas/sitemap-news/0.9",
    "atom": "http://www.w3.org/2005/Atom",
    "at": "http://purl.org/atompub/tombstones/1.0",
}


def test_headers_name_each_feed_its_type_and_its_hubs() -> None:
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


def test_a_news_sitemap_names_publication_time_and_headline() -> None:
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
def test_a_sitemaps_language_is_as_search_engines_know_it(tag: str, shown: str) -> None:
    root = etree.fromstring(render_news_sitemap([article(language=tag)], "R", "en"))
    assert root.findtext("s:url/n:news/n:publication/n:language", namespaces=NS) == shown


def test_tombstones_name_what_is_gone_when_and_why() -> None:
    data = render_tombstones(
        [Tombstone(ref="urn:1", when=MOMENT, reason="A <b> & more.")],
        title="T",
        address="https://r.example/feeds/tombstones.atom",
        home="https://r.example/",
        author="The Review",
        language="en",
        namespace=uuid.UUID(int=7),
        hubs=["https://hub.example/"],
    )
    root = etree.fromstring(data)
    (stone,) = root.findall("at:deleted-entry", NS)
    assert (stone.get("ref"), stone.get("when")) == ("urn:1", "2026-11-20T06:30:00+01:00")
    assert stone.findtext("at:comment", namespaces=NS) == "A <b> & more."
    assert root.findtext("atom:updated", namespaces=NS) == stone.get("when")
    assert root.find("atom:entry", NS) is None
    assert [link.get("href") for link in root.findall("atom:link", NS) if link.get("rel") == "hub"] == [
        "https://hub.example/"
    ]


def test_links_for_other_pages_are_html_and_lead_to_each_format() -> None:
    data = render_autodiscovery([CHANNEL], (FeedFormat.RSS, FeedFormat.ATOM))
    links = html.fragments_fromstring(data.decode())
    assert [(link.get("type"), link.get("title")) for link in links] == [
        ("application/rss+xml", "The Review: Water & Wine (RSS)"),
        ("application/atom+xml", "The Review: Water & Wine (Atom)"),
    ]
    assert links[0].get("href") == CHANNEL.address + ".rss"


def gone(templates: Path = Path("/nowhere"), title: str = "A <b>") -> str:
    return render_withdrawn_page(
        title=title,
        reason="B & <c>",
        when=MOMENT,
        site_title="R",
        base_url="https://r.example",
        language="en",
        light=ThemeSettings().light_palette,
        dark=ThemeSettings().dark_palette,
        templates=templates,
    ).decode()


def test_the_page_of_what_is_gone_says_why_and_is_not_indexed(tmp_path: Path) -> None:
    page = gone()
    assert "A &lt;b&gt;" in page and "B &amp; &lt;c&gt;" in page and 'content="noindex"' in page
    assert "20 November 2026" in page and 'dir="rtl"' in gone(title="رغيف")
    own = tmp_path / "feeds/gone.html.j2"
    own.parent.mkdir()
    own.write_text("{{ nothing }}")
    with pytest.raises(TemplateError, match=r"gone.html.j2:1: 'nothing' is undefined"):
        gone(tmp_path)


def test_a_media_type_is_told_by_the_end_of_the_address() -> None:
    assert media_type("https://r.example/a/B.MP3?x=.png#y.gif") == "audio/mpeg"
    assert media_type("/pictures/a.b.jpeg") == "image/jpeg"
    assert media_type("https://r.example/jpg") is media_type("https://r.example/a.exe") is None
    assert all("/" in one for one in MEDIA_TYPES.values())
