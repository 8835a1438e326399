"""DKIM signatures of merged messages, verified by dkimpy."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import dkim
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.errors import SettingsError
from publisher.mail.dkim import SIGNED_HEADERS, Signer, dns_record, new_key
from publisher.mail.message import Envelope, build_message
from publisher.mail.message_template import ADDRESS_SLOT, DELIVERY_SLOT, MessageTemplate
from publisher.mail.placeholders import Placeholders

TOKENS = Placeholders(hash="0123456789ab")
KEYS = {kind: new_key(kind) for kind in ("rsa", "ed25519")}


def signer(kind: str) -> Signer:
    return Signer.read(KEYS[kind], domain="review.example", selector=f"s-{kind}")


def lookup(name: bytes, timeout: float = 5) -> bytes:
    for kind in KEYS:
        where, record = dns_record(signer(kind))
        if name.decode().rstrip(".") == where:
            return record.encode()
    raise AssertionError(name)


def verifies(data: bytes) -> bool:
    try:
        return bool(dkim.DKIM(data).verify(dnsfunc=lookup))
    except dkim.DKIMException:
        return False


def envelope(**changes: object) -> Envelope:
    return Envelope(
        **{
            "sender": "Die Übersicht <news@review.example>",
            "reply_to": None,
            "list_name": "The Daily",
            "list_slug": "daily",
            "subject": "Über Wasser: ein sehr langer Betreff, der gefaltet werden muss, weil er nicht in eine Zeile passt",
            "date": datetime(2026, 11, 23, 7, tzinfo=UTC),
            "message_key": DELIVERY_SLOT,
            "unsubscribe": (
                f"https://review.example/leave?copy={DELIVERY_SLOT}",
                f"mailto:news@review.example?subject=unsubscribe%20{DELIVERY_SLOT}",
            ),
            "one_click": True,
            "feedback_id": "1:daily:newsletter",
            **changes,
        }
    )


def skeleton(*signers: Signer, text: str = "Hello.", page: str = "<p>Hello.</p>") -> MessageTemplate:
    values = {
        "address": ADDRESS_SLOT,
        "unsubscribe": f"https://review.example/leave?copy={DELIVERY_SLOT}",
        "preferences": f"https://review.example/p/{DELIVERY_SLOT}/",
        "web_view": "https://review.example/web?a=1&b=2",
    }
    footer = " ".join(TOKENS[name] for name in ("address", "unsubscribe", "preferences", "web_view"))
    return MessageTemplate(
        envelope(),
        text=f"{text}\n{footer}\n",
        html=f"{page}<p>{footer}</p>",
        placeholders=TOKENS,
        values=values,
        signers=signers,
    )


def merged(made: MessageTemplate, address: str = "anna@example.org") -> bytes:
    return made.merge(address=address, recipient=address, token="a" * 32)


@pytest.mark.parametrize("kinds", [["rsa"], ["rsa", "ed25519"]])
def test_dkimpy_verifies_every_signature(kinds: list[str]) -> None:
    """Each signature of a message is valid for its own key."""
    data = merged(skeleton(*(signer(kind) for kind in kinds)))
    for number, _ in enumerate(kinds):
        assert dkim.DKIM(data).verify(idx=number, dnsfunc=lookup), kinds


def test_a_changed_byte_invalidates_the_signature() -> None:
    """Body, unsubscribe URL and recipient are signed."""
    data = merged(skeleton(signer("rsa")))
    for before, after in ((b"Hello", b"Hallo"), (b"leave?copy=", b"leave?kopy="), (b"To: anna", b"To: anne")):
        assert before in data
        assert not verifies(data.replace(before, after))


@pytest.mark.parametrize(
    "name", ["From", "Subject", "List-Unsubscribe", "List-Unsubscribe-Post", "Reply-To", "Feedback-ID"]
)
def test_a_second_header_invalidates_the_signature(name: str) -> None:
    """Signed headers are named once more than they occur (oversigning)."""
    data = merged(skeleton(signer("rsa")))
    assert dkim.DKIM(data).verify(dnsfunc=lookup)
    forged = f"{name}: somebody else <x@evil.example>\r\n".encode() + data
    assert not verifies(forged)


def test_all_important_headers_and_the_whole_body_are_signed() -> None:
    """The signature has no length tag, and lists each header of SIGNED_HEADERS."""
    data = merged(skeleton(signer("rsa"))).decode()
    header = re.search(r"DKIM-Signature:(.*?)\r\n[A-Z]", data, re.DOTALL)[1]
    assert " l=" not in header
    names = re.search(r"h=([^;]*);", header)[1].split(":")
    for name in SIGNED_HEADERS:
        present = re.search(rf"(?m)^{name}:", data.split("\r\n\r\n")[0]) is not None
        assert names.count(name.lower()) == 1 + present


def test_the_same_key_and_message_give_the_same_bytes() -> None:
    """RSA signatures are deterministic."""
    assert merged(skeleton(signer("rsa"))) == merged(skeleton(signer("rsa")))


def test_a_template_without_slots_equals_build_message() -> None:
    """Both give the same bytes."""
    plain = envelope(message_key="key", unsubscribe=("https://review.example/leave",))
    made = MessageTemplate(plain, text="Text.\n", html="<p>é</p>", placeholders=TOKENS, values={}, signers=())
    expected = build_message(plain, text="Text.\n", html="<p>é</p>")
    assert merged(made) == re.sub(rb"(?m)^To: .*\r$", b"To: anna@example.org\r", expected)


@given(
    text=st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=300),
    local=st.from_regex(r"[a-z0-9=.+'&]{1,64}", fullmatch=True),
)
def test_a_merged_message_parses_to_the_original_text(text: str, local: str) -> None:
    """Lines are short, no line begins with a dot, and the address and the links are complete."""
    from email import message_from_bytes, policy

    address = f"{local}@example.org"
    data = merged(skeleton(text=text.replace("@@", "@ @")), address)
    assert max(len(line) for line in data.split(b"\r\n\r\n", 1)[1].split(b"\r\n")) <= 76
    assert b"\r\n." not in data
    message = message_from_bytes(data, policy=policy.SMTP)
    found = message.get_body(("plain",)).get_content()
    assert address in found.replace("\r\n", "\n")
    assert f"https://review.example/leave?copy={'a' * 32}" in found
    import html

    page = message.get_body(("html",)).get_content()
    assert html.escape(address) in page
    assert "https://review.example/web?a=1&amp;b=2" in page


@pytest.mark.parametrize("address", ["a\r\nBcc: x@y.example", "a\0b@example.org", "a\nb@example.org"])
def test_an_address_with_a_control_character_is_rejected(address: str) -> None:
    """A line end in an address could add headers."""
    with pytest.raises(ValueError, match="one line"):
        merged(skeleton(), address)


@pytest.mark.parametrize("pem", ["", "no key", KEYS["rsa"][:200]])
def test_an_invalid_key_is_rejected(pem: str) -> None:
    """The message names the command that makes a key."""
    with pytest.raises(SettingsError, match="publish dkim-key"):
        Signer.read(pem, domain="review.example", selector="s")


def test_keys_of_unsupported_types_are_rejected() -> None:
    """Receivers verify RSA and Ed25519 only."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(SettingsError, match="neither RSA"):
        Signer.read(pem.decode(), domain="review.example", selector="s")
