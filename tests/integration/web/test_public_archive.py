"""Public pages: front page, articles, newsletters and their issues."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import delete, insert, literal, select

from publisher.delivery.issue_life.opening import open_issue
from publisher.digests import store as issues
from publisher.storage.tables.digests import issue, issue_variant
from publisher.web import Web
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.clocks import ManualClock
from tests.support.use_cases import context_of, reinstate, retract
from tests.support.web_visitor import Visitor

BASE = "https://review.example"


class ArchiveSite:
    def __init__(self, kit: SiteKit) -> None:
        self.kit = kit
        self.clock = ManualClock(NOW + timedelta(days=1))
        self.web = Web(kit.site, clock=self.clock)
        self.guest = Visitor(self.web)

    def reopen(self) -> None:
        self.web.close()
        self.web = Web(self.kit.site, clock=self.clock)
        self.guest = Visitor(self.web)


@pytest.fixture
def archive_site(mail_kit: MailKit) -> Iterator[ArchiveSite]:
    mail_kit.add_settings("\n[web]\narticles = true\n")
    mail_kit.settings(
        (mail_kit.root / "publisher.toml").read_text().replace('"The Daily"', '"The Daily"\nsend = "auto"')
    )
    mail_kit.article(
        "one.md",
        "One & <b>Only</b>",
        body="Text with <script>alert(1)</script> **weight**.",
        topic="Water",
        dek='A "dek"',
        authors="Amara Okafor",
        image="https://pictures.example/a.jpg",
    )
    mail_kit.open_issue()
    made = ArchiveSite(mail_kit)
    yield made
    made.web.close()


def open_approved(kit: SiteKit) -> None:
    """Open the send of the newest issue."""
    with kit.open() as db:
        assert open_issue(context_of(kit.site, db, NOW + timedelta(hours=1)), kit.newest_issue()) is not None


def test_the_front_page_links_articles_newsletters_and_feeds(archive_site: ArchiveSite) -> None:
    """Each part of the site can be reached from it."""
    page = archive_site.guest.get(f"{BASE}/")
    assert page.status == 200 and page.headers["cache-control"] == "public, max-age=60"
    for address in (f"{BASE}/2026/11/one-b-only-b", f"{BASE}/newsletters/daily/", f"{BASE}/feeds/"):
        assert f'href="{address}"' in page.text, page.text
    assert "One &amp; &lt;b&gt;Only" in page.text


def test_an_article_page_has_structured_data(archive_site: ArchiveSite) -> None:
    """Search engines read it."""
    address = re.findall(r'class="u-url p-name" href="([^"]+)"', archive_site.guest.get(f"{BASE}/").text)[0]
    page = archive_site.guest.get(address)
    assert page.status == 200 and "<strong>weight</strong>" in page.text and "alert(1)" not in page.text
    assert f'<link rel="canonical" href="{address}">' in page.text
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', page.text)
    found = json.loads(data)
    assert found["@type"] == "NewsArticle" and found["headline"] == "One & <b>Only</b>" and "<" not in data
    assert found["image"] == ["https://pictures.example/a.jpg"] and found["author"][0]["name"] == "Amara Okafor"
    for mark in ("h-entry", "p-name", "e-content", "dt-published", "og:title", "og:image"):
        assert mark in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert archive_site.guest.get(address + "x").status == 404


def test_media_files_are_served_and_nothing_else(archive_site: ArchiveSite) -> None:
    """Hidden files and paths outside are refused."""
    media = archive_site.kit.root / "media"
    (media / "sub").mkdir(parents=True)
    (media / "sub/a.png").write_bytes(b"\x89PNG picture")
    (media / ".hidden").write_text("secret")
    (media / "link").symlink_to(archive_site.kit.root / "publisher.toml")
    answer = archive_site.guest.get(f"{BASE}/sub/a.png")
    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"\x89PNG picture", "image/png")
    part = archive_site.guest.get(f"{BASE}/sub/a.png", range="bytes=1-3")
    assert (part.status, part.body) == (206, b"PNG")
    assert archive_site.guest.get(f"{BASE}/sub/a.png", if_none_match=answer.headers["etag"]).status == 304
    for path in ("/.hidden", "/sub", "/sub/", "/link", "/../publisher.toml", "/sub/../../publisher.toml", "/sub/\0"):
        assert archive_site.guest.get(BASE + path).status == 404, path


def test_article_pages_can_be_turned_off(archive_site: ArchiveSite) -> None:
    """A site may have its articles elsewhere."""
    path = archive_site.kit.root / "publisher.toml"
    path.write_text(path.read_text().replace("articles = true", "articles = false"))
    archive_site.reopen()
    assert archive_site.guest.get(f"{BASE}/2026/11/one-b-only-b").status == 404


def test_future_articles_have_no_page_and_withdrawn_ones_give_410(archive_site: ArchiveSite) -> None:
    """The page of a withdrawn article has the reason."""
    archive_site.kit.article("later.md", "Later", date="2027-01-01")
    archive_site.kit.publish(NOW + timedelta(hours=1))
    assert archive_site.guest.get(f"{BASE}/2027/01/later").status == 404
    assert "Later" not in archive_site.guest.get(f"{BASE}/").text
    address = f"{BASE}/2026/11/one-b-only-b"
    assert archive_site.guest.get(address).status == 200
    retract(archive_site.kit.site, NOW + timedelta(hours=2), "one.md", "It was not so")
    answer = archive_site.guest.get(address)
    assert answer.status == 410 and "It was not so" in answer.text
    assert "One &amp;" not in archive_site.guest.get(f"{BASE}/").text


def test_published_issues_link_to_each_other(archive_site: ArchiveSite) -> None:
    """Each page has the previous and the next issue."""
    archive_site.kit.article("two.md", "Two")
    archive_site.kit.open_issue(now=NOW + timedelta(hours=1))
    shelf = archive_site.guest.get(f"{BASE}/newsletters/").text
    names = re.findall(rf'href="({BASE}/newsletters/daily/[^"/]+/)"', shelf)
    assert len(names) == 2
    assert (
        re.findall(
            rf'href="({BASE}/newsletters/daily/[^"/]+/)"', archive_site.guest.get(f"{BASE}/newsletters/daily/").text
        )
        == names
    )
    newest, oldest = (archive_site.guest.get(name) for name in names)
    assert f'rel="prev" href="{names[1]}"' in newest.text and 'rel="next"' not in newest.text
    assert f'rel="next" href="{names[0]}"' in oldest.text and 'rel="prev"' not in oldest.text
    assert f'<link rel="canonical" href="{names[0]}">' in newest.text
    assert "script-src" not in newest.headers["content-security-policy"]
    assert "default-src 'none'" in newest.headers["content-security-policy"]


PERSONAL = (
    '[mail]\nunsubscribe = "https://review.example/leave"\none_click = true\n'
    'preferences = "https://review.example/newsletters/preferences"\n'
    'web_view = "https://review.example/issues/{digest}/{issue}/"'
)


def newest_issue_url(archive_site: ArchiveSite) -> str:
    """Return the URL of the newest issue in the list of issues."""
    page = archive_site.guest.get(f"{BASE}/newsletters/daily/").text
    return next(url for url in re.findall(r'<h3><a href="([^"]+)"', page))


@pytest.mark.parametrize("theme", ["magazine", "brief", "letter"])
@pytest.mark.parametrize("settings", ["[mail]", PERSONAL], ids=["by mail only", "own pages"])
def test_the_page_of_an_issue_has_no_personal_links(archive_site: ArchiveSite, theme: str, settings: str) -> None:
    """Visitors can subscribe, see all issues, and read the text; each of these links works, and the mail is as before."""
    kit = archive_site.kit
    text = (kit.root / "publisher.toml").read_text().replace("[mail]", settings)
    text = text.replace('"The Daily"', f'"The Daily"\ntemplate = "{theme}"')
    kit.settings(text + '\n[delivery]\ntransport = "maildir"\n')
    kit.article("two.md", "Two")
    kit.open_issue(now=NOW + timedelta(hours=1))
    archive_site.reopen()
    page = archive_site.guest.get(newest_issue_url(archive_site))
    assert page.status == 200 and "This issue went to the subscribers of The Daily." in page.text
    for personal in ("nsubscribe", "/leave", "Choose what you get", "preferences", "mailto:", "@@"):
        assert personal not in page.text, personal
    links = {label: url for url, label in re.findall(r'<a [^<>]*href="([^"]+)"[^<>]*>([^<]*)</a>', page.text)}
    text_url = next(url for url in links.values() if url.endswith("/message.txt"))
    assert links["Subscribe"] == f"{BASE}/newsletters/join?digest=daily" and links["View as text"] == text_url
    assert f"{BASE}/newsletters/daily/" in links.values()
    for url in links.values():
        assert archive_site.guest.get(url).status == 200, url
    # What was mailed and staged still has the personal links.
    staged = kit.issue_file("index.html").read_text()
    assert "Unsubscribe from this list" in staged and ("/leave" in staged) == (settings is PERSONAL)


def test_an_issue_can_be_read_as_plain_text(archive_site: ArchiveSite) -> None:
    """The text has no personal links either, and names the page as the canonical one."""
    kit = archive_site.kit
    kit.settings((kit.root / "publisher.toml").read_text().replace("[mail]", PERSONAL))
    kit.article("two.md", "Two", body="The second text.")
    name = kit.open_issue(now=NOW + timedelta(hours=1)).partition("/")[2]
    archive_site.reopen()
    url = f"{BASE}/newsletters/daily/{name}/message.txt"
    page = archive_site.guest.get(url)
    assert page.status == 200 and page.headers["content-type"] == "text/plain; charset=utf-8"
    assert page.headers["link"] == f'<{BASE}/issues/daily/{name}/>; rel="canonical"'
    assert page.headers["x-content-type-options"] == "nosniff" and page.headers["cache-control"] == "public, max-age=60"
    assert f"View in browser: {BASE}/issues/daily/{name}/\n" in page.text
    # There is no mail server, so nobody can subscribe by a form.
    assert f"\nFeeds: {BASE}/feeds/\nAll issues: {BASE}/newsletters/daily/\n" in page.text
    assert "nsubscribe" not in page.text and "preferences" not in page.text and "@@" not in page.text
    assert archive_site.guest.get(url.replace(name, "2020-01-01T0700")).status == 404
    assert archive_site.guest.get(url.replace("daily", "weekly")).status == 404
    retract(kit.site, NOW + timedelta(hours=2), "two.md", "It was not so")
    assert archive_site.guest.get(url).status == 404


def test_the_text_of_an_issue_that_is_not_public_is_not_served(archive_site: ArchiveSite) -> None:
    """An approved issue has no page before its send opens."""
    kit = archive_site.kit
    kit.settings((kit.root / "publisher.toml").read_text().replace('send = "auto"', 'send = "review"'))
    kit.article("two.md", "Two", body="The second text.")
    path = kit.approve_issue(now=NOW + timedelta(hours=1))
    archive_site.reopen()
    url = f"{BASE}/newsletters/{path}/message.txt"
    assert archive_site.guest.get(url).status == 404
    open_approved(kit)
    assert archive_site.guest.get(url).status == 200


def test_an_issue_without_variants_shows_its_staged_text(archive_site: ArchiveSite) -> None:
    """Issues of the first releases have no variants."""
    url = newest_issue_url(archive_site)
    with archive_site.kit.open() as db, db.write() as connection:
        connection.execute(delete(issue_variant))
    page = archive_site.guest.get(url)
    assert page.status == 200 and "One &amp; &lt;b&gt;Only" in page.text and "View as text" in page.text


def test_an_issue_with_a_withdrawn_article_is_not_shown(archive_site: ArchiveSite) -> None:
    """A list of its other articles is shown instead."""
    archive_site.kit.article("two.md", "Two", body="The second text.")
    archive_site.kit.article("three.md", "Three", body="The third text.")
    archive_site.kit.open_issue(now=NOW + timedelta(hours=1))
    (address,) = re.findall(
        rf'href="({BASE}/newsletters/daily/[^"/]+/)"', archive_site.guest.get(f"{BASE}/newsletters/daily/").text
    )[:1]
    assert "The second text." in archive_site.guest.get(address).text
    retract(archive_site.kit.site, NOW + timedelta(hours=2), "two.md", "It was not so")
    answer = archive_site.guest.get(address)
    assert answer.status == 200 and "was withdrawn after it was sent" in answer.text
    assert "The second text." not in answer.text and "Two" not in answer.text and ">Three</a>" in answer.text
    assert 'rel="prev"' in answer.text and "default-src 'none'" in answer.headers["content-security-policy"]
    reinstate(archive_site.kit.site, NOW + timedelta(hours=3), "two.md")
    assert "The second text." in archive_site.guest.get(address).text


def test_an_archive_of_many_issues_has_pages(archive_site: ArchiveSite) -> None:
    """Each page links the next older one."""
    with archive_site.kit.open() as db, db.write() as connection:
        (first,) = issues.list_issues(connection)
        for number in range(2, 124):
            slot = first.slot + timedelta(days=number)
            values = {"id": number, "number": number, "name": f"{slot:%Y-%m-%dT%H%M}", "slot": int(slot.timestamp())}
            columns = [one.name for one in issue.columns if one.name not in values]
            connection.execute(
                insert(issue).from_select(
                    [*values, *columns],
                    select(*[literal(one) for one in values.values()], *[issue.c[one] for one in columns]).where(
                        issue.c.id == first.id
                    ),
                )
            )
    seen: list[str] = []
    where = f"{BASE}/newsletters/daily/"
    pages = 0
    while where:
        page = archive_site.guest.get(where).text
        pages += 1
        seen += re.findall(r"No\. (\d+) ", page)
        more = re.findall(r'rel="next" href="([^"]+)"', page)
        assert ("Newest issues" in page) == (pages > 1)
        where = more[0] if more else ""
    assert pages == 3 and seen == [str(number) for number in range(123, 0, -1)]
    assert archive_site.guest.get(f"{BASE}/newsletters/daily/?before=nothing").status == 404


def test_a_newsletter_page_has_its_description_and_schedule(archive_site: ArchiveSite) -> None:
    """Subscribers know what to expect."""
    with_it = 'title = "The Daily"\ndescription = "What <b>matters</b>"\ncadence = "0 7 * * mon-fri"\ndeliver_at = "06:30 local"'
    path = archive_site.kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('title = "The Daily"', with_it))
    archive_site.reopen()
    for page in ("", "newsletters/", "newsletters/daily/"):
        text = archive_site.guest.get(f"{BASE}/{page}").text
        assert "What &lt;b&gt;matters" in text and "Weekdays at 07:00, with you at 06:30 on your own clock" in text


def test_a_date_keeps_its_order_beside_a_name_from_right_to_left(archive_site: ArchiveSite) -> None:
    """Readers would see the digits of a date beside an Arabic name in the wrong order."""
    archive_site.kit.article("cairo.md", "رغيف القاهرة", date="2026-11-22", author="ليلى منصور")
    archive_site.kit.publish(NOW + timedelta(hours=1))
    text = archive_site.guest.get(f"{BASE}/").text
    assert '<bdi>ليلى منصور</bdi> &middot; <bdi lang="en">22 November 2026</bdi>' in text


@pytest.mark.parametrize(
    ("formats", "suffix", "kind"),
    [('"rss"', "rss", "application/rss+xml"), ('"json", "rss"', "json", "application/feed+json")],
)
def test_pages_link_an_existing_feed(archive_site: ArchiveSite, formats: str, suffix: str, kind: str) -> None:
    """The link follows the configured formats."""
    archive_site.kit.add_settings(f"\n[feeds]\nformats = [{formats}]\n")
    archive_site.reopen()
    archive_site.kit.publish(NOW + timedelta(hours=1))
    for page in ("", "2026/11/one-b-only-b"):
        text = archive_site.guest.get(f"{BASE}/{page}").text
        assert f'type="{kind}" title="The Test Review" href="{BASE}/feeds/all.{suffix}"' in text
    opened = archive_site.guest.get(f"{BASE}/feeds/all.{suffix}", sec_fetch_dest="document").text
    assert f'<link rel="alternate" type="{kind}" href="{BASE}/feeds/all.{suffix}">' in opened


def test_drafts_and_approved_issues_have_no_public_page(archive_site: ArchiveSite) -> None:
    """An issue becomes public when its send opens."""
    kit = archive_site.kit
    path = kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('send = "auto"', 'send = "review"'))
    archive_site.reopen()
    kit.article("two.md", "Two")
    name = kit.draft_summary(now=NOW + timedelta(hours=1)).path.rpartition("/")[2]
    assert name == "next"
    addresses = [f"{BASE}/newsletters/daily/next/"]
    assert archive_site.guest.get(addresses[0]).status == 404
    addresses.append(f"{BASE}/newsletters/{kit.approve_issue(now=NOW + timedelta(hours=1))}/")
    for address in addresses:
        assert archive_site.guest.get(address).status == 404
        assert address not in archive_site.guest.get(f"{BASE}/newsletters/daily/").text
    open_approved(kit)
    assert [archive_site.guest.get(address).status for address in addresses] == [404, 200]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        ("/feeds", "/feeds/"),
        ("/newsletters", "/newsletters/"),
        ("/newsletters/daily", "/newsletters/daily/"),
        ("/newsletters/daily?before=x", "/newsletters/daily/?before=x"),
        ("/newsletters/confirm/?t=x", "/newsletters/confirm?t=x"),
        ("/2026/11/one-b-only-b/", None),
        ("/nothing", None),
        ("//review.example/newsletters", None),
    ],
)
def test_a_wrong_trailing_slash_is_redirected(archive_site: ArchiveSite, path: str, where: str | None) -> None:
    """The redirect stays on this host."""
    answer = archive_site.guest.get(BASE + path, host="evil.example")
    assert (answer.status, answer.headers.get("location")) == ((301, where) if where else (404, None))


@pytest.mark.parametrize(
    ("pattern", "path"),
    [("/issues/{digest}/{issue}", "/issues/daily/NAME"), ("/i/{issue}.html", "/i/NAME.html")],
)
def test_issue_urls_follow_the_settings(archive_site: ArchiveSite, pattern: str, path: str) -> None:
    """The site may choose the pattern."""
    settings = archive_site.kit.root / "publisher.toml"
    settings.write_text(settings.read_text().replace("[mail]\n", f'[mail]\nweb_view = "{BASE}{pattern}"\n'))
    archive_site.reopen()
    name = archive_site.kit.newest_issue().name
    assert archive_site.guest.get(BASE + path.replace("NAME", name)).status == 200


def test_a_web_view_of_another_program_is_not_a_page_here(archive_site: ArchiveSite) -> None:
    """A pattern that names the issue in its query string was a page that always failed."""
    settings = archive_site.kit.root / "publisher.toml"
    pattern = f'web_view = "{BASE}/view?issue={{issue}}"'
    settings.write_text(settings.read_text().replace("[mail]\n", f"[mail]\n{pattern}\n"))
    archive_site.reopen()
    assert archive_site.guest.get(f"{BASE}/view?issue={archive_site.kit.newest_issue().name}").status == 404


def test_a_site_below_a_path_is_served(kit: SiteKit) -> None:
    """All links contain the path."""
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace("https://review.example", "https://example.org/blog"))
    kit.article()
    kit.publish()
    web = Web(kit.site)
    guest = Visitor(web)
    assert guest.get("https://example.org/blog/").status == 200
    assert guest.get("https://example.org/blog/newsletters/").status == 200
    assert guest.get("https://example.org/blog/feeds/all.rss").status == 200
    assert guest.get("https://example.org/").status == 404
    web.close()


# -- feeds that were renamed, and those that somebody opens by hand ------------------------------------
