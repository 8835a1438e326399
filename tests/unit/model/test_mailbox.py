"""Addresses with display names, as in settings."""

from __future__ import annotations

from email import message_from_string, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.model.mailbox import Mailbox, parse_mailbox

NAME = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=60).map(str.strip)


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("news@example.org", ""),
        ("  news@example.org ", ""),
        ("<news@example.org>", ""),
        ("The Review <news@example.org>", "The Review"),
        ("The Review: Morning <news@example.org>", "The Review: Morning"),
        ("Review, The <news@example.org>", "Review, The"),
        ('"Review, The" <news@example.org>', "Review, The"),
        ('The "Good" Review <news@example.org>', 'The "Good" Review'),
        (r'"The \"Good\" Review" <news@example.org>', 'The "Good" Review'),
        ("The Review (London) <news@example.org>", "The Review (London)"),
        ("The Review; Ltd. @ London <news@example.org>", "The Review; Ltd. @ London"),
        ("news@example.org <news@example.org>", "news@example.org"),
        ('"A <b> c" <news@example.org>', "A <b> c"),
        ("Zürich: Tages-Post <news@example.org>", "Zürich: Tages-Post"),
        ("undisclosed:; <news@example.org>", "undisclosed:;"),
        ("Back\\slash <news@example.org>", "Back\\slash"),
        ("<news@example.org >", ""),
    ],
)
def test_quotes_around_a_display_name_are_optional(typed: str, name: str) -> None:
    """RFC 5322 requires them for some characters; settings do not."""
    assert parse_mailbox(typed) == Mailbox(name=name, address="news@example.org")


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "nobody",
        "news@example",
        "a@example.org, b@example.org",
        "A <a@example.org>, B <b@example.org>",
        "group: a@example.org;",
        "The Review news@example.org",
        "news@example.org (The Review)",
        "The Review <news@example.org",
        "The Review <news@example.org> (London)",
        "The Review <>",
        '"a b"@example.org',
        "a b@example.org",
        "news@[127.0.0.1]",
        "news@@example.org",
    ],
)
def test_anything_but_one_address_is_rejected_with_an_example(typed: str) -> None:
    """The message shows both accepted forms."""
    with pytest.raises(ValueError, match=r"must be one email address, as in .* or The Review <news@example.org>"):
        parse_mailbox(typed)


def test_an_international_domain_becomes_punycode() -> None:
    """The local part stays as it is."""
    found = parse_mailbox("Zürich <post@zürich.example>")
    assert (found.address, found.domain) == ("post@xn--zrich-kva.example", "xn--zrich-kva.example")


@given(NAME)
def test_a_mailbox_survives_a_round_trip(name: str) -> None:
    """Any display name can be quoted and parsed again."""
    found = Mailbox(name=name, address="news@example.org")
    assert parse_mailbox(str(found)) == found


@given(st.text('abc ,:;<>@()."\\[]', max_size=20).map(str.strip))
def test_the_standard_library_parses_the_same_address(name: str) -> None:
    """It finds one address and the display name."""
    text = str(Mailbox(name=name, address="news@example.org"))
    header = message_from_string(f"From: {text}\n\n", policy=policy.default)["From"]
    (address,) = header.addresses
    assert address.addr_spec == "news@example.org"
    assert " ".join(address.display_name.split()) == " ".join(name.split())
