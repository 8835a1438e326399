"""Invisible characters around an address are dropped wherever an address is typed or pasted."""

from __future__ import annotations

import pytest

from tests.conftest import NOW, MailKit
from tests.support import use_cases as action
from tests.support.smtp import Server
from tests.support.subscriber_site import ANN, BASE, SubscriberSite
from tests.support.use_cases import delivery_history, import_list, send_draft_test


def addresses(kit: MailKit) -> list[str]:
    return sorted(one.address for one in action.list_subscribers(kit.site, status="active"))


@pytest.mark.postgresql
def test_a_pasted_address_is_the_same_subscriber_in_every_command(any_mail_kit: MailKit) -> None:
    """Import, add, trace, test message, suppress and forget read an address alike."""
    kit = any_mail_kit
    kit.mail(1, send="review")
    path = kit.root / "list.csv"
    path.write_text(
        "\ufeffEmail;digests\r\nann@mail.example.org\u00a0;daily\r\nbo@mail.example.org\u200b;daily\r\n"
        "\tcy@mail.example.org;daily\r\n",
        "utf-8",
    )
    assert import_list(kit.site, path, NOW).added == 3
    assert addresses(kit) == ["ann@mail.example.org", "bo@mail.example.org", "cy@mail.example.org"]
    assert action.add_subscriber(kit.site, "\ufeffann@mail.example.org\u2060", NOW).address == "ann@mail.example.org"
    kit.issue("one")
    assert delivery_history(kit.site, "daily", "\u200eann@mail.example.org\u3000").address == "ann@mail.example.org"
    with Server() as server:
        kit.settings((kit.root / "publisher.toml").read_text("utf-8").replace("port = 1\n", f"port = {server.port}\n"))
        kit.draft("two")
        send_draft_test(kit.site, "daily", "Ed <\u00a0ed@mail.example.org\u200b>", NOW)
        assert server.recipients == ["ed@mail.example.org"]
    assert action.suppress_by_operator(kit.site, "\u200bbo@mail.example.org ", NOW)
    assert action.erase_subscriber(kit.site, "cy@mail.example.org\u2003", NOW)
    assert addresses(kit) == ["ann@mail.example.org"]


def test_a_pasted_address_gets_its_confirmation_email(subscriber_site: SubscriberSite) -> None:
    """The form takes what is copied from a web page; the subscriber is the same one afterwards."""
    answer = subscriber_site.subscribe(f"\u00a0{ANN}\u200b", ("daily",))
    assert (answer.status, answer.heading) == (200, "Check your email")
    (email,) = subscriber_site.deliver_emails()
    assert email.recipient == ANN
    subscriber_site.visitor.post(email.link, {"yes": "yes"})
    assert subscriber_site.subscriber() is not None


def test_the_form_names_an_invisible_character_inside_an_address(subscriber_site: SubscriberSite) -> None:
    """Nobody is mailed at an address that was guessed."""
    answer = subscriber_site.visitor.post(f"{BASE}/join", {"address": ANN.replace("@", "\u200b@"), "digest": "daily"})
    assert answer.status == 422
    assert "ZERO WIDTH SPACE (U+200B)" in answer.text
    assert subscriber_site.deliver_emails() == []
