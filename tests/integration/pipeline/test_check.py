"""publish check: folders, files and URLs."""

from __future__ import annotations

import gzip
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from publisher.errors import RemoteError, SettingsError
from publisher.feeds.formats.entry import Entry
from publisher.feeds.formats.entry import render_entry as real_entry
from publisher.feeds.site_info import SiteInfo
from publisher.model.articles import Article
from tests.conftest import NOW, SiteKit, titles
from tests.support.http_servers import run_web_server
from tests.support.use_cases import check_site

GOOD = b"""<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en"><id>urn:f</id><title>T</title>
<updated>2026-11-20T06:30:00Z</updated><author><name>A</name></author>
<link href="@" rel="self" type="application/atom+xml"/></feed>"""


def test_every_staged_feed_is_checked_without_findings(kit: SiteKit) -> None:
    """The report counts every staged feed."""
    kit.add_settings("\n[feeds]\nlimit = 3\n")
    for number in range(40):
        kit.article(f"{number}.md", title=f"T{number}", tags=f"[tag {number % 9}]")
    kit.publish()
    report = check_site(kit.site, [], NOW)
    feeds = [path for path in kit.staged() if path.endswith((".rss", ".atom", ".json")) and path.startswith("feeds/")]
    assert (report.findings, report.feeds) == (0, len(feeds)) and len(feeds) > 60


def test_a_finding_names_the_file_and_the_entry(kit: SiteKit) -> None:
    """The place leads to the cause."""
    kit.article(date="2026-12-24")
    kit.publish(NOW + timedelta(days=60))
    report = check_site(kit.site, [str(kit.root / "feeds/all.rss")], NOW)
    (one,) = report.faulty
    assert one.name.endswith("feeds/all.rss") and [found.entry for found in one.findings] == ["", "One"]
    assert report.as_dict()["findings"][1]["rule"] == "future-date"
    assert report.as_dict()["findings"][1]["file"] == one.name


def test_a_wrong_self_link_and_a_missing_archive_page_are_findings(kit: SiteKit) -> None:
    """Both break feed readers that follow the links."""
    kit.add_settings("\n[feeds]\nlimit = 1\n")
    kit.article("a.md")
    kit.article("b.md", title="B")
    kit.publish()
    os.replace(kit.root / "feeds/all.rss", kit.root / "feeds/moved.rss")
    (kit.root / "feeds/archive/all/1.atom").unlink()
    found = {(Path(one.name).name, two.id) for one in check_site(kit.site, [], NOW).faulty for two in one.findings}
    assert found == {("moved.rss", "self-link"), ("2.atom", "history-link")}


def test_a_missing_target_is_an_error(kit: SiteKit) -> None:
    """A misspelt name is not an empty result."""
    with pytest.raises(SettingsError, match="does not exist"):
        check_site(kit.site, ["nowhere"], NOW)
    with pytest.raises(SettingsError, match="name a folder"):
        check_site(None, [], NOW)


def test_a_folder_outside_a_site_can_be_checked(tmp_path: Path) -> None:
    """Only files with a feed's suffix are checked."""
    (tmp_path / "a.atom").write_bytes(GOOD.replace(b"@", b"https://r.example/a"))
    (tmp_path / "b.rss").write_bytes(b"<rss>")
    (tmp_path / "c.txt").write_bytes(b"not looked at")
    report = check_site(None, [str(tmp_path)], NOW)
    assert report.feeds == 2 and [found.id for one in report.faulty for found in one.findings] == ["well-formed"]


def test_a_url_is_checked_with_its_media_type_and_redirects(kit: SiteKit) -> None:
    """Conditional requests are checked too."""
    with run_web_server() as web:
        body = GOOD.replace(b"@", f"{web.url}/a".encode())
        web.pages = {
            "/a": (200, {"Content-Type": "application/atom+xml; charset=utf-8"}, body),
            "/typed": (200, {"Content-Type": "text/html"}, body),
            "/gzipped": (
                200,
                {"Content-Type": "application/atom+xml", "Content-Encoding": "gzip"},
                gzip.compress(body),
            ),
            "/moved": (302, {"Location": "/a"}, b""),
            "/page": (200, {"Content-Type": "text/html"}, b"<html>"),
        }

        for status, headers, data in list(web.pages.values()):
            headers["ETag"] = f'"{len(data)}{status}"'

        def found(path: str) -> list[str]:
            return [one.id for two in check_site(None, [web.url + path], NOW).faulty for one in two.findings]

        assert found("/a") == found("/moved") == []
        assert found("/typed") == ["media-type", "self-link"]
        assert found("/gzipped") == ["self-link"]
        assert found("/page") == ["well-formed"]
        web.ignores_conditions = True
        assert found("/a") == ["not-modified"]
        del web.pages["/a"][1]["ETag"]
        assert found("/a") == ["not-modified"]
        web.folder = Path("/nowhere")
        with pytest.raises(RemoteError, match="responds with status 404"):
            check_site(None, [web.url + "/gone"], NOW)
    with pytest.raises(RemoteError, match="the server does not answer"):
        check_site(None, [web.url + "/a"], NOW)


def test_a_good_entry_is_never_replaced_by_one_that_breaks_a_rule(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old entry stays, the article is named, everything else is published."""

    def faulty(article: Article, site_info: SiteInfo) -> Entry:
        made = real_entry(article, site_info)
        if "Bad" not in article.title:
            return made
        return Entry(body=made.body, rss=made.rss.replace(b"guid", b"nonsense"), atom=made.atom, json=made.json)

    kit.article("a.md", title="Was good")
    kit.publish()
    before = kit.staged().get("feeds/tag/x.rss", None)
    kit.article("a.md", title="Bad edit", tags="[X]")
    kit.article("b.md", title="Other", tags="[X]")
    with monkeypatch.context() as patch:
        patch.setattr("publisher.feeds.formats.entry.render_entry", faulty)
        report = kit.publish()
        assert sorted(titles(kit)) == ["Other", "Was good"]
        assert report.exit_status == 1 and report.rejected[0].where == "a.md"
        assert "'Bad edit': its feed entry was not made: unknown-element: <nonsense>" in report.rejected[0].reason
        assert [one.where for one in kit.publish().rejected] == [report.rejected[0].where]
    assert before is None
    report = kit.publish()
    assert sorted(titles(kit)) == ["Bad edit", "Other"] and report.exit_status == 0
    assert check_site(kit.site, [], NOW).findings == 0


def test_a_feed_whose_head_breaks_a_rule_stays_as_it_was(kit: SiteKit, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other feeds are staged."""
    from publisher.feeds.formats.xml_frame import render_frame

    kit.article("a.md", tags="[T]")
    kit.publish()
    before = kit.staged()

    def faulty(definition: Any, *arguments: Any) -> tuple[bytes, bytes]:
        head, tail = render_frame(definition, *arguments)
        return (head.replace(b"<language>en</language>", b"") if definition.slug == "t" else head), tail

    with monkeypatch.context() as patch:
        patch.setattr("publisher.feeds.formats.xml_frame.render_frame", faulty)
        kit.article("b.md", title="Two", tags="[T]")
        report = kit.publish()
    after = kit.staged()
    assert after["feeds/tag/t.rss"] == before["feeds/tag/t.rss"]
    assert after["feeds/tag/t.atom"] != before["feeds/tag/t.atom"]
    assert [(one.where, one.reason.split(";")[0]) for one in report.rejected] == [
        ("feeds/tag/t.rss", "was not updated: language: language None")
    ]
    assert kit.publish().exit_status == 0 and len(titles(kit, "tag/t")) == 2
