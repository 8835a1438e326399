"""The personal links of test messages and drafts explain themselves, and change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from publisher.signing.keyring import Keyring
from publisher.signing.sample_tokens import is_sample_token, sample_token
from publisher.storage.tables.base import metadata
from publisher.web import Web
from tests.conftest import NOW, MailKit
from tests.support.smtp import Server
from tests.support.use_cases import approve, send_draft_test
from tests.support.web_visitor import ReceivedEmail, Visitor, received_emails

QUERY = ("https://review.example/newsletters/leave", "https://review.example/newsletters/preferences")
PATH = ("https://review.example/leave/{copy}", "https://review.example/choose/{copy}/now")
NAMED = ("https://review.example/leave?x=1&c={copy}", "https://review.example/choose?c={copy}")
WEB_VIEW = "https://review.example/issues/{digest}/{issue}/"


def settle_links(kit: MailKit, pages: tuple[str, str], web_view: str = WEB_VIEW) -> None:
    """Set the personal links, and an editor."""
    links = f'unsubscribe = "{pages[0]}"\none_click = true\npreferences = "{pages[1]}"\nweb_view = "{web_view}"\n'
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace("[mail]\n", f'[mail]\neditors = ["ed@review.example"]\n{links}'))


def samples(kit: MailKit) -> list[ReceivedEmail]:
    """Send a draft and a test message, and return both."""
    with Server() as server:
        kit.mail(server.port, send="review")
        kit.draft("one")
        send_draft_test(kit.site, "daily", "test@review.example", NOW)
        return received_emails(server)


def links_of(email: ReceivedEmail) -> dict[str, str]:
    """Return label → URL of the lines of the plain text."""
    return dict(re.findall(r"^(Unsubscribe|Choose what you get|View in browser): (\S+)$", email.text, re.MULTILINE))


def content(kit: MailKit) -> dict[str, list[object]]:
    """Return all rows of the database."""
    with kit.open() as db, db.read() as connection:
        return {table.name: list(map(tuple, connection.execute(select(table)))) for table in metadata.sorted_tables}


@pytest.fixture
def visit(mail_kit: MailKit) -> Iterator[Callable[[], Visitor]]:
    """A function that opens the site with its current settings, and returns a visitor."""
    opened: list[Web] = []

    def visitor() -> Visitor:
        opened.append(Web(mail_kit.site))
        return Visitor(opened[-1])

    yield visitor
    for web in opened:
        web.close()


@pytest.mark.parametrize("pages", [QUERY, PATH, NAMED], ids=["query", "path", "named"])
def test_personal_links_of_tests_and_drafts_explain_themselves(
    mail_kit: MailKit, visit: Callable[[], Visitor], pages: tuple[str, str]
) -> None:
    """They are as in a delivery, lead to a page without a form, and no request changes the database."""
    kit = mail_kit
    settle_links(kit, pages)
    kit.add_subscribers(2)
    emails = samples(kit)
    assert [email.subject.partition(" ")[0] for email in emails] == ["[Draft]", "[Test]"]
    before, visitor = content(kit), visit()
    for email in emails:
        links = links_of(email)
        for url, pattern in zip((links["Unsubscribe"], links["Choose what you get"]), pages, strict=True):
            start, copy, end = pattern.partition("{copy}")
            assert re.fullmatch(re.escape(start) + ("" if copy else "[?]copy=") + "0[0-9a-f]{31}" + re.escape(end), url)
            page = visitor.get(url)
            assert (page.status, page.heading) == (200, "This link is personal")
            assert "In the mails of subscribers it leads to" in page.text and "<form" not in page.text
            assert page.headers["cache-control"] == "no-store" and page.headers["x-robots-tag"] == "noindex"
            # Only opening the link is answered: a form that is posted to it finds no subscriber.
            assert visitor.post(url, {"leave": "yes", "do": "erase"}).status == 404
        assert f"<{links['Unsubscribe']}>" in str(email.message["List-Unsubscribe"])
    assert content(kit) == before


def test_links_without_a_token_explain_themselves(mail_kit: MailKit, visit: Callable[[], Visitor]) -> None:
    """A staged issue has such links; a forged token is still not found."""
    settle_links(mail_kit, QUERY)
    mail_kit.draft("one")
    staged, visitor = (mail_kit.root / "outbox/daily/next/index.html").read_text(), visit()
    for url in QUERY:
        assert f'href="{url}"' in staged
        assert (visitor.get(url).status, visitor.get(url).heading) == (200, "This link is personal")
        assert visitor.get(f"{url}?copy={'a' * 32}").status == 404
        assert visitor.get(f"{url}?copy=0{'z' * 31}").status == 404
        assert visitor.post(url, {"all": "yes"}).status == 404
    assert visitor.get(f"{QUERY[1]}?t=").status == 404


def test_the_page_offers_to_subscribe_where_the_site_has_a_form(
    mail_kit: MailKit, visit: Callable[[], Visitor]
) -> None:
    """Without a mail server there is no form, and the page leads to the newsletters."""
    settle_links(mail_kit, QUERY)
    assert 'href="https://review.example/newsletters/"' in visit().get(QUERY[0]).text
    mail_kit.mail(1)
    assert 'href="https://review.example/newsletters/join"' in visit().get(QUERY[0]).text


def test_the_web_view_of_an_issue_that_is_not_public_explains_itself(
    mail_kit: MailKit, visit: Callable[[], Visitor]
) -> None:
    """The link of a test message leads to the issue once it is approved; other visitors get 404 until then."""
    kit = mail_kit
    settle_links(kit, QUERY)
    kit.add_subscribers(1)
    (draft, test), visitor = samples(kit), visit()
    for email in (draft, test):
        url = links_of(email)["View in browser"]
        assert (visitor.get(url).status, visitor.get(url).heading) == (200, "This issue is not public yet")
        assert visitor.get(url.partition("?")[0]).status == 404
        # The page does not tell whether there is such an issue.
        assert visitor.get(url.replace("2026", "2020", 1)).heading == "This issue is not public yet"
    approve(kit.site, "daily", NOW + timedelta(hours=1))
    assert "View as text" in visitor.get(links_of(test)["View in browser"]).text


def test_links_to_other_servers_stay_as_they_are_configured(mail_kit: MailKit) -> None:
    """A site whose pages are elsewhere gets its own addresses, with the token that they ask for."""
    kit = mail_kit
    pages = ("https://lists.elsewhere.example/u?id={copy}", "https://lists.elsewhere.example/p")
    settle_links(kit, pages, "https://read.elsewhere.example/{issue}")
    kit.add_subscribers(1)
    draft, test = samples(kit)
    for email in (draft, test):
        links = links_of(email)
        assert re.fullmatch(r"https://lists\.elsewhere\.example/u\?id=0[0-9a-f]{31}", links["Unsubscribe"])
        assert re.fullmatch(r"https://lists\.elsewhere\.example/p\?copy=0[0-9a-f]{31}", links["Choose what you get"])
        assert links["View in browser"] == "https://read.elsewhere.example/2026-11-20T0000"


@given(key=st.binary(min_size=16, max_size=40), issue=st.integers(0, 2**32 - 1), subscriber=st.integers(0, 2**32 - 1))
def test_no_delivery_has_a_sample_token(key: bytes, issue: int, subscriber: int) -> None:
    """A link of a subscriber is never taken for one of a test message, nor the other way round."""
    ring = Keyring(key=key)
    for token in (ring.delivery_token(issue, subscriber), ring.return_path_token(issue, subscriber)):
        assert not is_sample_token(token) and not is_sample_token(token.upper())
    token = sample_token(f"{issue} {subscriber}")
    assert is_sample_token(token) and is_sample_token(token.upper())
    assert ring.delivery_of_token(token) is None and ring.delivery_of_return_path(token) is None
