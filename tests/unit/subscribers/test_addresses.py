"""Addresses of subscribers, and tokens."""

from __future__ import annotations

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from publisher.signing.keyring import Keyring
from publisher.subscribers.addresses import parse_address, parse_named_address

RING = Keyring(key=b"0123456789abcdef")

_local = st.from_regex(r"[A-Za-z0-9_.+'=-]{1,70}", fullmatch=True)
_domain = st.from_regex(r"([A-Za-z0-9-]{1,12}\.){1,3}[A-Za-z]{1,6}", fullmatch=True)


@given(local=_local, domain=_domain)
@example(local="a" * 64, domain="example.org")
@example(local="a" * 65, domain="example.org")
@example(local="a", domain="xn--bcher-kva.example.org")
@example(local="a", domain="ab--cd.example.org")
@example(local="a", domain="example.test")
@example(local="a", domain="x.local")
def test_the_fast_path_agrees_with_email_validator(local: str, domain: str) -> None:
    """An import would accept an address that the sign-up form refuses, or the other way round."""
    text = f"{local}@{domain}"
    try:
        expected = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        with pytest.raises(ValueError):  # noqa: PT011 - the words are the library's
            parse_address(text)
        return
    found = parse_address(text)
    assert (found.text, found.domain) == (expected.normalized, expected.ascii_domain)
    assert found.key == f"{expected.local_part.lower()}@{expected.ascii_domain}"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "anna",
        "anna@",
        "@example.org",
        "anna@example",
        "anna@@example.org",
        "an na@example.org",
        "anna@example.org\r\nBcc: x@example.org",
        "anna\0@example.org",
        '"anna"@example.org',
        '"anna smith"@example.org',
        "anna@[127.0.0.1]",
        "a" * 300 + "@example.org",
        "x" * 100_000,
        "anna@localhost",
        ".anna@example.org",
        "anna.@example.org",
        "an..na@example.org",
        "anna@-example.org",
        "anna@xn--zzzzzz---.example.org",
        "<anna@example.org>",
        "anna@example.org,bert@example.org",
    ],
)
def test_invalid_addresses_are_rejected(text: str) -> None:
    """An address with a line end would add headers to mail."""
    with pytest.raises(ValueError):  # noqa: PT011 - most of the words are the library's
        parse_address(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.org", "anna@example.ORG"),
        ("anna@bücher.example.org", "anna@xn--bcher-kva.example.org"),
        ("MÜLLER@example.org", "müller@example.org"),
        (" anna@example.org ", "anna@example.org"),
    ],
)
def test_two_spellings_have_one_key(one: str, other: str) -> None:
    """A person who unsubscribes by another spelling would still get mail."""
    assert parse_address(one).key == parse_address(other).key


@given(issue=st.integers(0, 2**32 - 1), reader=st.integers(0, 2**40 - 1))
def test_a_delivery_token_names_its_delivery_in_any_case(issue: int, reader: int) -> None:
    """A bounce whose server changed the case of the address would not be counted."""
    text = RING.delivery_token(issue, reader)
    assert len(text) == 32
    assert RING.delivery_of_token(text) == RING.delivery_of_token(text.upper()) == (issue, reader)
    assert Keyring(key=b"another key, 16 bytes or more").delivery_of_token(text) is None


@given(st.text(max_size=40))
def test_a_forged_delivery_token_is_rejected(text: str) -> None:
    """Anyone could unsubscribe other people by guessing."""
    assert RING.delivery_of_token(text) is None


def test_a_changed_character_invalidates_a_delivery_token() -> None:
    """A subscriber could change their link into that of another person."""
    text = RING.delivery_token(1, 2)
    for place in range(32):
        changed = text[:place] + ("b" if text[place] != "b" else "c") + text[place + 1 :]
        assert RING.delivery_of_token(changed) is None


def test_a_weak_key_is_rejected_and_never_shown() -> None:
    """Links could be forged with a guessed key, or a log would contain it."""
    with pytest.raises(ValueError, match="at least 16"):
        Keyring(key=b"short")
    assert "0123456789" not in repr(RING)


INVISIBLE = [
    "\u00a0",
    "\u200b",
    "\ufeff",
    "\u2060",
    "\t",
    "\u2003",
    "\u3000",
    "\u00ad",
    "\u200e",
    "\u2028",
    "\u3164",
    "\r\n",
]


@pytest.mark.parametrize("char", INVISIBLE)
def test_invisible_characters_around_an_address_are_removed(char: str) -> None:
    """Spreadsheets and web pages leave them when an address is copied."""
    for text in (f"{char}anna@example.org", f"anna@example.org{char}", f" {char} Anna@example.org {char} "):
        assert parse_address(text).key == "anna@example.org"
    assert parse_named_address(f"Anna <{char}anna@example.org{char}>{char}").text == "anna@example.org"


@pytest.mark.parametrize("char", [char for char in INVISIBLE if char > "\x7f"])
def test_an_invisible_character_inside_an_address_is_rejected_by_name(char: str) -> None:
    """The address may be a different one, so it is not repaired."""
    for text in (f"an{char}na@example.org", f"anna@exam{char}ple.org"):
        with pytest.raises(ValueError, match=rf"U\+{ord(char):04X}.*delete it"):
            parse_address(text)


_padding = st.lists(st.sampled_from(INVISIBLE), max_size=5).map("".join)


@given(_padding, _padding)
def test_an_address_is_the_same_in_any_padding(before: str, after: str) -> None:
    """Any run of invisible characters goes."""
    assert parse_address(f"{before}anna@example.org{after}") == parse_address("anna@example.org")


@pytest.mark.parametrize(
    "text",
    [
        "Ann Example <named@example.com>",
        '"Example, Ann" <named@example.com>',
        "<named@example.com>",
        "Ann<named@example.com>",
        "named@example.com <named@example.com>",
        "'Named@Example.com' <named@example.com>",
        "named@example.com",
    ],
)
def test_a_named_address_is_the_one_in_brackets(text: str) -> None:
    """Lists that are exported from mail programs write names before addresses."""
    assert parse_named_address(text).text == "named@example.com"


@pytest.mark.parametrize(
    "text",
    [
        "Ann <ann@example.com> <bo@example.com>",
        "Ann <>",
        "Ann <ann@example.com",
        "bo@example.com <ann@example.com>",
        "Ann\r\nBcc: x <ann@example.com>",
        "Ann <ann@example.com>, Bo <bo@example.com>",
        "x" * 2_000 + " <ann@example.com>",
    ],
)
def test_a_named_address_of_two_people_is_rejected(text: str) -> None:
    """Nobody is subscribed by a guess."""
    with pytest.raises(ValueError):  # noqa: PT011 - most of the words are the library's
        parse_named_address(text)
