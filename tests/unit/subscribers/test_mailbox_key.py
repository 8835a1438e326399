"""One key for the spellings of an address that reach one mailbox."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.subscribers.addresses import mailbox_key, parse_address

LOCAL = st.text("abcdefgh0123", min_size=1, max_size=12)


def key(text: str) -> str:
    return mailbox_key(parse_address(text))


@pytest.mark.parametrize(
    ("spelling", "usual"),
    [
        ("ann+news@mail.example.org", "ann@mail.example.org"),
        ("Ann+a+b@Mail.Example.org", "ann@mail.example.org"),
        ("a.n.n@gmail.com", "ann@gmail.com"),
        ("a.n.n+x@googlemail.com", "ann@gmail.com"),
        ("a-n_n.@proton.me".replace(".@", "@"), "ann@proton.me"),
        ("a.nn@pm.me", "ann@protonmail.com"),
        ("\uff41\uff4e\uff4e@mail.example.org", "ann@mail.example.org"),
        ("ann@\uff4dail.example.org", "ann@mail.example.org"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("\ufb01nn@mail.example.org", "finn@mail.example.org"),
    ],
)
def test_spellings_of_one_mailbox_have_one_key(spelling: str, usual: str) -> None:
    """Tags, ignored dots, full-width letters, ligatures, and both forms of a domain."""
    assert key(spelling) == key(usual)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a.nn@mail.example.org", "ann@mail.example.org"),
        ("ann@mail.example.org", "ann@other.example.org"),
        ("ann@gmail.com", "ann@proton.me"),
        ("ann-x@gmail.com", "annx@gmail.com"),
    ],
)
def test_different_mailboxes_have_different_keys(one: str, other: str) -> None:
    """Dots count where the provider does not say otherwise."""
    assert key(one) != key(other)


@given(LOCAL, st.lists(LOCAL, max_size=3), st.data())
def test_no_mixture_of_spellings_gets_another_key(local: str, tags: list[str], data: st.DataObject) -> None:
    """Dots, capitals, full-width letters and tags may be combined."""
    letters = []
    for number, letter in enumerate(local):
        if number and data.draw(st.booleans()):
            letters.append(".")
        form = data.draw(st.sampled_from(["plain", "capital", "wide"]))
        letters.append({"plain": letter, "capital": letter.upper(), "wide": chr(ord(letter) + 0xFEE0)}[form])
    spelling = "+".join(["".join(letters), *tags])
    assert key(f"{spelling}@gmail.com") == f"{local}@gmail.com"
