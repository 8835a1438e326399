"""The commands check, correct, retract, announce and hosting."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.test_cli import AT, run
from tests.conftest import SiteKit
from tests.support.copies import Copies
from tests.support.http_servers import run_web_server


def publish_water(kit: SiteKit) -> None:
    """Publish an article and an issue."""
    kit.article(topic="Water")
    kit.open_issue()


@pytest.fixture
def site(tmp_path: Path, copies: Copies) -> Iterator[SiteKit]:
    with copies.copy("default", publish_water, tmp_path / "site") as kit:
        yield kit


def test_check_reports_no_findings(site: SiteKit) -> None:
    """The feeds of a new site break no rule."""
    result = run("check", cwd=site.root)
    assert (result.returncode, result.stdout) == (0, "6 feeds checked, nothing found.\n")
    assert run("check", "feeds/", cwd=site.root).stdout == result.stdout
    printed = json.loads(run("check", "--json", cwd=site.root).stdout)
    assert printed == {"feeds": 6, "issues": [], "findings": [], "silenced": [], "unknown_silences": []}


def test_check_names_feed_entry_rule_and_fix(site: SiteKit) -> None:
    """A finding has the feed, line, entry and value, and the fix and source of its rule."""
    path = site.root / "feeds/all.rss"
    path.write_text(path.read_text().replace("<guid", '<category domain="x"/><nonsense/><guid'))
    result = run("check", "feeds/all.rss", cwd=site.root)
    assert result.returncode == 1
    assert result.stdout == (
        "error unknown-element\n"
        "  required: every element is defined by the format\n"
        "  found in feeds/all.rss:3: One: <nonsense>\n"
        "  fix: remove the element, or give it its namespace\n"
        "  source: https://validator.w3.org/feed/docs/error/UndefinedElement.html\n"
        "\n"
        "1 feed checked, 1 finding.\n"
    )


def test_check_counts_many_findings_of_a_rule(site: SiteKit) -> None:
    """The first ten findings of a rule are listed, the others are counted."""
    path = site.root / "feeds/all.rss"
    path.write_text(path.read_text().replace("<guid", "<nonsense/>" * 14 + "<guid"))
    result = run("check", "feeds/all.rss", cwd=site.root)
    assert "… and 4 more; --json lists them all" in result.stdout


def test_check_escapes_control_characters_of_a_feed(site: SiteKit) -> None:
    """Escape sequences in a feed do not reach the terminal."""
    path = site.root / "feeds/all.json"
    path.write_text(path.read_text().replace('"title":"One"', '"title":"One \\u001b[2J \\u0007","x":"y"'))
    result = run("check", "feeds/all.json", cwd=site.root)
    assert "One [2J : x" in result.stdout and "\x1b" not in result.stdout


def test_check_outside_of_a_site_needs_a_target(tmp_path_factory: pytest.TempPathFactory, site: SiteKit) -> None:
    """Outside of a site a file or a URL must be named, and a server that does not answer is a failure."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    result = run("check", cwd=elsewhere)
    assert result.returncode == 2 and "publisher.toml" in result.stderr
    result = run("check", str(site.root / "feeds/all.atom"), cwd=elsewhere)
    assert result.stdout == "1 feed checked, nothing found.\n"
    result = run("check", "nothing.rss", cwd=elsewhere)
    assert result.returncode == 2 and "nothing.rss does not exist" in result.stderr
    result = run("check", "http://127.0.0.1:9/x.rss", cwd=elsewhere)
    assert result.returncode == 3 and "does not answer" in result.stderr


def test_correct_lists_its_changes(site: SiteKit) -> None:
    """The output names the article, the written files, and the issues with the old text."""
    result = run("correct", "one.md", "--note", "It was 14.", "--at", "2026-11-23T08:00", cwd=site.root)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:2] == ["Corrected: One", "  https://review.example/2026/11/one"]
    assert lines[3] == "  6 files written"
    assert lines[4:] == [
        "  This issue contains the old version; mail that was sent cannot be recalled:",
        f"    outbox/{site.newest_issue().path}",
    ]
    as_json = json.loads(
        run("correct", "one", "--note", "x", "--json", "--at", "2026-11-23T09:00", cwd=site.root).stdout
    )
    assert as_json["title"] == "One" and as_json["publish"]["feeds"]["files"] == 11
    result = run("correct", "two.md", "--note", "x", cwd=site.root)
    assert result.returncode == 2 and "no article matches 'two.md'" in result.stderr
    assert run("correct", "one.md", cwd=site.root).returncode == 2


def test_retract_and_undo_list_their_changes(site: SiteKit) -> None:
    """The output names the page of the withdrawn article; a withdrawal can be undone once."""
    result = run("retract", "one.md", "--reason", "Made up.", "--at", "2026-11-23T08:00", cwd=site.root)
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("Withdrawn: One\n")
    assert "  its URL now responds with 410 and feeds/gone/2026/11/one.html\n" in result.stdout
    assert "1 article" not in run("status", cwd=site.root).stdout
    result = run("retract", "one.md", "--undo", "--at", "2026-11-23T09:00", "--json", cwd=site.root)
    assert json.loads(result.stdout)["gone"] is None
    for wrong in (["one.md"], ["one.md", "--undo", "--reason", "x"]):
        result = run("retract", *wrong, cwd=site.root)
        assert result.returncode == 2 and "use either --reason REASON or --undo" in result.stderr


def test_retract_names_a_url_on_another_host(kit: SiteKit) -> None:
    """The output says that the other host must answer 410."""
    kit.article(url="https://other.example/x")
    run("now", "--at", AT, cwd=kit.root)
    result = run("retract", "one.md", "--reason", "x", "--at", AT, cwd=kit.root)
    assert "make that server respond with status 410" in result.stdout


def test_announce_lists_the_notified_hubs(kit: SiteKit) -> None:
    """Notified and waiting feeds are counted, and failures have their reasons."""
    kit.article()
    assert "No hubs to notify. Add them under [announce]" in run("announce", cwd=kit.root).stdout
    with run_web_server() as web:
        kit.add_settings(f'\n[feeds]\nurl = "{web.url}/feeds"\n[announce]\nhubs = ["{web.url}/hub"]\ntimeout = 2\n')
        result = run("now", "--at", AT, cwd=kit.root)
        assert "  3 announcements waiting: the changed feeds are not live yet" in result.stdout
        assert result.returncode == 0
        web.folder = kit.root / "feeds"
        assert run("announce", cwd=kit.root).stdout == "  announced 3 changed feeds\n"
        assert run("announce", cwd=kit.root).stdout == "Nothing to announce.\n"
        web.post_statuses = [500]
        kit.article(title="Edited")
        result = run("now", "--at", "2026-11-23T08:00", "--json", cwd=kit.root)
        found = json.loads(result.stdout)["announced"]
        assert (found["sent"], found["waiting"], len(found["failed"])) == (0, 3, 3)
        assert json.loads(run("announce", "--json", cwd=kit.root).stdout)["waiting"] == 3


@pytest.mark.parametrize("server", ["nginx", "caddy", "apache"])
def test_hosting_prints_settings(site: SiteKit, server: str) -> None:
    """Settings are printed for each of the three web servers."""
    result = run("hosting", server, cwd=site.root)
    assert result.returncode == 0 and result.stdout.startswith("# Feeds of The Test Review for ")
    assert str(site.root / "feeds") in result.stdout
    assert run("hosting", "iis", cwd=site.root).returncode == 2
