"""Messages of `publisher.mail.message`, parsed by the standard library."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail import Envelope, build_message

ENVELOPE: dict[str, Any] = {
    "sender": "The Review <news@review.example>",
    "reply_to": None,
    "list_name": "The Daily",
    "list_slug": "daily",
    "subject": "Hello",
    "date": datetime(2026, 11, 23, 7, tzinfo=UTC),
    "message_key": "daily.20261123T0700Z",
    "unsubscribe": ("https://review.example/leave?token=" + "x" * 200,),
}


def build(text: str = "Text\n", html: str = "<p>Text</p>\n", **fields: Any) -> bytes:
    return build_message(Envelope(**{**ENVELOPE, **fields}), text=text, html=html)


def parse(data: bytes) -> Any:
    return email.message_from_bytes(data, policy=email.policy.default)


def test_plain_text_comes_before_html() -> None:
    """multipart/alternative orders parts by preference, the best last."""
    message = parse(build(text="Grüße\n", html="<p>Grüße</p>\n"))
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message.get_body(("plain",)).get_content() == "Grüße\r\n"
    assert message.get_body(("html",)).get_content() == "<p>Grüße</p>\r\n"
    assert message.defects == [] and all(part.defects == [] for part in message.iter_parts())


def test_headers_of_a_message() -> None:
    """Addresses, dates and list headers as the standard library parses them."""
    message = parse(
        build(reply_to="Ed <ed@review.example>", date=datetime(2026, 7, 1, 8, tzinfo=timezone(timedelta(hours=1))))
    )
    assert message["From"] == "The Review <news@review.example>"
    assert message["To"] == "The Daily <news@review.example>"
    assert message["Reply-To"] == "Ed <ed@review.example>"
    assert message["Message-ID"] == "<daily.20261123T0700Z@review.example>"
    assert message["List-Id"] == '"The Daily" <daily.review.example>'
    assert message["Date"] == "Wed, 01 Jul 2026 08:00:00 +0100"
    assert message["MIME-Version"] == "1.0"


def test_a_long_unsubscribe_url_is_not_encoded() -> None:
    """Mail programs ignore an encoded List-Unsubscribe header."""
    data = build()
    assert b"List-Unsubscribe: <" + ENVELOPE["unsubscribe"][0].encode() + b">\r\n" in data
    assert b"Reply-To" not in data


def test_the_same_issue_gives_the_same_bytes() -> None:
    """The boundary is a hash of the content."""
    assert build() == build()
    assert build() != build(text="Other\n")


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=300).map(
        lambda text: " ".join(text.split())
    ),
    st.text(
        alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
        max_size=300,
    ),
)
def test_subject_and_text_survive_encoding(subject: str, text: str) -> None:
    """Any printable text is decoded to itself."""
    data = build(subject=subject, text=text)
    message = parse(data)
    assert str(message["Subject"]) == subject or " ".join(str(message["Subject"]).split()) == subject
    assert message.get_body(("plain",)).get_payload(decode=True).decode().replace("\r\n", "\n") == text
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    assert b"\n" not in data.replace(b"\r\n", b"")


def test_non_ascii_names_are_encoded() -> None:
    """Display names become encoded words (RFC 2047)."""
    message = parse(build(sender='Café "X" <a@b.example>', list_name="Ünï"))
    assert message["From"].addresses[0].display_name == 'Café "X"' or "Café" in str(message["From"])
    assert str(message["To"].addresses[0].display_name) == "Ünï"
    quoted = parse(build(list_name='A "quoted" \\ name'))
    assert quoted["To"].addresses[0].display_name == 'A "quoted" \\ name'
    assert parse(build(sender="bare@b.example"))["From"] == "bare@b.example"


@pytest.mark.parametrize("field", ["subject", "list_name"])
def test_a_line_end_in_a_header_is_rejected(field: str) -> None:
    """A line end in a value could add headers."""
    with pytest.raises(ValueError, match="one line"):
        build(**{field: "A\r\nBcc: x@y.example" + "x" * 60})
    with pytest.raises(ValueError, match="one line"):
        build(**{field: "A\nBcc: x@y.example"})


def test_leading_dots_and_from_lines_are_encoded() -> None:
    """SMTP doubles a leading dot, and mbox changes "From " at the start of a line."""
    data = build(text=".\nFrom here\n")
    assert b"\r\n.\r\n" not in data and b"\r\nFrom here" not in data
    assert parse(data).get_body(("plain",)).get_content() == ".\r\nFrom here\r\n"
