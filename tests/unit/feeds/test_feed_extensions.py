"""Feeds: enclosures, languages, logo and icon, hubs, archive links, corrections."""

from __future__ import annotations

import json
from dataclasses import replace

import feedparser
import pytest
from lxml import etree

from publisher.feeds.formats.archive_links import ArchiveLinks
from publisher.feeds.formats.entry import render_entry
from publisher.feeds.formats.xml_frame import join_feed, render_frame
from publisher.feeds.site_info import SiteInfo
from publisher.model.articles import Article, Correction, Enclosure, Image
from publisher.model.feeds import FeedFormat
from publisher.settings.feeds import CloudSettings, LogoSettings
from tests.unit.feeds.test_feed_rendering import CHANNEL, MOMENT, NS, SITE_INFO, article, atom, feed, rss

TALK = Enclosure(url="/a/talk.mp3?x=1&y=2", type="audio/mpeg", length=5, title='The "Talk"', duration=61)
PAPER = Enclosure(url="https://docs.example/p.pdf", type="application/pdf")
LANG = "{http://www.w3.org/XML/1998/namespace}lang"


def document(form: FeedFormat, site_info: SiteInfo, archive_links: ArchiveLinks, *articles: Article) -> bytes:
    channel = replace(CHANNEL, archive_url="https://review.example/feeds/archive/topic/water")
    entries = []
    for one in articles:
        made = render_entry(one, site_info)
        entries.append((one.body if made.body is None else made.body, getattr(made, form.value)))
    return b"".join(join_feed(form, render_frame(channel, form, site_info, MOMENT, archive_links), entries))


def test_rss_has_the_first_enclosure_with_a_known_length() -> None:
    """RSS allows one enclosure for each item, and requires its length."""
    item = rss(article(enclosures=(PAPER, TALK, replace(TALK, url="/b.mp3")))).find("channel/item")
    assert item is not None
    (enclosure,) = item.findall("enclosure")
    assert dict(enclosure.attrib) == {
        "url": "https://review.example/a/talk.mp3?x=1&y=2",
        "length": "5",
        "type": "audio/mpeg",
    }
    assert rss(article(enclosures=(PAPER,))).find("channel/item/enclosure") is None


def test_atom_and_json_have_all_enclosures() -> None:
    """Both formats allow several, also without a length."""
    one = article(enclosures=(TALK, PAPER))
    links = [dict(link.attrib) for link in atom(one).findall("atom:entry/atom:link", NS)]
    assert [link["rel"] for link in links] == ["alternate", "enclosure", "enclosure"]
    assert links[1] == {
        "href": "https://review.example/a/talk.mp3?x=1&y=2",
        "rel": "enclosure",
        "type": "audio/mpeg",
        "length": "5",
        "title": 'The "Talk"',
    }
    assert links[2] == {"href": "https://docs.example/p.pdf", "rel": "enclosure", "type": "application/pdf"}
    assert json.loads(feed(FeedFormat.JSON, one))["items"][0]["attachments"] == [
        {
            "url": "https://review.example/a/talk.mp3?x=1&y=2",
            "mime_type": "audio/mpeg",
            "title": 'The "Talk"',
            "size_in_bytes": 5,
            "duration_in_seconds": 61,
        },
        {"url": "https://docs.example/p.pdf", "mime_type": "application/pdf"},
    ]


def test_an_enclosure_with_an_invalid_url_is_omitted() -> None:
    """Feeds have only http and https URLs."""
    one = article(enclosures=(replace(PAPER, url="javascript:x"),))
    assert b"enclosure" not in feed(FeedFormat.ATOM, one)


def test_an_entry_in_another_language_is_marked() -> None:
    """The language of the site is not repeated."""
    entry = atom(article(language="ar")).find("atom:entry", NS)
    assert entry is not None and entry.get(LANG) == "ar"
    entry = atom(article(language="en")).find("atom:entry", NS)
    assert entry is not None and entry.get(LANG) is None
    assert atom().get(LANG) == "en"


def test_an_image_has_its_size_in_bytes() -> None:
    """As fileSize of media:content."""
    content = rss(article(image=Image(url="/i.jpg", length=77))).find("channel/item/media:content", NS)
    assert content is not None and content.get("fileSize") == "77"


def test_corrections_come_after_the_text_and_before_the_bios() -> None:
    """In every format."""
    one = article(corrections=(Correction(at=MOMENT, note="A <b> & more."), Correction(at=MOMENT, note="Two.")))
    body = rss(one).findtext("channel/item/content:encoded", namespaces=NS)
    assert body == (
        '<p>Text</p>\n<p><strong>Correction, <time datetime="2026-11-20T06:30:00+01:00">20 November 2026</time>:'
        '</strong> A &lt;b&gt; &amp; more.</p>\n<p><strong>Correction, <time datetime="2026-11-20T06:30:00+01:00">'
        "20 November 2026</time>:</strong> Two.</p>"
    )
    assert "2026-11-20<" in (
        rss(article(language="de", corrections=one.corrections)).findtext("channel/item/content:encoded", namespaces=NS)
        or ""
    )


def test_json_feed_has_other_properties_in_an_extension() -> None:
    """Extensions begin with an underscore."""
    one = article(topic="Water", region="Asia", brand="B", image=Image(url="/a.jpg", credit="C", alt="A", width=3))
    (item,) = json.loads(feed(FeedFormat.JSON, one))["items"]
    assert item["_publisher"] == {
        "topic": "Water",
        "region": "Asia",
        "brand": "B",
        "image": {"alt": "A", "credit": "C", "width": 3},
    }
    assert "_publisher" not in json.loads(feed(FeedFormat.JSON, article()))["items"][0]


def test_an_rss_description_is_html_and_an_atom_summary_is_text() -> None:
    """So special characters are escaped twice in RSS."""
    one = article(dek="AT&T <b> 1 < 2")
    assert rss(one).findtext("channel/item/description") == "AT&amp;T &lt;b&gt; 1 &lt; 2"
    assert atom(one).findtext("atom:entry/atom:summary", namespaces=NS) == "AT&T <b> 1 < 2"
    assert b"&#x3C;b" in feed(FeedFormat.ATOM, one)


HUBBED = replace(
    SITE_INFO,
    icon="https://review.example/icon.png",
    logo=LogoSettings(url="https://review.example/logo.png", width=88, height=31),
    hubs=("https://hub.example/", "https://other.example/"),
    cloud=CloudSettings(host="rpc.example", port=5337, register_path="/pleaseNotify", protocol="http-post"),
)


def test_a_feed_has_hubs_images_and_the_previous_page() -> None:
    """In the elements of each format."""
    archive_links = ArchiveLinks(previous=7)
    channel = etree.fromstring(document(FeedFormat.RSS, HUBBED, archive_links)).find("channel")
    assert channel is not None
    links = [(link.get("rel"), link.get("href")) for link in channel.findall("atom:link", NS)]
    assert links == [
        ("self", "https://review.example/feeds/topic/water.rss"),
        ("hub", "https://hub.example/"),
        ("hub", "https://other.example/"),
        ("prev-archive", "https://review.example/feeds/archive/topic/water/7.rss"),
    ]
    image = channel.find("image")
    assert image is not None
    assert {child.tag: child.text for child in image} == {
        "url": "https://review.example/logo.png",
        "title": CHANNEL.title,
        "link": CHANNEL.home_page_url,
        "width": "88",
        "height": "31",
    }
    assert channel.findtext("link") == CHANNEL.home_page_url
    cloud = channel.find("cloud")
    assert cloud is not None and cloud.get("registerProcedure") == ""
    root = etree.fromstring(document(FeedFormat.ATOM, HUBBED, archive_links))
    assert root.findtext("atom:icon", namespaces=NS) == HUBBED.icon
    assert root.findtext("atom:logo", namespaces=NS) == "https://review.example/logo.png"
    got = json.loads(document(FeedFormat.JSON, HUBBED, archive_links))
    assert got["next_url"] == "https://review.example/feeds/archive/topic/water/7.json"
    assert got["icon"] == "https://review.example/logo.png" and got["favicon"] == HUBBED.icon
    assert [hub["url"] for hub in got["hubs"]] == list(HUBBED.hubs)
    assert got["_publisher"] == {"rights": "© The Review"}


@pytest.mark.parametrize("form", [FeedFormat.RSS, FeedFormat.ATOM])
def test_only_archive_pages_declare_the_history_namespace(form: FeedFormat) -> None:
    """Validators warn about unused namespaces."""
    page = document(form, HUBBED, ArchiveLinks(page=2, previous=1), article())
    assert b"<fh:archive/>" in page and b"hub" not in page and b"cloud" not in page
    assert b"purl.org/syndication/history" not in document(form, HUBBED, ArchiveLinks(previous=1), article())
    assert feedparser.parse(page).bozo == 0


def test_the_oldest_page_has_no_previous_page() -> None:
    """The chain of archive pages ends there."""
    page = etree.fromstring(document(FeedFormat.ATOM, SITE_INFO, ArchiveLinks(page=1)))
    assert {link.get("rel") for link in page.findall("atom:link", NS)} == {"self", "current", "alternate"}
    assert "next_url" not in json.loads(document(FeedFormat.JSON, SITE_INFO, ArchiveLinks(page=1)))
