"""The rules for feeds: a violation of each is found, and rendered feeds comply."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.feeds.checks.feed import check_entry, check_feed, detect_format, previous_page_url
from publisher.findings.feed_rules import FEED_RULES
from publisher.html.sanitize import sanitize_html
from publisher.html.text import clean_characters, one_line
from publisher.model.articles import Author, Correction, Enclosure, Image
from publisher.model.feeds import FeedFormat
from tests.unit.feeds.test_feed_rendering import CHANNEL, LINE, MOMENT, TEXT, article, feed

NOW = datetime(2026, 11, 23, 7, 0, tzinfo=UTC)
AT = "https://review.example/feeds/all"

RSS = f"""<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom" xmlns:content="http://purl.org/rss/1.0/modules/content/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:media="http://search.yahoo.com/mrss/"><channel>
<title>T</title><link>https://review.example/</link><description>D</description>
<atom:link href="{AT}.rss" rel="self" type="application/rss+xml"/><language>en</language>
<item><title>One</title><link>https://review.example/1</link><description>Text</description>
<content:encoded>&lt;p&gt;Text&lt;/p&gt;</content:encoded>
<dc:creator>Ann</dc:creator><guid isPermaLink="false">urn:1</guid><pubDate>Fri, 20 Nov 2026 06:30:00 +0100</pubDate></item>
</channel></rss>"""
ATOM = f"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:media="http://search.yahoo.com/mrss/" xml:lang="en"><id>urn:f</id><title>T</title>
<updated>2026-11-20T06:30:00Z</updated><author><name>A</name></author>
<link href="{AT}.atom" rel="self" type="application/atom+xml"/>
<entry><id>urn:1</id><title>One</title><updated>2026-11-20T06:30:00Z</updated>
<link href="https://review.example/1"/><content type="html">&lt;p&gt;Text&lt;/p&gt;</content></entry>
</feed>"""
JSON = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "T",
        "feed_url": f"{AT}.json",
        "language": "en",
        "items": [{"id": "urn:1", "content_html": "<p>Text</p>"}],
    }
)
SECOND_ENTRY = (
    "<entry><id>urn:2</id><title>Two</title><updated>{}</updated><link href='https://review.example/2'/></entry></feed>"
)
MEDIA = '<media:group><media:content url="https://r.example/a.jpg"/></media:group>'


def rules(source: str | bytes, address: str | None = None) -> set[str]:
    data = source.encode() if isinstance(source, str) else source
    return {found.id for found in check_feed(data, url=address, now=NOW)}


@pytest.mark.parametrize(("source", "suffix"), [(RSS, "rss"), (ATOM, "atom"), (JSON, "json")])
def test_a_valid_feed_has_no_findings(source: str, suffix: str) -> None:
    """In any of the three formats."""
    assert check_feed(source.encode(), url=f"{AT}.{suffix}", now=NOW) == []
    assert detect_format(source.encode()) == FeedFormat(suffix)


BROKEN = [
    ("well-formed", RSS, "</channel>", ""),
    ("encoding", RSS, 'encoding="UTF-8"', 'encoding="ISO-8859-1"'),
    ("namespace", RSS, "xmlns:dc=", 'xmlns:x="http://nobody.example/" xmlns:dc='),
    ("unknown-element", RSS, "<language>", "<nonsense/><language>"),
    ("unknown-element", RSS, "<guid", "<nonsense/><guid"),
    ("unknown-element", ATOM, "<content", "<nonsense/><content"),
    ("repeated", RSS, "<guid", "<dc:creator>Bob</dc:creator><guid"),
    ("repeated", RSS, "<guid", "<title>Two</title><guid"),
    ("repeated", ATOM, "<content", "<title>Two</title><content"),
    ("required", RSS, "<description>D</description>", "<description> </description>"),
    ("required", RSS, "<title>One</title><link>https://review.example/1</link><description>Text</description>", ""),
    ("required", '<rss version="2.0"/>', "", ""),
    ("required", ATOM, "<title>One</title>", "<title/>"),
    ("required", ATOM, "<name>A</name>", "<name/>"),
    (
        "required",
        ATOM,
        '<link href="https://review.example/1"/><content type="html">&lt;p&gt;Text&lt;/p&gt;</content>',
        "",
    ),
    ("required", JSON, '"id": "urn:1", ', ""),
    ("required", JSON, '"content_html"', '"_content"'),
    ("required", JSON, '"title": "T", ', ""),
    ("self-link", RSS, 'rel="self"', 'rel="alternate"'),
    ("self-link", RSS, 'type="application/rss+xml"', 'type="text/xml"'),
    ("self-link", RSS, "feeds/all.rss", "feeds/other.rss"),
    ("self-link", ATOM, "feeds/all.atom", "feeds/other.atom"),
    ("self-link", ATOM, 'rel="self"', 'rel="related"'),
    ("self-link", ATOM, 'type="application/atom+xml"', ""),
    ("self-link", JSON, "feeds/all.json", "feeds/other.json"),
    ("link-relation", RSS, "<language>", '<atom:link rel="prev" href="https://r.example/"/><language>'),
    ("link-relation", ATOM, "<content", '<link rel="archives" href="https://r.example/"/><content'),
    ("absolute-url", RSS, "<link>https://review.example/</link>", "<link>/</link>"),
    ("absolute-url", RSS, "<link>https://review.example/1</link>", "<link>/1</link>"),
    ("absolute-url", RSS, "&lt;p&gt;Text", '&lt;p&gt;&lt;a href="#fn1"&gt;1&lt;/a&gt;'),
    ("absolute-url", ATOM, 'href="https://review.example/1"', 'href="/1"'),
    ("absolute-url", ATOM, "<entry>", "<icon>/i.png</icon><entry>"),
    ("absolute-url", JSON, '"id"', '"url": "/1", "id"'),
    ("absolute-url", RSS, "<guid", '<media:content url="/a.jpg"/><guid'),
    ("language", RSS, "<language>en</language>", ""),
    ("language", ATOM, 'xml:lang="en"', 'xml:lang="English, please"'),
    ("language", ATOM, "<entry>", '<entry xml:lang="?">'),
    ("language", JSON, '"en"', "7"),
    ("date", RSS, "+0100", "GMT"),
    ("date", RSS, "20 Nov 2026", "31 Feb 2026"),
    ("date", ATOM, "2026-11-20T06:30:00Z", "2026-11-20"),
    ("date", ATOM, "<content", "<published>2026-11-21T06:30:00Z</published><content"),
    ("date", JSON, '"id"', '"date_published": "yesterday", "id"'),
    ("date", JSON, '"id"', '"date_published": "2026-13-01T00:00:00Z", "id"'),
    ("future-date", RSS, "2026 06", "2027 06"),
    ("future-date", ATOM, "2026-11-20", "2027-11-20"),
    ("future-date", JSON, '"id"', '"date_modified": "2027-01-01T00:00:00Z", "id"'),
    ("plain-title", RSS, "<title>One", "<title>&lt;b>One"),
    ("plain-title", RSS, "<title>One</title>", "<title><![CDATA[<b>One]]></title>"),
    ("unique-id", RSS, "</channel>", '<item><title>Two</title><guid isPermaLink="false">urn:1</guid></item></channel>'),
    ("unique-id", JSON, "[{", '[{"id": "urn:1", "content_html": ""}, {'),
    ("history", ATOM, "<entry>", '<link rel="current" href="https://r.example/"/><entry>'),
    ("tombstone", ATOM, "<entry>", '<deleted-entry xmlns="http://purl.org/atompub/tombstones/1.0" ref="x"/><entry>'),
    ("html-closed", RSS, "&lt;/p&gt;", ""),
    ("html-closed", ATOM, "&lt;/p&gt;", "&lt;/b&gt;&lt;/p&gt;"),
    ("html-closed", JSON, "<p>Text", "<p><b>Text"),
    ("html-safe", RSS, "&lt;p&gt;", "&lt;p onclick='x()'&gt;"),
    ("html-safe", RSS, "&lt;p&gt;", "&lt;iframe src='https://v.example/'&gt;&lt;/iframe&gt;&lt;p&gt;"),
    ("html-safe", ATOM, "&lt;p&gt;", "&lt;a href='javascript:x'&gt;&lt;/a&gt;&lt;p&gt;"),
    ("html-safe", JSON, "<p>", "<p style='x'>"),
    ("media-group", RSS, "<guid", MEDIA + "<guid"),
    ("media-group", ATOM, "<content", MEDIA + "<content"),
    ("media-credit", RSS, "<guid", '<media:credit role="Photographer">A</media:credit><guid'),
    ("media-number", RSS, "<guid", '<media:content url="https://r.example/a.jpg" width="wide"/><guid'),
    ("rss-version", RSS, 'version="2.0"', 'version="0.91"'),
    ("rss-order", RSS, "</channel>", "<copyright>C</copyright></channel>"),
    ("rss-text-input", RSS, "<language>", "<textInput/><language>"),
    ("rss-guid", RSS, ' isPermaLink="false"', ""),
    ("rss-guid", RSS, '<guid isPermaLink="false">urn:1</guid>', ""),
    ("rss-enclosure", RSS, "<guid", '<enclosure url="https://r.example/a.mp3" length="0" type="audio/mpeg"/><guid'),
    ("rss-enclosure", RSS, "<guid", '<enclosure url="/a.mp3" length="1" type="audio/mpeg"/><guid'),
    ("rss-enclosure", RSS, "<guid", '<enclosure url="https://r.example/a.mp3" length="1"/><guid'),
    ("rss-author", RSS, "<guid", "<author>ann@r.example</author><guid"),
    ("rss-author", RSS, "<dc:creator>Ann</dc:creator>", "<author>Ann</author>"),
    ("atom-id", ATOM, "<id>urn:1</id>", "<id>1</id>"),
    ("atom-author", ATOM, "<author><name>A</name></author>", ""),
    ("atom-alternate", ATOM, "<content", '<link href="https://review.example/3"/><content'),
    ("atom-content-type", ATOM, 'type="html"', 'type="CDATA"'),
    ("atom-same-updated", ATOM, "</feed>", SECOND_ENTRY.format("2026-11-20T06:30:00Z")),
    ("json-version", JSON, "version/1.1", "version/1"),
    ("json-type", JSON, '"urn:1"', "17"),
    ("json-type", JSON, '"id"', '"authors": ["Ann"], "id"'),
    ("json-type", JSON, '"id"', '"tags": [1], "id"'),
    ("json-type", JSON, '"id"', '"attachments": [{"url": "https://r.example/a"}], "id"'),
    (
        "json-type",
        JSON,
        '"id"',
        '"attachments": [{"url": "https://r.example/a", "mime_type": "a/b", "size_in_bytes": "1"}], "id"',
    ),
    ("json-type", JSON, '"items"', '"hubs": [{"url": "https://h.example/"}], "items"'),
    ("json-type", JSON, "[{", "[1, {"),
    ("json-name", JSON, '"id"', '"comments": "x", "id"'),
    (
        "well-formed",
        JSON,
        "}",
        "",
    ),
    ("kind", "<html/>", "", ""),
    ("kind", "[]", "", ""),
]


@pytest.mark.parametrize(("rule", "good", "old", "new"), BROKEN)
def test_a_violation_is_reported_with_its_rule(rule: str, good: str, old: str, new: str) -> None:
    """Each violation is reported once, and no other rule with it."""
    broken = good.replace(old, new, 1) if old else good
    assert broken != good or not old
    suffix = "rss" if good is RSS else "atom" if good is ATOM else "json"
    assert rule in rules(broken, f"{AT}.{suffix}")


def test_rules_about_several_elements_are_checked() -> None:
    """Image, order of elements, archive links and repeated values."""
    image = "<image><url>https://r.example/i.png</url><title>X</title><link>/</link><width>200</width></image>"
    found = check_feed(RSS.replace("<language>", image + "<language>").encode())
    assert [one.message for one in found if one.id == "rss-image"] == [
        "its title differs from the channel's",
        "its link differs from the channel's",
        "width 200",
    ]
    assert "rss-image" in rules(RSS.replace("<language>", "<image><title>T</title></image><language>"))
    late = RSS.replace("<description>Text</description>\n", "").replace(
        "</content:encoded>", "</content:encoded><description>Text</description>"
    )
    assert "rss-description-first" in rules(late)
    archive = ATOM.replace("<entry>", '<archive xmlns="http://purl.org/syndication/history/1.0"/><entry>')
    assert "history" in rules(archive)
    whole = archive.replace("<entry>", '<link rel="current" href="https://r.example/"/><entry>', 1)
    assert rules(whole) == set()
    assert "history" in rules(whole.replace("<entry>", '<link rel="hub" href="https://h.example/"/><entry>', 1))
    assert rules(ATOM.replace("</feed>", SECOND_ENTRY.format("2026-11-20T06:30:01Z"))) == set()


def test_every_rule_is_tested_and_documented_with_fix_and_source() -> None:
    """A new rule needs a test, and a row in docs/checks.md."""
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text("utf-8")
    tested = {rule for rule, *_ in BROKEN} | {
        "rss-image",
        "rss-description-first",
        "media-type",
        "history-link",
        "not-modified",
    }
    assert set(FEED_RULES) == tested
    for name, rule in FEED_RULES.items():
        assert re.fullmatch(r"[a-z0-9-]+", name)
        assert rule.requirement and rule.fix and rule.source.startswith("https://")
        assert f"| `{name}` | {rule.requirement} | {rule.fix} | [source]({rule.source}) |" in page


def test_a_finding_has_the_entry_and_the_line() -> None:
    """So that the author finds the error in the file."""
    (found,) = check_feed(RSS.replace("+0100", "GMT").encode())
    assert (found.id, found.entry, found.line) == ("date", "One", 6)
    assert found.as_dict()["fix"] == FEED_RULES["date"].fix


def test_a_feed_with_only_tombstones_is_valid() -> None:
    """Tombstones among entries are an error, without entries they are not."""
    stones = re.sub(r"<entry>.*</entry>", '<at:deleted-entry ref="urn:1"/>', ATOM, flags=re.DOTALL)
    assert (
        rules(stones.replace("xmlns:media", 'xmlns:at="http://purl.org/atompub/tombstones/1.0" xmlns:media')) == set()
    )


def test_external_entities_are_not_loaded(tmp_path: Path) -> None:
    """A feed cannot read local files or URLs."""
    secret = tmp_path / "secret"
    secret.write_text("SECRET")
    hostile = RSS.replace("<rss", f'<!DOCTYPE rss [<!ENTITY x SYSTEM "file://{secret}">]><rss', 1).replace(
        "<title>One", "<title>&x;"
    )
    assert "SECRET" not in str(check_feed(hostile.encode()))


def test_the_previous_page_is_found_in_every_format() -> None:
    """RSS and Atom have a link, JSON Feed has next_url."""
    link = '<atom:link rel="prev-archive" href="https://r.example/1.rss"/>'
    assert previous_page_url(RSS.replace("<language>", link + "<language>").encode()) == "https://r.example/1.rss"
    assert previous_page_url(JSON.replace('"items"', '"next_url": "https://r.example/1.json", "items"').encode()) == (
        "https://r.example/1.json"
    )
    assert previous_page_url(ATOM.encode()) is previous_page_url(b"<broken") is detect_format(b"<broken") is None


@given(
    LINE,
    st.none() | LINE,
    TEXT,
    st.lists(LINE, max_size=3),
    st.lists(LINE, max_size=3, unique=True),
    st.none() | LINE,
)
def test_entries_of_any_article_are_valid(
    title: str, dek: str | None, body: str, names: list[str], tags: list[str], credit: str | None
) -> None:
    """Generated texts, in all formats."""
    one = article(
        title=title,
        dek=dek,
        body=sanitize_html("<p>{0}</p>{0}".format(clean_characters(body)[0])),
        authors=tuple(Author(name=name, bio=name) for name in names),
        tags=tuple(tags),
        image=Image(url="/a.jpg", credit=credit, alt=dek),
        corrections=(Correction(at=MOMENT, note=title),),
        enclosures=(Enclosure(url="/a.mp3", type="audio/mpeg", length=5, title=one_line(title)),),
        language="ar",
    )
    for form in FeedFormat:
        assert check_feed(feed(form, one), url=f"{CHANNEL.url}.{form.value}", now=NOW) == []


HOSTILE = [
    '<p>x</p><script>alert(1)</script><iframe src="https://video.example/embed/7?x=1"></iframe>',
    "<p>]]> &amp; &lt;b&gt; \u202e evil \u200f</p><svg><a xlink:href='javascript:x'>x</a></svg>",
    '<p>note<a href="#fn1">1</a></p><ol><li id="fn1">foot <a href="#r">back</a></li></ol>',
    "<table><tr><td>1<td>2<tr><td>3</table><p>unclosed <b>bold<p>next",
    "<pre><code>if (a < b && c > d) { }</code></pre>",
    '<img src="/i.jpg"><video src="/v.mp4" poster="p.jpg" controls></video><p style="h3" onclick="x">s</p>',
    "<style>@import url(http://x.example/)</style><math><mi>x</mi></math><form><input></form>",
    '<a href="//host.example/x">p</a><a href="data:text/html,x">d</a><a href="http://[bad">b</a>',
]


@pytest.mark.parametrize("body", HOSTILE)
@pytest.mark.parametrize("title", ["a <b>bold</b> & <script>", "]]>", "رغيف القاهرة", "😀 \u202e", "{{ 7*7 }} %s"])
def test_entries_of_hostile_articles_are_valid(body: str, title: str) -> None:
    """Markup that feed readers remove does not get into entries."""
    one = article(title=title, dek=title, body=sanitize_html(body), authors=(Author(name="A & B"), Author(name="<C>")))
    for form in FeedFormat:
        assert check_feed(feed(form, one), url=f"{CHANNEL.url}.{form.value}", now=NOW) == []


def test_an_iframe_becomes_a_link() -> None:
    """Feed readers remove frames."""
    for frame in (
        '<iframe width="5" src="https://video.example/embed/7?x=1&amp;y=2" allow></iframe>',
        "<IFRAME SRC=//video.example/embed/7></IFRAME>",
        "<embed src='https://video.example/embed/7'>",
    ):
        assert ">video.example/embed/7</a></p>" in sanitize_html(frame)
    assert sanitize_html('<iframe src="javascript:x"></iframe>') == ""
    assert sanitize_html("<p>a < b iframe</p>") == "<p>a &lt; b iframe</p>"


def test_an_entry_is_checked_in_every_format() -> None:
    """An invalid entry is found before it gets into a feed."""
    assert [one.id for one in check_entry(FeedFormat.RSS, b"<item><title>T</title></item>")] == ["rss-guid"]
    assert check_entry(FeedFormat.RSS, b"<item>")[0].id == "well-formed"
    assert check_entry(FeedFormat.ATOM, b"<entry/>")[0].id == "required"
    assert check_entry(FeedFormat.JSON, b"{")[0].id == "well-formed"
    assert check_entry(FeedFormat.JSON, b'{"id": "1"}')[0].id == "required"
