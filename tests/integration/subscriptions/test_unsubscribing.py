"""The unsubscribe page: one-click POST, button, undo; a GET changes nothing."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from publisher.digests import store
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.web import Web, forms
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.copies import Copies
from tests.support.use_cases import erase_subscriber, suppress_by_operator
from tests.unit.web.test_web import Answer, ask

PAGE = "https://review.example/newsletters/leave"


def furnish_leaving(kit: MailKit, page: str = PAGE) -> None:
    """Give a new site an unsubscribe page, and a subscriber of two newsletters with an issue of each."""
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace("[mail]\n", f'[mail]\nunsubscribe = "{page}"\none_click = true\n'))
    kit.add_settings('\n[digests.other]\ntitle = "The <b>Other</b> & Co"\n')
    kit.add_subscribers(1, digests=("daily", "other"))
    kit.articles("one")
    kit.open_issues()


class Leaving:
    """A site with an unsubscribe page, and a subscriber with a delivery."""

    def __init__(self, kit: MailKit) -> None:
        """Take a site of ``furnish_leaving``."""
        self.kit = kit
        self.person = 1
        with kit.open() as db, db.write() as connection:
            rows = {row.digest: row.id for row in store.list_issues(connection)}
            ring = keyring(kit.site, connection)
            self.passes = {digest: ring.delivery_token(number, self.person) for digest, number in rows.items()}
        self.copy = self.passes["daily"]
        self.web = Web(kit.site)

    def ask(
        self,
        method: str = "GET",
        body: bytes = b"",
        copy: str | None = None,
        path: str = "/newsletters/leave",
        **query: str,
    ) -> Answer:
        sent: list[dict[str, Any]] = []
        parts = [body[at : at + 4000] for at in range(0, len(body), 4000)] or [b""]

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            part = parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(parts)}

        asked = "&".join(f"{key}={value}" for key, value in (query or {"copy": copy or self.copy}).items())
        scope = {"type": "http", "method": method, "path": path, "query_string": asked.encode(), "headers": []}
        asyncio.run(self.web(scope, receive, send))
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], headers, b"".join(one.get("body", b"") for one in sent[1:]))

    @property
    def follows(self) -> set[str]:
        with self.kit.open() as db, db.read() as connection:
            found = subscribers.find_subscriber(connection, self.person)
            return set(found.digests) if found else set()


@pytest.fixture(params=["sqlite", "postgresql"])
def leaving(request: pytest.FixtureRequest, tmp_path: Path, copies: Copies) -> Iterator[Leaving]:
    """A site with an unsubscribe page, on SQLite and on PostgreSQL."""
    with copies.copy(request.param, furnish_leaving, tmp_path / "site") as kit:
        made = Leaving(kit)
        yield made
        made.web.close()


def test_a_get_request_never_unsubscribes(leaving: Leaving) -> None:
    """Link scanners of mail providers fetch every link."""
    for method in ("GET", "HEAD", "GET"):
        answer = leaving.ask(method)
        assert answer.status == 200
    assert b"Unsubscribe from The Daily?" in answer.body and "r…\u2060@mail.example.org" in answer.body.decode()
    assert b"reader0@" not in answer.body
    assert leaving.follows == {"daily", "other"}


@pytest.mark.parametrize(
    "body",
    [
        b"List-Unsubscribe=One-Click",
        b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n',
        b"leave=yes",
        b"",
        b"&".join(b"a%d=1" % number for number in range(50)),
    ],
)
def test_a_one_click_post_unsubscribes(leaving: Leaving, body: bytes) -> None:
    """RFC 8058: a POST without cookies, redirects or a login."""
    answer = leaving.ask("POST", body)
    assert answer.status == 200 and b"You have unsubscribed from The Daily" in answer.body
    assert leaving.follows == {"other"}
    # Again, as mail programs do that got no answer.
    assert leaving.ask("POST", body).status == 200
    assert leaving.follows == {"other"}


@pytest.mark.postgresql
def test_an_unsubscription_can_be_undone_or_extended_to_everything(leaving: Leaving) -> None:
    """The page of the link offers both."""
    leaving.ask("POST", b"leave=yes")
    answer = leaving.ask("POST", b"back=yes")
    assert b"Welcome back" in answer.body and leaving.follows == {"daily", "other"}
    answer = leaving.ask("POST", b"all=yes")
    assert leaving.follows == set() and b"still follow" not in answer.body


def test_titles_are_escaped_on_the_unsubscribe_page(leaving: Leaving) -> None:
    """A title with markup is shown as text."""
    answer = leaving.ask(copy=leaving.passes["other"])
    assert b"Unsubscribe from The &lt;b&gt;Other&lt;/b&gt; &amp; Co?" in answer.body and b"<b>" not in answer.body


@pytest.mark.parametrize("copy", ["x", "a" * 32, "%00", "<script>", "2" * 5000])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_forged_delivery_token_does_nothing(leaving: Leaving, method: str, copy: str) -> None:
    """It is answered with 404."""
    answer = leaving.ask(method, b"leave=yes", copy=copy)
    assert answer.status == 404 and b"Link not found" in answer.body and b"<script" not in answer.body
    assert leaving.follows == {"daily", "other"}


@pytest.mark.postgresql
def test_a_forged_token_does_not_take_the_write_lock(leaving: Leaving) -> None:
    """Anybody can post: such requests must not block others."""
    leaving.ask("GET")
    with leaving.kit.open() as db, db.write():
        assert leaving.ask("POST", b"leave=yes", copy="a" * 32).status == 404
        assert leaving.ask("POST", b"back=yes", copy="a" * 32).status == 404


def test_a_delivery_token_works_in_any_case(leaving: Leaving) -> None:
    """Mail servers may change the case of an address."""
    assert leaving.ask("POST", copy=leaving.copy.upper()).status == 200
    assert leaving.follows == {"other"}


def test_an_erased_person_cannot_resubscribe_by_the_link(leaving: Leaving) -> None:
    """The page shows them as unsubscribed."""
    erase_subscriber(leaving.kit.site, "reader0@mail.example.org", NOW)
    answer = leaving.ask("POST", b"back=yes")
    assert answer.status == 200 and b"You have unsubscribed from The Daily" in answer.body
    assert b"<button" not in answer.body and leaving.follows == set()


def test_a_suppressed_person_cannot_resubscribe_by_the_link(leaving: Leaving) -> None:
    """The page shows them as unsubscribed."""
    suppress_by_operator(leaving.kit.site, "reader0@mail.example.org", NOW)
    answer = leaving.ask("POST", b"back=yes")
    assert b"You have unsubscribed from The Daily" in answer.body and b"<button" not in answer.body


def test_the_unsubscribe_page_has_no_scripts_frames_caching_or_indexing(leaving: Leaving) -> None:
    """Its headers forbid all four."""
    answer = leaving.ask()
    policy = answer.headers["content-security-policy"]
    style = answer.body.partition(b"<style>")[2].partition(b"</style>")[0]
    assert base64.b64encode(hashlib.sha256(style).digest()).decode() in policy
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src" not in policy
    assert b"<script" not in answer.body and b"http-equiv" not in answer.body
    expected = {"referrer-policy": "same-origin", "cache-control": "no-store", "x-robots-tag": "noindex"}
    assert expected.items() <= answer.headers.items()


def test_a_form_body_is_bounded(leaving: Leaving, monkeypatch: pytest.MonkeyPatch) -> None:
    """A larger body is rejected with 413, a slow one with 408."""
    assert leaving.ask("POST", b"x" * 10_000_000).status == 413
    assert leaving.ask("PUT").status == 405
    monkeypatch.setattr(forms, "READ_TIMEOUT_SECONDS", 0.05)
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        await asyncio.sleep(5)

    scope = {"type": "http", "method": "POST", "path": "/newsletters/leave", "query_string": b"", "headers": []}
    asyncio.run(leaving.web(scope, receive, send))
    assert sent[0]["status"] == 408
    assert leaving.follows == {"daily", "other"}


@pytest.mark.parametrize(
    ("page", "path", "query"),
    [
        ("https://review.example/l/{copy}", "/l/COPY", {}),
        ("https://review.example/l/{copy}/bye", "/l/COPY/bye", {}),
        ("https://review.example/leave?c={copy}&x=1", "/leave", {"c": "COPY", "x": "1"}),
        ("https://review.example/", "/", {"copy": "COPY"}),
    ],
)
def test_the_unsubscribe_url_is_the_one_in_the_settings(
    mail_kit: MailKit, page: str, path: str, query: dict[str, str]
) -> None:
    """The path of mail.unsubscribe is served."""
    furnish_leaving(mail_kit, page)
    leaving = Leaving(mail_kit)
    filled = {key: value.replace("COPY", leaving.copy) for key, value in query.items()} or {"x": "y"}
    answer = leaving.ask("POST", path=path.replace("COPY", leaving.copy), **filled)
    leaving.web.close()
    assert answer.status == 200 and leaving.follows == {"other"}


def test_a_site_without_a_web_page_for_unsubscribing_serves_none(kit: SiteKit) -> None:
    """A site without newsletters, or with a mailto address, has no such page."""
    assert ask(Web(kit.site), "/newsletters/leave").status == 404
    kit.settings(
        (kit.root / "publisher.toml").read_text().replace("[mail]\n", '[mail]\nunsubscribe = "mailto:a@b.example"\n')
    )
    assert ask(Web(kit.site), "/newsletters/leave").status == 404


def test_the_link_in_a_sent_message_opens_the_unsubscribe_page(mail_kit: MailKit) -> None:
    """The delivered message and the server agree on the URL."""
    from email import message_from_bytes
    from urllib.parse import parse_qs, urlsplit

    from tests.support.smtp import Server
    from tests.support.use_cases import deliver

    furnish_leaving(mail_kit)
    leaving = Leaving(mail_kit)
    with Server() as server:
        mail_kit.mail(server.port)
        deliver(mail_kit.site, "daily")
        (copy,) = server.accepted
    header = str(message_from_bytes(copy.data)["List-Unsubscribe"])
    address = re.findall(r"<(https://[^>]+)>", header)[0]
    parts = urlsplit(address)
    query = {key: values[0] for key, values in parse_qs(parts.query).items()}
    answer = leaving.ask("POST", b"List-Unsubscribe=One-Click", path=parts.path, **query)
    leaving.web.close()
    assert answer.status == 200 and leaving.follows == {"other"}
