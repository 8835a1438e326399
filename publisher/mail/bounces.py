"""What comes back: reports of mail that was not delivered (RFC 3464), complaints (RFC 5965), leave-takings.

Whose copy it is about is read from where our own marks belong: the address that the report was sent to
(VERP), and the Message-ID of the message that it returns. Never from anywhere in a text: that is how
readers are struck off who were only quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from enum import StrEnum
from typing import Final

from publisher.mail.replies import Reason, classify
from publisher.passes import COPY_PASS

__all__ = ["Report", "ReportKind", "judge_failure", "read_report"]


class ReportKind(StrEnum):
    """What a report means for the reader."""

    #: There is no such reader.
    HARD = "hard"
    #: Not this time.
    SOFT = "soft"
    #: She has called it spam.
    COMPLAINT = "complaint"
    #: She wants no more of this digest.
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One thing that a message reports."""

    kind: ReportKind
    #: What may be our marks, the most trustworthy first; the site's secret tells which are.
    passes: tuple[str, ...]
    #: RFC 3463, as in ``5.1.1``; empty where none is given.
    status: str
    #: The server's words.
    said: str


_STATUS: Final = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
_REPLY: Final = re.compile(r"\b([45]\d\d)[ -]")
_UNSUBSCRIBE: Final = re.compile(r"\s*unsubscribe\s+([a-z2-7]{32})\s*", re.IGNORECASE)
#: Where a mail server says to whom a message came, its own header first.
_DELIVERED: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
#: Reports by programs that write no RFC 3464 begin their subject so (qmail, exim, old sendmail, Exchange).
_FAILURE_SUBJECT: Final = re.compile(
    r"failure notice|undeliver|delivery (?:status notification|failure|has failed)|mail delivery (?:failed|failure)"
    r"|returned mail|mail system error|could not be delivered",
    re.IGNORECASE,
)
_DEEPEST: Final = 20


def read_report(data: bytes) -> list[Report]:
    """Return what a message reports; nothing for one that is no report.

    Args:
        data: the message as it lies in the mailbox. Nothing in it is trusted.
    """
    message = message_from_bytes(data)
    if found := _unsubscribe(message):
        return [found]
    parts = list(_parts(message))
    passes = tuple(dict.fromkeys(_passes(message, parts)))
    kinds = {part.get_content_type() for part in parts}
    if "message/feedback-report" in kinds:
        return _complaints(parts, passes)
    if "message/delivery-status" in kinds:
        return _failures(parts, passes)
    return _unstructured(message, parts, passes)


def _parts(message: Message, depth: int = 0) -> Iterator[Message]:
    """Yield a report's own parts; what is inside of the message that it returns is not its own."""
    yield message
    payload = message.get_payload()
    if not isinstance(payload, list) or depth >= _DEEPEST:
        return
    if message.get_content_maintype() == "message":
        return
    for part in payload:
        if isinstance(part, Message):
            yield from _parts(part, depth + 1)


def _header(message: Message, name: str) -> str:
    value = next((value for key, value in message.raw_items() if key.casefold() == name.casefold()), None)
    if value is None:
        return ""
    text = str(value).encode("utf-8", "surrogateescape").decode("utf-8", "replace")[:2_000]
    try:
        return " ".join(str(make_header(decode_header(text))).split())
    except (ValueError, LookupError, MessageError):
        return " ".join(text.split())


def _plain(text: str) -> str:
    """Return words without what a terminal would obey."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _unsubscribe(message: Message) -> Report | None:
    match = _UNSUBSCRIBE.fullmatch(_header(message, "Subject"))
    if match is None:
        return None
    return Report(kind=ReportKind.UNSUBSCRIBE, passes=(match[1].lower(),), status="", said="left by mail")


def _passes(message: Message, parts: Iterable[Message]) -> Iterator[str]:
    for name in _DELIVERED:
        for value in message.get_all(name, []):
            yield from COPY_PASS.findall(str(value).lower())
    for part in parts:
        for fields in _returned(part):
            for name in ("Message-ID", "Return-Path", "Original-Mail-From", "X-Original-Message-ID"):
                for value in fields.get_all(name, []):
                    yield from COPY_PASS.findall(str(value).lower())


def _returned(part: Message) -> Iterator[Message]:
    """Yield the headers of what a report returns."""
    kind, payload = part.get_content_type(), part.get_payload()
    if kind in ("message/rfc822", "message/feedback-report", "message/global") and isinstance(payload, list):
        yield from (one for one in payload if isinstance(one, Message))
    elif kind in ("text/rfc822-headers", "message/rfc822-headers", "message/global-headers", "message/feedback-report"):
        raw = part.get_payload(decode=True)
        if isinstance(raw, bytes):
            yield message_from_bytes(raw)
        elif isinstance(payload, list):
            yield from (one for one in payload if isinstance(one, Message))


def _complaints(parts: Iterable[Message], passes: tuple[str, ...]) -> list[Report]:
    for part in parts:
        if part.get_content_type() != "message/feedback-report":
            continue
        for fields in _returned(part):
            kind = _header(fields, "Feedback-Type").casefold()
            if kind not in ("", "not-spam", "auth-failure"):
                return [
                    Report(kind=ReportKind.COMPLAINT, passes=passes, status="", said=f"reported as {_plain(kind)[:40]}")
                ]
    return []


def _failures(parts: Iterable[Message], passes: tuple[str, ...]) -> list[Report]:
    found: list[Report] = []
    for part in parts:
        payload = part.get_payload()
        if part.get_content_type() != "message/delivery-status" or not isinstance(payload, list):
            continue
        blocks = [one for one in payload if isinstance(one, Message)]
        found += [_failure(one, passes) for one in blocks if _header(one, "Action").casefold() == "failed"]
    # One copy has one reader: the strictest word is the one that counts.
    hard = [one for one in found if one.kind is ReportKind.HARD]
    return (hard or found)[:1]


def _failure(fields: Message, passes: tuple[str, ...]) -> Report:
    said = _header(fields, "Diagnostic-Code").partition(";")[2].strip() or _header(fields, "Diagnostic-Code")
    status = _STATUS.search(_header(fields, "Status"))
    return _judged(said, status[0] if status else "", passes)


def judge_failure(words: str, status: str) -> Reason:
    """Return why a delivery failed.

    Args:
        words: the server's words (Diagnostic-Code), with or without its own codes.
        status: the Status field of the report (RFC 3464); empty if there is none.
    """
    match = _STATUS.search(words)
    closer = match[0] if match else ""
    code = _REPLY.search(words)
    if "4" in (status[:1], closer[:1]) or (code and code[1].startswith("4")):
        # Given up after temporary failures: that never says that the address does not exist.
        reason = classify(words, closer or status)
        return Reason.TEMPORARY if reason in (Reason.ADDRESS, Reason.UNKNOWN) else reason
    statuses = [one for one in (closer, status) if one and not one.endswith(".0.0")]
    reasons = [classify(words, one) for one in statuses] or [classify(words)]
    # Two different status codes contradict each other: the one that suppresses nobody counts.
    return next((reason for reason in reasons if reason is not Reason.ADDRESS), Reason.ADDRESS)


def _judged(words: str, status: str, passes: tuple[str, ...]) -> Report:
    """Return the report of a failed delivery. Only what a server says about the address makes it hard."""
    reason = judge_failure(words, status)
    match = _STATUS.search(words)
    if match and (not status or status.endswith(".0.0")):
        status = match[0]
    kind = ReportKind.HARD if reason is Reason.ADDRESS else ReportKind.SOFT
    return Report(kind=kind, passes=passes, status=status, said=_plain(words)[:400])


def _unstructured(message: Message, parts: Iterable[Message], passes: tuple[str, ...]) -> list[Report]:
    """Return the report in the words of a program that writes no RFC 3464."""
    automatic = _header(message, "Auto-Submitted").casefold()
    if automatic.startswith("auto-replied") or not _FAILURE_SUBJECT.search(_header(message, "Subject")):
        return []
    for part in parts:
        if part.get_content_type() != "text/plain":
            continue
        data = part.get_payload(decode=True)
        text = data.decode("utf-8", "replace")[:20_000] if isinstance(data, bytes) else ""
        # What follows is the message that is returned.
        text = re.split(r"(?im)^-+ ?(?:below this line|this is a copy|original message|returned message)", text)[0]
        line = next((line for line in text.splitlines() if _STATUS.search(line) or _REPLY.search(line)), "")
        if line:
            found = _STATUS.search(line)
            return [_judged(line.strip(), found[0] if found else "", passes)]
    return [Report(kind=ReportKind.SOFT, passes=passes, status="", said=_plain(_header(message, "Subject"))[:200])]
