"""A site with an international host, and a sender whose name needs quotes: bytes that every program reads."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import cast

import dkim
import feedparser
import pytest

from publisher.mail.dkim import Signer, dns_record, new_key
from tests.conftest import MailKit
from tests.support.smtp import Server
from tests.support.use_cases import deliver

HOST = "zürich.example"
PUNY = "xn--zrich-kva.example"


@pytest.fixture
def site(mail_kit: MailKit) -> MailKit:
    text = (mail_kit.root / "publisher.toml").read_text("utf-8")
    text = text.replace("https://review.example", f"https://{HOST}")
    text = text.replace("The Test Review <news@review.example>", f"Zürich: Post, täglich <news@{HOST}>")
    mail_kit.settings(text)
    return mail_kit


def delivered(site: MailKit) -> bytes:
    """Deliver an issue to one subscriber, and return the message."""
    site.add_subscribers(1)
    site.issue("one")
    with Server() as server:
        site.mail(server.port)
        deliver(site.site, "daily")
        (accepted,) = server.accepted
    assert accepted.sender == f"news@{PUNY}"
    return accepted.data


def test_a_delivery_names_the_host_in_ascii_everywhere(site: MailKit) -> None:
    """From, Message-ID, List-Id, List-Help and List-Unsubscribe agree, and the name is whole."""
    message = cast("EmailMessage", message_from_bytes(delivered(site), policy=policy.default))
    (address,) = message["From"].addresses
    assert (address.display_name, address.addr_spec) == ("Zürich: Post, täglich", f"news@{PUNY}")
    assert str(message["Message-ID"]).endswith(f"@{PUNY}>")
    assert str(message["List-Id"]).endswith(f"<daily.{PUNY}>")
    assert message["List-Help"] == f"<https://{PUNY}/>"
    assert f"<mailto:news@{PUNY}?subject=" in message["List-Unsubscribe"]
    html = message.get_body(("html",))
    assert html is not None
    links = re.findall(r'(?:href|src)="([^"]+)"', html.get_content())
    assert links and all(link.isascii() for link in links)
    assert any(link.startswith(f"https://{PUNY}/") for link in links)


def test_a_dkim_signature_is_of_the_ascii_domain(site: MailKit) -> None:
    """Receivers look the key up under the name in the DNS."""
    key = new_key("rsa")
    (site.root / "key.pem").write_text(key)
    site.add_settings('\n[[dkim]]\nselector = "a"\nkey = { file = "key.pem" }\n')
    data = delivered(site)
    name, record = dns_record(Signer.read(key, domain=PUNY, selector="a"))
    asked = []

    def dns(question: bytes, timeout: int = 5) -> bytes:
        asked.append(question.decode().rstrip("."))
        return record.encode()

    assert dkim.verify(data, dnsfunc=dns)
    assert asked == [name]


def test_feeds_name_the_host_in_ascii(site: MailKit) -> None:
    """Self link, article links and the page of feeds are URIs, not IRIs."""
    site.article("one.md", "One")
    site.publish()
    for suffix in ("rss", "atom"):
        feed = feedparser.parse((site.root / "feeds" / f"all.{suffix}").read_bytes())
        assert feed.entries[0].link == f"https://{PUNY}/2026/11/one"
        selves = [link.href for link in feed.feed.links if link.rel == "self"]
        assert selves == [f"https://{PUNY}/feeds/all.{suffix}"]
    for path, data in site.staged().items():
        if path.startswith("feeds/") and not path.endswith((".gz", ".br")):
            assert f"https://{HOST}" not in data.decode(), path
