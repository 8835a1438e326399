"""The programs of docs/library.md, and the helpers for tests of other people."""

import os
import re
import runpy
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import publisher
from publisher import Publisher, SubscriptionRequest, check_feed, check_message, create_site, next_slot
from publisher.api.subject import Subject
from publisher.errors import SettingsError
from publisher.testing import SETTINGS, temporary_site
from tests.conftest import SiteKit

PAGE = (Path(__file__).parents[2] / "docs/library.md").read_text("utf-8")
ARTICLE = "---\ntitle: One\ndate: 2026-01-04\n---\nText.\n"


def program(name: str) -> str:
    """Return a program of the page."""
    [text] = re.findall(rf"```python\n(# {name}: .*?)```", PAGE, flags=re.DOTALL)
    return str(text)


def test_the_program_that_publishes_a_folder_runs(kit: SiteKit, tmp_path: Path) -> None:
    """It is what most scripts are for."""
    kit.article("one.md")
    kit.write("two.md", "---\ntitle: ''\n---\n")
    script = tmp_path / "publish_folder.py"
    script.write_text(program("publish_folder.py"))
    done = subprocess.run([sys.executable, script, kit.root], capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "daily No. 1: The Daily: One" in done.stdout and "1 new articles" in done.stdout
    assert done.stderr.startswith("skipped two.md: ")


def test_the_flask_view_asks_for_a_confirmation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A form that another person fills in subscribes no one."""
    with temporary_site() as site:
        monkeypatch.setenv("SITE", str(site.folder))
        script = tmp_path / "subscribe_view.py"
        script.write_text(program("subscribe_view.py"))
        client = runpy.run_path(str(script))["app"].test_client()
        assert client.post("/subscribe", data={"address": "ann@example.org"}).status_code == 202
        assert client.post("/subscribe", data={"address": "ann"}).status_code == 422
        assert list(site.publisher.subscribers.list()) == []
        site.clock.move(datetime.now(UTC) - site.clock.now() + timedelta(minutes=1))
        site.publisher.tick()
        [message] = site.mail.sent_to("ann@example.org")
        assert "/confirm?" in message.text


def test_the_flask_views_answer_the_links_in_emails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People confirm, choose and unsubscribe on the site's own pages."""
    with temporary_site(articles={"one.md": ARTICLE}) as site:
        monkeypatch.setenv("SITE", str(site.folder))
        script = tmp_path / "self_service.py"
        script.write_text(program("self_service.py"))
        application = runpy.run_path(str(script))
        client = application["app"].test_client()
        site.clock.move(datetime.now(UTC) - site.clock.now() - timedelta(minutes=1))
        request = SubscriptionRequest(digests=("daily",), zone="Asia/Tokyo")
        site.publisher.subscribers.request_subscription("ann@example.org", request)
        site.publisher.tick()
        link = _link(site.mail.sent.pop().text, "confirm")
        assert "subscribe: ann@example.org" in client.get(link).text
        assert list(site.publisher.subscribers.list()) == []
        preferences = _link(client.post(link).text, "preferences")
        assert "checked" in client.get(preferences).text
        site.publisher.digests.approve("daily")
        site.publisher.issues.send("daily")
        leave = _link(site.mail.sent.pop().text, "leave")
        assert "gets The Daily." in client.get(leave).text
        assert client.post(leave).text == "You are not subscribed to The Daily."
        assert "checked" not in client.get(preferences).text
        assert "Saved." in client.post(preferences, data={"digest": ["daily", "none"]}).text
        [person] = site.publisher.subscribers.list(status="active")
        assert (person.digests, person.zone) == (("daily",), "Asia/Tokyo")
        forged = f"{leave[:-4]}AAAA"
        assert client.get(forged).status_code == client.get("/newsletters/preferences?t=x").status_code == 404
        application["publisher"].close()


def _link(text: str, page: str) -> str:
    """Return the path and query of the link to a page."""
    [link] = {*re.findall(rf"https://review\.example(/newsletters/{page}\?[\w=&.;-]+)", text)}
    return str(link)


def test_the_test_of_a_newsletter_passes(tmp_path: Path) -> None:
    """People copy it as it is."""
    (tmp_path / "test_newsletter.py").write_text(program("test_newsletter.py"))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, env={**os.environ}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_page_names_every_subject_and_its_methods() -> None:
    """A method that is not described is not found."""
    with temporary_site() as site:
        subjects = {name: getattr(site.publisher, name) for name in dir(site.publisher) if not name.startswith("_")}
    for name, subject in subjects.items():
        if isinstance(subject, Subject):
            row = next(line for line in PAGE.splitlines() if line.startswith(f"| `publisher.{name}` |"))
            methods = [method for method in dir(subject) if not method.startswith("_")]
            assert [method for method in methods if f"`{method}()`" not in row] == []


def test_methods_have_the_signature_and_the_text_of_their_use_case() -> None:
    """``help()`` is the reference."""
    import inspect

    from publisher.api.subscribers import Subscribers

    assert list(inspect.signature(Subscribers.add).parameters)[:2] == ["self", "address"]
    assert Subscribers.add.__qualname__ == "Subscribers.add"
    assert (Subscribers.add.__doc__ or "").startswith("Add or update a subscriber")


def test_a_temporary_site_publishes_and_mails_without_a_server() -> None:
    """Its clock stands still, and its folder goes at the end."""
    with temporary_site(articles={"one.md": ARTICLE}) as site:
        site.publisher.subscribers.add("ann@example.org")
        assert site.publisher.publish().new == 1
        draft = site.publisher.digests.draft("daily")
        approval = draft.approve()
        assert approval.opened is not None and approval.opened.subscribers == 1
        site.publisher.issues.send("daily")
        [message] = site.mail.sent
        assert (message.recipient, message.message["Subject"]) == ("ann@example.org", "The Daily: One")
        assert "Text." in message.html and message.return_path
        assert site.publisher.now() == datetime(2026, 1, 5, 7, tzinfo=UTC)
    assert not site.folder.exists()


def test_a_temporary_site_recognises_bounces() -> None:
    """Programs test how they react to an address that does not exist."""
    with temporary_site(articles={"one.md": ARTICLE}) as site:
        site.publisher.subscribers.add("ann@example.org")
        site.publisher.digests.approve("daily")
        site.publisher.issues.send("daily")
        [message] = site.mail.sent
        status = "Reporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; ann@example.org\nAction: failed\nStatus: 5.1.1\n"
        report = f"To: {message.return_path}\nContent-Type: message/delivery-status\n\n{status}".encode()
        result = site.publisher.issues.process_messages([report])
        assert (result.hard, result.suppressed) == (1, ("ann@example.org",))


def test_a_draft_that_has_changed_is_not_approved() -> None:
    """An editor approves what they have seen."""
    with temporary_site(articles={"one.md": ARTICLE}) as site:
        site.publisher.subscribers.add("ann@example.org")
        draft = site.publisher.digests.draft("daily")
        site.write_article("one.md", ARTICLE.replace("One", "Two"))
        with pytest.raises(SettingsError, match="edited: Two"):
            draft.approve()


def test_a_use_case_of_the_whole_site_rolls_back_in_a_dry_run(kit: SiteKit) -> None:
    """A rehearsal writes no feed."""
    kit.article()
    with Publisher.open(kit.root, dry_run=True) as site:
        result = site.publish()
    assert result.dry_run and result.new == 1
    assert not (kit.root / "feeds/all.rss").exists()


def test_calls_take_values_of_enumerations_and_paths_as_text(tmp_path: Path) -> None:
    """Programs that no type checker reads pass text; a wrong one is an error and not another choice."""
    with temporary_site(articles={"one.md": ARTICLE}) as site:
        people, digests, issues = site.publisher.subscribers, site.publisher.digests, site.publisher.issues
        (tmp_path / "people.csv").write_text("address\nann@example.org\n")
        assert people.import_list(str(tmp_path / "people.csv")).added == 1
        with pytest.raises(ValueError, match="'later' is not a valid ApprovalTime"):
            digests.approve("daily", time="later")  # type: ignore[arg-type]
        digests.approve("daily", time="now")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="'drop' is not a valid UncertainPolicy"):
            issues.send("daily", uncertain="drop")  # type: ignore[arg-type]
        assert issues.send("daily", uncertain="skip").counts.accepted == 1  # type: ignore[arg-type]
        (tmp_path / "box").write_bytes(b"")
        assert issues.process_mailbox(path=str(tmp_path / "box")).messages == 0
    assert create_site(str(tmp_path / "new"), title="New", base_url="https://new.example")[0].is_file()


def test_the_feeds_of_an_article_are_named_by_url() -> None:
    """A site's own page of an article links to them."""
    text = ARTICLE.replace("---\nText", "topic: Water\nregion: Africa\n---\nText")
    settings = f'{SETTINGS}\n[feeds]\nby = ["topic"]\n[feeds.channels.africa]\ntitle = "Africa"\nregion = ["Africa"]\n'
    with temporary_site(settings=settings, articles={"one.md": text}) as site:
        site.publisher.publish()
        [article] = site.publisher.articles.newest(5)
        feeds = ["africa", "all", "topic/water"]
        assert site.publisher.feeds.of_article(article.seq) == [
            f"https://review.example/feeds/{name}" for name in feeds
        ]
        assert all((site.folder / "feeds" / f"{name}.rss").is_file() for name in feeds)
        site.publisher.articles.retract("one.md", "It was wrong.")
        assert site.publisher.feeds.of_article(article.seq) == []


def test_functions_without_a_site() -> None:
    """They check what another program has made."""
    assert [finding.id for finding in check_feed(b"<rss")] == ["well-formed"]
    assert "one-click" in [finding.id for finding in check_message(b"Subject: x\r\n\r\nHello\r\n")]
    friday = datetime(2026, 1, 2, 12, tzinfo=UTC)
    assert next_slot("0 7 * * mon", friday, zone="Europe/London") == datetime(2026, 1, 5, 7, tzinfo=UTC)
    with pytest.raises(ValueError, match="7 7"):
        next_slot("7 7", friday)


def test_the_page_promises_semantic_versions_of_the_public_names() -> None:
    """A program that uses a public name can be updated without fear."""
    assert "semantic versioning" in PAGE and "`publisher.__all__`" in PAGE
    assert publisher.__version__.count(".") == 2
