"""Rendering of issues and of the feed directory, and the sandbox of templates."""

from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from publisher.digests.branding import Branding
from publisher.digests.render import RenderedVariant, RenderJob, render_digest
from publisher.errors import TemplateError
from publisher.feeds.directory import FeedListing, Headline, dump_headlines, load_headlines, render_feed_directory
from publisher.feeds.opml import render_opml
from publisher.html.dates import long_date
from publisher.html.sanitize import paragraphs_to_html, sanitize_html
from publisher.html.text import clean_characters, display_width, one_line
from publisher.model.articles import Article, Author, Image
from publisher.model.digests import Digest
from publisher.model.feeds import FeedDefinition
from publisher.model.taxonomy import FacetKind
from publisher.settings.theme import ThemeSettings
from publisher.templating.environment import render_template, render_template_string
from publisher.templating.sources import source_hash
from tests.support.examples import examples
from tests.support.settings import make_site

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
BRANDING = Branding(
    site="The Review",
    base_url="https://review.example",
    description="All about it",
    language="en",
    light=ThemeSettings().light_palette,
    dark=ThemeSettings().dark_palette,
    postal_address="1 Quay, Bristol",
)
LINE = (
    st.text(alphabet=st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
    .map(lambda text: one_line(clean_characters(text)[0]))
    .filter(bool)
)
DIGEST = Digest(slug="daily", title="The Daily & Co")


def article(number: int, **fields: object) -> Article:
    return Article(
        **{  # type: ignore[arg-type]
            "title": f"Title {number}",
            "date": date(2026, 11, 20),
            "dek": f"Dek {number}",
            "body": f"<p>Body {number} text.</p>",
            "topic": "Water",
            "region": "Asia",
            "authors": (Author(name=f"Ann Lee{number}"),),
            "id": f"urn:{number}",
            "seq": number,
            "link": f"https://review.example/{number}?a=1&b=2",
            "published": NOW,
            "changed": NOW,
            **fields,
        }
    )


def issue(
    *articles: Article, digest: Digest = DIGEST, templates: Path = Path("/nowhere"), branding: Branding = BRANDING
) -> RenderedVariant:
    return render_digest(
        RenderJob(digest=digest, articles=articles, branding=branding, number=3, moment=NOW, templates=templates)
    )


def test_html_and_plain_text_have_all_titles_bylines_and_urls() -> None:
    """Neither part has less than the other."""
    made = issue(article(1), article(2), article(3))
    for number in (1, 2, 3):
        for part in (made.html, made.text):
            assert f"Title {number}" in part
            assert f"By Ann Lee{number}" in part
            assert f"Dek {number}" in part
        assert f"https://review.example/{number}?a=1&amp;b=2" in made.html
        assert f"[{number}] https://review.example/{number}?a=1&b=2" in made.text
    for part in (made.html, made.text):
        assert "1 Quay, Bristol" in part and "Monday, 23 November 2026" in part
    assert made.placeholders["unsubscribe"] in made.text
    assert made.html.count(made.placeholders["unsubscribe"]) == 2


def test_plain_text_has_at_most_72_columns() -> None:
    """Except lines with long URLs."""
    made = issue(article(1, title="Long " * 30, dek="漢字" * 60), article(2))
    for line in made.text.split("\n"):
        assert display_width(line) <= 72 or "http" in line


def test_hostile_text_is_escaped() -> None:
    """No text of an article becomes markup."""
    hostile = "<script>x()</script> {{ 7*7 }} ]]> \" '"
    made = issue(article(1, title=hostile, dek=hostile, body="<p>&lt;script&gt;</p>", authors=(Author(name=hostile),)))
    assert "<script" not in made.html
    assert "{{ 7*7 }}" in made.html and "49" not in made.subject
    assert hostile in made.text
    assert made.subject == f"The Daily & Co: {hostile}"


@given(st.lists(LINE, min_size=3, max_size=3), st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300))
@settings(max_examples=examples(60), deadline=None)
def test_any_text_can_be_rendered(lines: list[str], body: str) -> None:
    """The issue contains the text, whatever it is."""
    text = paragraphs_to_html([clean_characters(body)[0]])
    made = issue(article(1, title=lines[0], dek=lines[1], topic=lines[2], body=text), article(2))
    assert lines[0] in html.unescape(made.html).replace("\xa0", " ") or "\xa0" in lines[0]


def test_styles_are_inlined_and_dark_mode_is_kept() -> None:
    """Mail clients drop style sheets, but dark mode needs one."""
    made = issue(article(1))
    assert made.html.startswith("<!DOCTYPE html>")
    assert "prefers-color-scheme: dark" in made.html
    assert "[data-ogsc]" in made.html
    assert re.search(r"<h2 class=.lead-title display. style='[^']*font-size:32px", made.html)
    assert BRANDING.dark.accent in made.html


def test_screen_readers_do_not_announce_layout_tables() -> None:
    """They have role=presentation."""
    tables = re.findall(r"<table[^>]*>", issue(article(1), article(2)).html)
    assert tables and all('role="presentation"' in table for table in tables)


def test_images_have_size_alt_and_credit() -> None:
    """Outlook needs the width."""
    image = Image(url="/a.jpg", alt="Boats", credit="Ana", width=1200, height=800)
    page = issue(article(1, image=image), article(2, image=image), article(3, image=Image(url="/b.jpg"))).html
    assert re.search(r'src="https://review.example/a.jpg" alt="Boats" width="600" height="400"', page)
    assert re.search(r'src="https://review.example/a.jpg" alt="Boats" width="160" height="107"', page)
    assert re.search(r'src="https://review.example/b.jpg" alt="" width="160"', page)
    assert "Image: Ana" in page


def test_each_article_has_its_language_and_direction() -> None:
    """Screen readers and line breaks depend on both."""
    page = issue(article(1), article(2, title="رغيف", language="ar")).html
    assert re.search(r'<td class="story rule pad rtl" lang="ar" dir="rtl"', page)
    assert re.search(r'<td class="lead pad ltr" lang="en" dir="ltr"', page)
    assert '<html lang="en" dir="ltr"' in page


def test_bylines_join_several_authors() -> None:
    """Without authors the byline is empty."""
    authors = tuple(Author(name=f"N{n}") for n in range(3))
    made = issue(article(1, authors=authors), article(2, authors=()))
    assert "By N0, N1 and N2" in made.text


def test_the_subject_is_a_template_on_one_line() -> None:
    """A line break would end the header."""
    digest = Digest(slug="d", title="D", subject="{{ lead.title }} and {{ stories | length }} more\n(No. {{ number }})")
    assert issue(article(1), article(2), digest=digest).subject == "Title 1 and 1 more (No. 3)"
    long = Digest(slug="d", title="D", subject="x" * 500)
    assert len(issue(article(1), digest=long).subject) == 200


@pytest.mark.parametrize(
    "subject", ["{{ nothing }}", "{{ lead.nothing }}", "{% if %}", "{{ ''.__class__.__mro__ }}", "{{ 1 / 0 }}"]
)
def test_an_invalid_subject_template_is_reported_with_its_setting(subject: str) -> None:
    """The setting is digests.NAME.subject."""
    with pytest.raises(TemplateError, match=r"digests.d.subject"):
        issue(article(1), digest=Digest(slug="d", title="D", subject=subject))


def test_a_sites_template_can_extend_the_shipped_one(tmp_path: Path) -> None:
    """Only the blocks that it defines change."""
    folder = tmp_path / "digest" / "magazine"
    folder.mkdir(parents=True)
    (folder / "message.html.j2").write_text(
        '{% extends "default/digest/magazine/message.html.j2" %}{% block masthead %}<tr><td>OUR OWN</td></tr>{% endblock %}'
    )
    page = issue(article(1), templates=tmp_path).html
    assert "OUR OWN" in page and "Title 1" in page


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("<p>\n{{ nothing }}</p>", r"message.html.j2:2: 'nothing' is undefined"),
        ("<p>\n\n{% if %}</p>", r"message.html.j2:3:"),
        ("{{ ''.__class__ }}", "unsafe"),
        ('{% include "nowhere.j2" %}', "no template nowhere.j2"),
    ],
)
def test_a_template_error_has_file_and_line(tmp_path: Path, source: str, message: str) -> None:
    """Also for undefined variables."""
    folder = tmp_path / "digest" / "magazine"
    folder.mkdir(parents=True)
    (folder / "message.html.j2").write_text(source)
    with pytest.raises(TemplateError, match=message):
        issue(article(1), templates=tmp_path)


def test_a_missing_theme_is_reported_by_name() -> None:
    """The error has the name of the template."""
    with pytest.raises(TemplateError, match=r"no template digest/nowhere/message.html.j2"):
        issue(article(1), digest=Digest(slug="d", title="D", template="nowhere"))


def test_only_html_templates_escape(tmp_path: Path) -> None:
    """Plain text has no entities."""
    (tmp_path / "a.html.j2").write_text("{{ x }}")
    (tmp_path / "a.txt.j2").write_text("{{ x }}")
    assert render_template(tmp_path, "a.html.j2", {"x": "<&"}) == "&lt;&amp;"
    assert render_template(tmp_path, "a.txt.j2", {"x": "<&"}) == "<&"
    assert render_template_string("{{ x }}", {"x": "<&"}, "setting") == "<&"


def test_the_hash_of_a_template_changes_with_its_text(tmp_path: Path) -> None:
    """A site's own file replaces the shipped one."""
    before = source_hash(tmp_path, "feeds/index.html.j2")
    (tmp_path / "feeds").mkdir()
    (tmp_path / "feeds" / "index.html.j2").write_text("x")
    assert source_hash(tmp_path, "feeds/index.html.j2") != before


def test_dates_have_month_names_only_in_english() -> None:
    """Other languages get ISO dates."""
    assert long_date(NOW, "en-GB") == "Monday, 23 November 2026"
    assert long_date(NOW, "de") == "2026-11-23"


def listed(kind: FacetKind, title: str) -> FeedListing:
    channel = FeedDefinition(
        kind=kind,
        slug="x",
        title=title,
        description="D & D",
        language="en",
        home_page_url="https://review.example/",
        url=f"https://review.example/feeds/{kind.value}/x",
    )
    return FeedListing(
        definition=channel,
        name=title,
        about="",
        articles=2,
        latest=(Headline(title="رغيف <b>", link="https://review.example/1"),),
    )


def test_the_feed_directory_lists_every_feed_with_autodiscovery() -> None:
    """Browsers find the main feeds by their links."""
    feeds = [listed(FacetKind.ALL, "All"), listed(FacetKind.TAG, "R&D"), listed(FacetKind.TAG, "B")]
    page = render_feed_directory(make_site(title="The <Review>"), feeds, has_withdrawn=False).decode()
    assert (
        '<link rel="alternate" type="application/rss+xml" title="All (RSS)" href="https://review.example/feeds/all/x.rss">'
        in page
    )
    assert "The &lt;Review&gt;" in page and "R&amp;D" in page
    assert '<li dir="rtl"><a href="https://review.example/1">رغيف &lt;b&gt;</a></li>' in page
    assert "<script" not in page
    assert load_headlines(dump_headlines(feeds[0].latest)) == feeds[0].latest


def test_opml_lists_every_feed_in_its_group() -> None:
    """Groups are topics, regions and so on."""
    from lxml import etree

    channels = [listed(FacetKind.ALL, "All").definition, listed(FacetKind.TAG, "A & B").definition]
    root = etree.fromstring(render_opml("T", channels, "rss"))
    assert root.get("version") == "2.0"
    assert root.xpath("body/outline/@text") == ["Everything", "Tags"]
    assert root.xpath("//outline[@type='rss']/@xmlUrl") == [
        "https://review.example/feeds/all/x.rss",
        "https://review.example/feeds/tag/x.rss",
    ]


def test_rendering_opens_no_url_and_no_file_but_templates() -> None:
    """Whatever the articles contain."""
    import sys

    hostile = (
        '<p style="h3">x</p><style>@import url(http://127.0.0.1:9/x.css);</style><link rel="stylesheet" href="file:///etc/passwd">'
        '<img src="http://127.0.0.1:9/x.png"><iframe src="http://127.0.0.1:9/"></iframe>'
    )
    whole = Digest(slug="daily", title="D", full_text=True)
    issue(article(1), digest=whole)
    opened: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        if watching and event.startswith(("open", "socket.", "urllib.", "subprocess.", "os.system")):
            opened.append(f"{event} {arguments[0]}")

    sys.addaudithook(hook)
    try:
        issue(article(1, body=sanitize_html(hostile), title=hostile, dek=hostile), digest=whole)
    finally:
        watching = False
    assert [one for one in opened if not one.endswith((".j2", ".py", ".pyc"))] == []


@pytest.mark.parametrize("theme", ["magazine", "brief", "letter"])
def test_a_hostile_article_does_not_affect_the_next_issue(theme: str) -> None:
    """Caches of the inliner hold nothing of an article."""
    whole = Digest(slug="daily", title="D", full_text=True, template=theme)
    before = issue(article(1), article(2), digest=whole).html
    issue(
        article(1, body=sanitize_html('<p style="h3">x</p><style>h3 { p: } p</style>') + '<p style="h3:">raw</p>'),
        digest=whole,
    )
    assert issue(article(1), article(2), digest=whole).html == before


def test_an_excerpt_is_taken_from_prose() -> None:
    """Tables, headings and captions are only used without prose."""
    body = "<h2>Head</h2><table><tr><td>cell</td></tr></table><p>The first words.</p><figure><figcaption>Caption</figcaption></figure>"
    page = issue(article(1, body=body)).text
    assert "The first words." in page and "Head" not in page and "cell" not in page and "Caption" not in page
    assert "Only a head" in issue(article(1, body="<h2>Only a head</h2>")).text
