"""Attacks on the forms and pages, and how they are logged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from publisher.subscriptions import confirmation_store as confirmations
from publisher.web import Web
from tests.conftest import NOW, MailKit
from tests.support.clocks import ManualClock
from tests.support.smtp import Server
from tests.support.web_visitor import FORM, Visitor

BASE = "https://review.example/newsletters"
NASTY = "\"><script>alert(1)</script>'"


class Log:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def error(self, event: str, **said: Any) -> None:
        self.lines.append((event, said))

    info = warning = error


class AttackedSite:
    def __init__(self, kit: MailKit) -> None:
        self.kit = kit
        self.log = Log()
        self.web = Web(kit.site, clock=ManualClock(NOW), log=self.log)
        self.guest = Visitor(self.web)

    @property
    def confirmations(self) -> int:
        with self.kit.open() as db, db.read() as connection:
            return sum(confirmations.find(connection, number) is not None for number in range(1, 500))

    def join(self, address: str = "ann@mail.example.org", **headers: str) -> Any:
        return self.guest.post(f"{BASE}/join", {"address": address, "digest": "daily"}, **headers)


@pytest.fixture
def attacked_site(mail_kit: MailKit) -> Iterator[AttackedSite]:
    with Server() as server:
        mail_kit.mail(server.port)
        mail_kit.article("one.md", "One", topic="Water")
        mail_kit.article("two.md", NASTY.replace('"', "'"), topic="Trade <b>")
        mail_kit.publish()
        made = AttackedSite(mail_kit)
        yield made
        made.web.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "cross-site", "origin": "https://evil.example"},
        {"sec_fetch_site": "same-site", "origin": "https://other.review.example"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "https://review.example.evil.example"},
        {"origin": "http://["},
        {"origin": "://"},
    ],
)
def test_posts_from_other_sites_are_refused(attacked_site: AttackedSite, headers: dict[str, str]) -> None:
    """Browsers send the origin of a form."""
    answer = attacked_site.join(**headers)
    # The form is filled in, but people have to press the button on our page.
    assert answer.heading == "Subscribe by email" and "ann@mail.example.org" in answer.text
    assert attacked_site.confirmations == 0
    for page in ("confirm?t=x", "preferences?t=x"):
        assert attacked_site.guest.post(f"{BASE}/{page}", {"do": "erase"}, **headers).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec_fetch_site": "same-origin", "origin": "https://review.example"},
        {"sec_fetch_site": "none"},
        {"origin": "https://review.example"},
        {"origin": "http://localhost:8000", "host": "localhost:8000"},
    ],
)
def test_posts_from_our_own_pages_are_accepted(attacked_site: AttackedSite, headers: dict[str, str]) -> None:
    """Browsers without Fetch Metadata send Origin."""
    assert attacked_site.join(**headers).heading == "Check your email" and attacked_site.confirmations == 1


def test_an_embedding_site_may_post_the_subscribe_form(attacked_site: AttackedSite) -> None:
    """Only sites in ``web.embed`` may."""
    path = attacked_site.kit.root / "publisher.toml"
    path.write_text(path.read_text() + '\n[web]\nembed = ["https://www.shop.example"]\n')
    attacked_site.web.close()
    attacked_site.web = Web(attacked_site.kit.site, clock=ManualClock(NOW))
    attacked_site.guest = Visitor(attacked_site.web)
    attacked_site.join(sec_fetch_site="cross-site", origin="https://www.shop.example.evil.example")
    assert attacked_site.confirmations == 0
    attacked_site.join(sec_fetch_site="cross-site", origin="https://www.shop.example")
    assert attacked_site.confirmations == 1


@pytest.mark.slow(reason="load: ten thousand requests")
def test_ten_thousand_posts_of_one_address_send_one_confirmation_email(attacked_site: AttackedSite) -> None:
    """Further posts get status 429."""
    statuses = [attacked_site.join().status for _ in range(40)]
    assert statuses[:20] == [200] * 20 and set(statuses[20:]) == {429} and attacked_site.confirmations == 1
    refused = attacked_site.join()
    assert 0 < int(refused.headers["retry-after"]) <= 3601 and refused.heading == "Too many requests"
    # Another household is another client, until the limit of the network.
    neighbour = Visitor(attacked_site.web, "198.51.100.8")
    assert neighbour.post(f"{BASE}/join", {"address": "bob@mail.example.org", "digest": "daily"}).status == 200
    street = [Visitor(attacked_site.web, f"198.51.100.{number}") for number in range(10, 250)]
    answers = [one.post(f"{BASE}/join", {"address": "x", "digest": "daily"}).status for one in street]
    assert answers[0] == 422 and answers[-1] == 429
    other_form = Visitor(attacked_site.web, "198.51.100.7").post(f"{BASE}/confirm?t=x")
    assert other_form.status == 404


def test_one_mailbox_with_many_aliases_gets_three_confirmation_emails_a_day(attacked_site: AttackedSite) -> None:
    """Aliases are addresses of their own in the database."""
    names = ["ann+1", "Ann+2", "ann+3", "ann+4", "ANN+5", "ann+x+y", "bob+1"]
    answers = [
        Visitor(attacked_site.web, f"203.{number}.113.9").post(
            f"{BASE}/join", {"address": f"{name}@mail.example.org", "digest": "daily"}
        )
        for number, name in enumerate(names)
    ]
    # The response does not reveal it.
    assert {one.heading for one in answers} == {"Check your email"}
    assert attacked_site.confirmations == 4
    assert attacked_site.join("ann@mail.example.org").status == 200 and attacked_site.confirmations == 5


def test_other_spellings_of_one_mailbox_share_its_limit(attacked_site: AttackedSite) -> None:
    """Dots that a provider ignores and full-width letters share the limit of the mailbox."""
    names = [
        "a.nn@gmail.com",
        "an.n@gmail.com",
        "a.n.n@googlemail.com",
        "\uff41nn@gmail.com",
        "a\uff4en@gmail.com",
        "a.n.n+1@gmail.com",
    ]
    for number, name in enumerate(names):
        visitor = Visitor(attacked_site.web, f"203.{number}.113.9")
        answer = visitor.post(f"{BASE}/join", {"address": name, "digest": "daily"})
        assert answer.heading == "Check your email"
    assert attacked_site.confirmations == 3
    assert attacked_site.join("ann@gmail.com").status == 200 and attacked_site.confirmations == 4


def test_a_clock_set_back_resets_the_rate_limits(attacked_site: AttackedSite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of 2037 do not count in 2026."""
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 10 * 365 * 86_400)
    while (answer := attacked_site.join("ann@mail.example.org")).status != 429:
        pass
    assert answer.status == 429
    monkeypatch.setattr("time.time", lambda: now)
    assert attacked_site.join("bob@mail.example.org").status == 200


def test_all_clients_together_have_a_rate_limit(attacked_site: AttackedSite) -> None:
    """Many addresses cannot exceed it."""
    path = attacked_site.kit.root / "publisher.toml"
    path.write_text(path.read_text() + '\n[web]\njoin_limit = "5/hour"\n')
    attacked_site.web.close()
    attacked_site.web = Web(attacked_site.kit.site, clock=ManualClock(NOW))
    statuses = [
        Visitor(attacked_site.web, f"203.{number}.113.9")
        .post(f"{BASE}/join", {"address": f"reader{number}@mail.example.org", "digest": "daily"})
        .status
        for number in range(8)
    ]
    assert statuses == [200] * 5 + [429] * 3 and attacked_site.confirmations == 5
    # A person with a confirmation email can still confirm.
    assert Visitor(attacked_site.web, "203.9.113.9").post(f"{BASE}/confirm?t=x").status == 404


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2", True),
    ],
)
def test_a_household_is_one_client_for_rate_limits(
    attacked_site: AttackedSite, one: str, other: str, are_one: bool
) -> None:
    """An IPv6 household has a /64 network."""
    for _ in range(20):
        Visitor(attacked_site.web, one).post(f"{BASE}/confirm?t=x")
    status = Visitor(attacked_site.web, other).post(f"{BASE}/confirm?t=x").status
    assert (status == 429) == are_one


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"address=" + b"a" * 10_000_000, FORM, 413),
        (b"&".join(b"a%d=1" % number for number in range(500)), FORM, 413),
        (b"{}", "application/json", 415),
        (b"--x\r\n", "multipart/form-data; boundary=x", 415),
        (b"", "", 415),
        (b"address=%00%ff&digest=daily", FORM, 422),
        (b"\xff\xfe\x00", FORM, 422),
    ],
)
def test_form_bodies_are_limited_in_type_and_size(
    attacked_site: AttackedSite, body: bytes, kind: str, status: int
) -> None:
    """Other bodies get status 413 or 415."""
    answer = attacked_site.guest.request("POST", f"{BASE}/join", body, content_type=kind)
    assert answer.status == status and attacked_site.confirmations == 0 and attacked_site.log.lines == []


@pytest.mark.parametrize("name", ["address", "digest", "topics", "zone", "website", "unknown"])
def test_form_values_are_escaped(attacked_site: AttackedSite, name: str) -> None:
    """No value becomes markup."""
    fields = {"address": "ann@mail.example.org", "digest": "daily", name: NASTY}
    for headers in ({}, {"sec_fetch_site": "cross-site", "origin": "https://evil.example"}):
        answer = attacked_site.guest.post(f"{BASE}/join", fields, **headers)
        assert "<script>alert" not in answer.text and 'value=""><' not in answer.text
        assert "default-src 'none'" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    "url",
    [
        f"https://review.example/{NASTY}",
        f"{BASE}/join?digest={NASTY}",
        f"{BASE}/{NASTY}/",
        f"{BASE}/daily/{NASTY}/",
        f"{BASE}/confirm?t={NASTY}",
    ],
)
def test_values_in_urls_are_escaped(attacked_site: AttackedSite, url: str) -> None:
    """No value becomes markup or a header."""
    assert "<script>alert" not in attacked_site.guest.get(url).text


@pytest.mark.parametrize(
    "path",
    [
        "/../publisher.toml",
        "/newsletters/../../etc/passwd",
        "/newsletters/daily/../../../publisher.key/",
        "/newsletters/feed/../../publisher.key.rss",
        "/newsletters/%2e%2e/",
        "/newsletters/daily/\0/",
        "//evil.example/%2f..",
        "/\\evil.example",
        "//evil.example/newsletters",
        "/newsletters/..",
    ],
)
def test_no_path_leads_outside_or_redirects_to_another_server(attacked_site: AttackedSite, path: str) -> None:
    """The response is 404 without a Location header."""
    answer = attacked_site.guest.get("https://review.example" + path)
    assert answer.status == 404 and "location" not in answer.headers and b"secret" not in answer.body


def test_a_forged_host_header_is_not_used(attacked_site: AttackedSite) -> None:
    """Links use the configured URL."""
    for path in ("/", "/newsletters/", "/newsletters/join", "/feeds/all.rss", "/x"):
        answer = attacked_site.guest.get(
            "https://review.example" + path, host="evil.example", x_forwarded_host="evil.example"
        )
        assert b"evil.example" not in answer.body and "evil.example" not in str(answer.headers)


def test_no_header_can_be_injected_into_a_confirmation_email(attacked_site: AttackedSite) -> None:
    """Line breaks in an address are refused."""
    for address in ("ann@mail.example.org\r\nBcc: x@evil.example", "ann@mail.example.org%0aBcc:x@evil.example"):
        assert attacked_site.join(address).status == 422
    assert attacked_site.confirmations == 0


def test_an_internal_error_gives_500_and_is_logged_in_detail(
    attacked_site: AttackedSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page does not show the reason."""
    from publisher.api.articles import Articles

    def broken(*_: object) -> None:
        raise RuntimeError("the disk at /srv/secret is full")

    monkeypatch.setattr(Articles, "newest", broken)
    answer = attacked_site.guest.get("https://review.example/")
    assert answer.status == 500 and "on our side" in answer.text and "/srv/secret" not in answer.text
    ((event, said),) = attacked_site.log.lines
    assert event == "request failed" and "RuntimeError: the disk at /srv/secret is full" in said["reason"]


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"])
def test_other_methods_are_not_allowed(attacked_site: AttackedSite, method: str) -> None:
    """They get status 405."""
    for path in ("/", "/newsletters/join", "/newsletters/confirm"):
        assert attacked_site.guest.request(method, "https://review.example" + path).status == 405


def test_a_get_request_changes_nothing(attacked_site: AttackedSite) -> None:
    """Scanners and previews follow links."""
    attacked_site.guest.get(f"{BASE}/join?address=ann@mail.example.org&digest=daily")
    assert attacked_site.confirmations == 0


def test_a_client_that_disconnects_during_a_form_is_no_server_error(attacked_site: AttackedSite) -> None:
    """Nothing is logged as an error."""
    attacked_site.guest.disconnects = True
    attacked_site.join()
    assert attacked_site.log.lines == [] and attacked_site.confirmations == 0
