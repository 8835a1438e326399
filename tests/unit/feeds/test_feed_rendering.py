"""Entries and feeds: workarounds for faults of feedgen, and deterministic bytes."""

from __future__ import annotations

import html
import json
import locale
import uuid
from datetime import date, datetime, timedelta, timezone

import feedparser
import pytest
from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from publisher.feeds.formats.entry import render_entry
from publisher.feeds.formats.xml_frame import join_feed, render_frame
from publisher.feeds.site_info import SiteInfo
from publisher.html.sanitize import sanitize_html
from publisher.html.text import clean_characters, one_line
from publisher.model.articles import Article, Author, Image
from publisher.model.feeds import FeedDefinition, FeedFormat
from publisher.model.media_types import FEED_TYPES
from publisher.model.taxonomy import FacetKind

SITE_INFO = SiteInfo(
    base_url="https://review.example",
    feeds_url="https://review.example/feeds",
    language="en",
    author="The Review",
    rights="© The Review",
    namespace=uuid.UUID(int=7),
)
CHANNEL = FeedDefinition(
    kind=FacetKind.TOPIC,
    slug="water",
    title="The Review: Water & Wine",
    description="Articles on <Water>",
    language="en",
    home_page_url="https://review.example/",
    url="https://review.example/feeds/topic/water",
)
MOMENT = datetime(2026, 11, 20, 6, 30, tzinfo=timezone(timedelta(hours=1)))
NS = {
    "atom": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "media": "http://search.yahoo.com/mrss/",
}


def article(**fields: object) -> Article:
    return Article(
        **{  # type: ignore[arg-type]
            "title": "A Title",
            "date": date(2026, 11, 20),
            "dek": "A dek",
            "body": "<p>Text</p>",
            "id": "urn:uuid:00000000-0000-0000-0000-000000000001",
            "seq": 1,
            "link": "https://review.example/2026/11/a-title",
            "published": MOMENT,
            "changed": MOMENT,
            **fields,
        }
    )


def feed(form: FeedFormat, *articles: Article, channel: FeedDefinition = CHANNEL) -> bytes:
    entries = []
    for one in articles:
        entry = render_entry(one, SITE_INFO)
        entries.append((one.body if entry.body is None else entry.body, getattr(entry, form.value)))
    around = render_frame(channel, form, SITE_INFO, max((one.changed for one in articles), default=None))
    return b"".join(join_feed(form, around, entries))


def rss(*articles: Article) -> etree._Element:
    return etree.fromstring(feed(FeedFormat.RSS, *articles))


def atom(*articles: Article) -> etree._Element:
    return etree.fromstring(feed(FeedFormat.ATOM, *articles))


TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
LINE = TEXT.map(lambda text: one_line(clean_characters(text)[0])).filter(bool)


@given(
    LINE,
    st.none() | LINE,
    st.lists(st.tuples(LINE, st.booleans()), max_size=3),
    st.none() | LINE,
    st.lists(LINE, max_size=3, unique=True),
    TEXT,
)
def test_a_filled_template_has_the_bytes_of_feedgen(
    title: str, dek: str | None, names: list[tuple[str, bool]], topic: str | None, tags: list[str], body: str
) -> None:
    """Templates are made once per structure; feedgen itself gives the same bytes for each entry."""
    # Readers strip a body: one of nothing but white space is none.
    text = sanitize_html(clean_characters(body)[0]).strip()
    one = article(
        title=title,
        dek=dek,
        topic=topic,
        tags=tuple(tags),
        body=text,
        authors=tuple(Author(name=name, url="https://a.example/?a=1&b=2" if url else None) for name, url in names),
    )
    entry = render_entry(one, SITE_INFO)
    full = text if entry.body is None else entry.body
    direct = FeedEntry()
    direct.id(one.id)
    direct.title(one.title)
    direct.link(href=one.link)
    direct.published(one.published)
    direct.updated(one.changed)
    authors = [{"name": who.name, **({"uri": who.url} if who.url else {})} for who in one.authors]
    direct.author(authors or [{"name": SITE_INFO.author}])
    rendered = etree.fromstring(feed(FeedFormat.ATOM, one)).find("atom:entry", NS)
    assert rendered is not None
    summary = rendered.findtext("atom:summary", namespaces=NS)
    if summary is not None:
        direct.summary(summary, type="text")
    content = rendered.findtext("atom:content", namespaces=NS)
    if content is not None:
        direct.content(content, type="html")
    scheme = SITE_INFO.feeds_url + "/"
    direct.category(
        [
            {"term": label, "scheme": f"{scheme}{kind.value}/"}
            for kind, label in one.facets()
            if kind is not FacetKind.AUTHOR
        ]
    )
    generator = FeedGenerator()
    generator.id("x")
    generator.title("x")
    generator.entry([direct], replace=True)
    drawn = generator.atom_str()
    drawn = drawn[drawn.index(b"<entry>") : drawn.rindex(b"</feed>")]
    # The extension puts back what feedgen drops from a link.
    ours = feed(FeedFormat.ATOM, one).replace(b' rel="alternate" type="text/html"', b"").replace(b"&#x3C;", b"&lt;")
    assert drawn in ours
    item = etree.fromstring(feed(FeedFormat.RSS, one)).find("channel/item")
    assert item is not None
    assert html.unescape(item.findtext("description") or "") == (summary or "")
    assert item.findtext("content:encoded", namespaces=NS) in (content, None)
    assert full in (content or "") or not full


@given(LINE, TEXT)
def test_all_three_formats_have_the_same_text(title: str, body: str) -> None:
    """A parser returns the title and body that were put in."""
    one = article(title=title, body=sanitize_html(f"<p>{clean_characters(body)[0]}</p>"))
    item = rss(one).find("channel/item")
    entry = atom(one).find("atom:entry", NS)
    assert item is not None and entry is not None
    in_json = json.loads(feed(FeedFormat.JSON, one))["items"][0]
    assert item.findtext("title") == entry.findtext("atom:title", namespaces=NS) == in_json["title"] == title
    content = item.findtext("content:encoded", namespaces=NS)
    assert content == entry.findtext("atom:content", namespaces=NS) == in_json["content_html"]
    assert item.findtext("guid") == entry.findtext("atom:id", namespaces=NS) == in_json["id"]


@pytest.mark.parametrize("form", list(FeedFormat))
def test_the_same_input_gives_the_same_bytes(form: FeedFormat) -> None:
    """Feeds do not depend on the clock or on chance."""
    one = article(tags=("b", "a"), authors=(Author(name="X"),))
    assert feed(form, one) == feed(form, one)


def test_an_atom_link_keeps_its_rel_and_type() -> None:
    """The library feedgen drops both."""
    link = atom(article()).find("atom:entry/atom:link", NS)
    assert link is not None
    assert dict(link.attrib) == {
        "href": "https://review.example/2026/11/a-title",
        "rel": "alternate",
        "type": "text/html",
    }


def test_the_rss_channel_links_to_the_home_page_and_to_itself() -> None:
    """The library feedgen would use the last link as the channel's."""
    channel = rss(article()).find("channel")
    assert channel is not None
    assert channel.findtext("link") == "https://review.example/"
    own = channel.find("atom:link", NS)
    assert own is not None
    assert dict(own.attrib) == {"href": CHANNEL.url + ".rss", "rel": "self", "type": "application/rss+xml"}
    assert channel.findtext("language") == "en"
    assert channel.findtext("copyright") == "© The Review"


def test_atom_content_is_of_type_html() -> None:
    """Feed readers show other types as source text."""
    content = atom(article()).find("atom:entry/atom:content", NS)
    assert content is not None
    assert content.get("type") == "html"


def test_an_image_has_credit_and_description_and_no_group() -> None:
    """A group with one image is an error."""
    image = Image(
        url="/i/a%20b.jpg?x=1&y=2", credit='A "B" & C', alt="Boats", caption="On the river", width=640, height=480
    )
    for root, path in ((rss(article(image=image)), "channel/item"), (atom(article(image=image)), "atom:entry")):
        entry = root.find(path, NS)
        assert entry is not None
        assert entry.find("media:group", NS) is None
        (content,) = entry.findall("media:content", NS)
        assert content.get("url") == "https://review.example/i/a%20b.jpg?x=1&y=2"
        assert (content.get("medium"), content.get("type")) == ("image", "image/jpeg")
        assert (content.get("width"), content.get("height")) == ("640", "480")
        credit = content.find("media:credit", NS)
        assert credit is not None
        assert (credit.text, credit.get("role")) == ('A "B" & C', "photographer")
        assert content.findtext("media:description", namespaces=NS) == "Boats"


def test_the_image_comes_before_the_text() -> None:
    """A credit without an image is not shown."""
    body = rss(article(image=Image(url="a.png", alt='"'))).findtext("channel/item/content:encoded", namespaces=NS)
    assert body is not None
    assert body.startswith('<figure><img src="https://review.example/a.png" alt="&quot;"></figure>\n<p>Text</p>')
    assert "figure" not in (
        rss(article(image=Image(credit="X"))).findtext("channel/item/content:encoded", namespaces=NS) or ""
    )


def test_all_authors_without_email_are_in_one_dc_creator() -> None:
    """The library feedgen drops them, and feed readers use only one of several elements."""
    item = rss(article(authors=(Author(name="Ann Lee"), Author(name="Bob Ray")))).find("channel/item")
    assert item is not None
    assert [one.text for one in item.findall("dc:creator", NS)] == ["Ann Lee, Bob Ray"]
    assert item.find("author") is None


def test_atom_and_json_have_one_element_for_each_author() -> None:
    """With the URL, if it is known."""
    one = article(authors=(Author(name="Ann Lee", url="https://ann.example/?a&b"), Author(name="Bob Ray")))
    authors = atom(one).findall("atom:entry/atom:author", NS)
    assert [who.findtext("atom:name", namespaces=NS) for who in authors] == ["Ann Lee", "Bob Ray"]
    assert authors[0].findtext("atom:uri", namespaces=NS) == "https://ann.example/?a&b"
    assert json.loads(feed(FeedFormat.JSON, one))["items"][0]["authors"] == [
        {"name": "Ann Lee", "url": "https://ann.example/?a&b"},
        {"name": "Bob Ray"},
    ]


def test_atom_has_no_dublin_core() -> None:
    """Atom has its own author elements."""
    assert b"purl.org/dc" not in feed(FeedFormat.ATOM, article(authors=(Author(name="Ann Lee"),)))


def test_an_article_without_authors_has_the_default_author() -> None:
    """Atom requires an author."""
    assert rss(article()).findtext("channel/item/dc:creator", namespaces=NS) == "The Review"
    assert json.loads(feed(FeedFormat.JSON, article()))["items"][0]["authors"] == [{"name": "The Review"}]


def test_bios_come_after_the_text_without_duplicates() -> None:
    """Two authors with the same bio have it once."""
    authors = (Author(name="A B", bio="A & B write."), Author(name="C D", bio="A & B write."))
    body = rss(article(authors=authors)).findtext("channel/item/content:encoded", namespaces=NS)
    assert body == "<p>Text</p>\n<p><em>A &amp; B write.</em></p>"


def test_dates_do_not_depend_on_the_clock_or_the_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library feedgen uses the locale of the process for lastBuildDate."""

    def refuse(*_: object) -> str:
        raise AssertionError("the process's locale was changed")

    feed(FeedFormat.RSS, article())  # makes the template
    root = rss(article())
    assert root.findtext("channel/lastBuildDate") == "Fri, 20 Nov 2026 06:30:00 +0100"
    assert root.findtext("channel/item/pubDate") == "Fri, 20 Nov 2026 06:30:00 +0100"
    monkeypatch.setattr(locale, "setlocale", refuse)
    assert render_entry(article(), SITE_INFO).rss


def test_atom_has_the_update_time_of_its_newest_entry() -> None:
    """An unchanged feed keeps its bytes."""
    changed = MOMENT + timedelta(days=1)
    root = atom(article(changed=changed))
    assert root.findtext("atom:updated", namespaces=NS) == changed.isoformat()
    assert root.findtext("atom:entry/atom:published", namespaces=NS) == MOMENT.isoformat()


@pytest.mark.parametrize("form", [FeedFormat.RSS, FeedFormat.ATOM])
def test_an_empty_feed_is_valid(form: FeedFormat) -> None:
    """In every format."""
    assert feedparser.parse(feed(form)).bozo == 0


def test_description_comes_before_content_and_metadata_before_items() -> None:
    """Some feed readers depend on the order."""
    item = rss(article()).find("channel/item")
    assert item is not None
    tags = [child.tag for child in item]
    assert tags.index("description") < tags.index(f"{{{NS['content']}}}encoded")
    channel = item.getparent()
    assert channel is not None
    assert [child.tag for child in channel].index("item") == len(channel) - 1


def test_an_article_without_a_dek_has_its_first_words_as_summary() -> None:
    """Feed readers show the summary in lists."""
    summary = rss(article(dek=None, body="<p>" + "word " * 80 + "</p>")).findtext("channel/item/description")
    assert summary is not None
    assert summary.endswith("…") and len(summary.split()) == 55


def test_an_article_with_only_a_title_has_a_valid_entry() -> None:
    """The body is empty."""
    for form in FeedFormat:
        assert b"A Title" in feed(form, article(dek=None, body=""))


def test_relative_urls_become_absolute_in_feeds() -> None:
    """Also fragments, which are relative to the article."""
    entry = render_entry(article(body='<p><a href="#fn1">1</a></p>'), SITE_INFO)
    assert entry.body == '<p><a href="https://review.example/2026/11/a-title#fn1">1</a></p>'
    assert render_entry(article(), SITE_INFO).body is None


def test_language_and_direction_are_kept() -> None:
    """Right-to-left articles are in a div with dir and lang."""
    one = article(title="رغيف", language="ar", body="<p>نص</p>")
    body = rss(one).findtext("channel/item/content:encoded", namespaces=NS)
    assert body == '<div lang="ar" dir="rtl">\n<p>نص</p>\n</div>'
    assert json.loads(feed(FeedFormat.JSON, one))["items"][0]["language"] == "ar"
    assert "language" not in json.loads(feed(FeedFormat.JSON, article()))["items"][0]


def test_json_feed_is_version_1_1() -> None:
    """With authors as a list."""
    got = json.loads(
        feed(FeedFormat.JSON, article(topic="Water", region="Asia", brand="B", tags=("t",), image=Image(url="/a.jpg")))
    )
    assert got["version"] == "https://jsonfeed.org/version/1.1"
    assert got["feed_url"] == CHANNEL.url + ".json"
    (item,) = got["items"]
    assert item["tags"] == ["Water", "Asia", "B", "t"]
    assert item["image"] == "https://review.example/a.jpg"
    assert item["date_published"] == "2026-11-20T06:30:00+01:00"


def test_a_title_cannot_replace_the_body() -> None:
    """Even if it looks like the placeholder of the body in JSON."""
    one = article(title='"content_html":""', dek='"content_html":""', body="<p>real</p>")
    assert json.loads(feed(FeedFormat.JSON, one))["items"][0]["content_html"] == "<p>real</p>"


def test_a_title_with_markup_is_plain_text_for_validators() -> None:
    """The less-than sign is written as a numeric reference."""
    assert b"<title>a &#x3C;b&gt; &amp; c</title><link>" in feed(FeedFormat.RSS, article(title="a <b> & c"))
    assert rss(article(title="a <b> & c")).findtext("channel/item/title") == "a <b> & c"


def test_percent_signs_and_braces_are_text() -> None:
    """They have no effect in templates of entries."""
    one = article(title="100% {{title}} %(id)b", tags=("%s",))
    assert rss(one).findtext("channel/item/title") == "100% {{title}} %(id)b"


def test_feed_ids_are_unique_and_stable() -> None:
    """They depend on the site and the feed only."""
    first = atom(article()).findtext("atom:id", namespaces=NS)
    assert first == atom().findtext("atom:id", namespaces=NS)
    assert first is not None and first.startswith("urn:uuid:")


def test_a_feed_reader_parses_rss_and_atom() -> None:
    """The library feedparser finds the same entry in RSS and Atom."""
    one = article(title="AT&T <b> 😀", authors=(Author(name="Ann Lee"),), tags=("t",), topic="Water")
    for form in (FeedFormat.RSS, FeedFormat.ATOM):
        got = feedparser.parse(feed(form, one))
        assert got.bozo == 0
        (entry,) = got.entries
        assert entry.id == one.id
        assert entry.author == "Ann Lee"
        assert {tag.term for tag in entry.tags} == {"Water", "t"}
        assert got.feed.title == CHANNEL.title
    assert FEED_TYPES[FeedFormat.JSON] == "application/feed+json"
