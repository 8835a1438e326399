"""Read bounces (RFC 3464), complaints (RFC 5965) and unsubscribe messages. Pure.

A report is matched to a delivery by the tokens in the address that the report was sent to (VERP), in the headers of the
returned message, and in the subject of an unsubscribe message. Tokens in quoted text are ignored. The kind of a token
decides what it permits: see `publisher.signing.keyring`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from publisher.html.text import printable
from publisher.mail.mime import Headers, Part, walk_parts
from publisher.mail.replies import Reason, classify
from publisher.signing.keyring import TOKEN_PATTERN


class ReportKind(StrEnum):
    """The meaning of a report for the subscriber."""

    #: The address does not exist, or not any more.
    HARD = "hard"
    #: This delivery failed, but the address may exist.
    SOFT = "soft"
    #: The subscriber reported the message as spam.
    COMPLAINT = "complaint"
    #: The subscriber requests to unsubscribe.
    UNSUBSCRIBE = "unsubscribe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTokens:
    """Texts in the form of a token, the most trustworthy first. They are not verified yet."""

    #: From the addresses that the report was sent to.
    recipient: tuple[str, ...] = ()
    #: From the headers of the returned message, or the subject of an unsubscribe message.
    message: tuple[str, ...] = ()

    @property
    def every(self) -> tuple[str, ...]:
        """All of them, without repetitions."""
        return tuple(dict.fromkeys((*self.recipient, *self.message)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report about one delivery."""

    kind: ReportKind
    tokens: ReportTokens
    #: Enhanced status code (RFC 3463) as in ``5.1.1``; empty if there is none.
    status: str
    #: The server's reply.
    answer: str


#: Not part of an IP address.
_STATUS: Final = re.compile(r"(?<![0-9.])([245])\.([0-9]{1,3})\.([0-9]{1,3})(?![0-9]|\.[0-9])")
_REPLY: Final = re.compile(r"(?<![\w.-])([45][0-9]{2})[ -]")
#: Headers with the address that a message was delivered to, the most trustworthy first.
_DELIVERED: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_RETURNED: Final = ("Message-ID", "Return-Path", "Original-Mail-From", "X-Original-Message-ID")
_RETURNED_TYPES: Final = frozenset(
    [
        "message/rfc822",
        "message/global",
        "text/rfc822-headers",
        "message/rfc822-headers",
        "message/global-headers",
        "message/feedback-report",
    ]
)
#: Subjects of bounces without RFC 3464 (qmail, Exim, old sendmail, Exchange). "Re: failure notice" is not one.
_FAILURE_SUBJECT: Final = re.compile(
    r"(?:\[[^\]]{0,40}\] ?){0,3}\W{0,5}(?:failure notice|undeliver|unzustellbar|nicht zustellbar|non remis"
    r"|delivery (?:status notification|failure|has failed|notification: delivery has failed)"
    r"|(?:mail|message) delivery (?:failed|failure)|returned mail|mail system error|mail could not be delivered"
    r"|(?:your |the )?message (?:\S{1,100} ){0,4}could not be delivered)",
    re.IGNORECASE,
)
_BOUNCE_SENDER: Final = re.compile(
    r"mailer-?daemon|postmaster|mail-?daemon|mail delivery (?:sub)?system", re.IGNORECASE
)
_RETURNED_MESSAGE: Final = re.compile(
    r"-{1,60} ?(?:below this line|this is a copy|original message|returned message)", re.IGNORECASE
)
_FAILED_ADDRESSES: Final = re.compile(
    r"\b(?:address(?:es|\(es\))?|recipients?(?:\(s\))?)\W.{0,60}\b(?:fail|error)"
    r"|\b(?:did not reach|not be delivered to|undeliverable to)\b",
    re.IGNORECASE,
)
_MAX_BLOCKS: Final = 100
_MAX_STATUS_BYTES: Final = 256 * 1024
_MAX_TEXT_BYTES: Final = 64 * 1024
#: Lines of a plain bounce that belong to one reply.
_REPLY_LINES: Final = 6


def read_report(data: bytes) -> list[Report]:
    """Return the reports in an untrusted message, the most certain first; empty if there are none.

    Raises:
        UnreadableMessage: the message exceeds a limit of `publisher.mail.mime`.
    """
    parts = walk_parts(data)
    headers = parts[0].headers
    returned = (part.inner_headers() for part in parts if part.content_type in _RETURNED_TYPES)
    tokens = ReportTokens(recipient=tuple(_tokens([headers], _DELIVERED)), message=tuple(_tokens(returned, _RETURNED)))
    kinds = {part.content_type for part in parts}
    if "message/feedback-report" in kinds:
        return _complaints(parts, tokens)
    if "message/delivery-status" in kinds:
        return _failures(parts, tokens)
    return [*_unsubscribe(headers), *_unstructured(headers, parts, tokens)]


def _plain(text: str) -> str:
    """Return text without control characters."""
    return " ".join(printable(text).split())


def _unsubscribe(headers: Headers) -> list[Report]:
    """Return the request to unsubscribe: a token anywhere in the subject."""
    texts = tuple(TOKEN_PATTERN.findall(headers.text("Subject").lower()))
    if not texts:
        return []
    tokens = ReportTokens(message=texts)
    return [Report(kind=ReportKind.UNSUBSCRIBE, tokens=tokens, status="", answer="unsubscribed by mail")]


def _tokens(blocks: Iterable[Headers], names: Iterable[str]) -> Iterator[str]:
    for headers in blocks:
        for name in names:
            for value in headers.raw(name):
                yield from TOKEN_PATTERN.findall(value.lower())


def _complaints(parts: Iterable[Part], tokens: ReportTokens) -> list[Report]:
    for part in parts:
        if part.content_type != "message/feedback-report":
            continue
        kind = part.inner_headers().text("Feedback-Type").casefold()
        if kind not in ("", "not-spam", "auth-failure"):
            answer = f"reported as {_plain(kind)[:40]}"
            return [Report(kind=ReportKind.COMPLAINT, tokens=tokens, status="", answer=answer)]
    return []


def _failures(parts: Iterable[Part], tokens: ReportTokens) -> list[Report]:
    failed = [
        _failure(fields, tokens)
        for part in parts
        if part.content_type == "message/delivery-status"
        for fields in _status_blocks(part)
        if fields.text("Action").casefold() == "failed"
    ]
    # A delivery has one recipient. If they forward their mail, a failed target is not the subscriber's address.
    failed.sort(key=lambda report: report.kind is ReportKind.HARD)
    return failed[:1]


def _status_blocks(part: Part) -> Iterator[Headers]:
    """Yield the field groups of a delivery status, for the message and each recipient."""
    lines: list[bytes] = []
    count = 0
    for line in [*part.body(_MAX_STATUS_BYTES).splitlines(), b""]:
        if line.strip():
            lines.append(line)
        elif lines:
            yield Headers.parse(b"\n".join(lines))
            lines = []
            count += 1
            if count == _MAX_BLOCKS:
                return


def _failure(fields: Headers, tokens: ReportTokens) -> Report:
    diagnostic = fields.text("Diagnostic-Code")
    words = diagnostic.partition(";")[2].strip() or diagnostic
    return _judged(words, fields.text("Status"), tokens)


def judge_failure(words: str, status: str) -> Reason:
    """Return why a delivery failed.

    Args:
        words: the server's reply (Diagnostic-Code), with or without its codes.
        status: the Status field of the report (RFC 3464); empty if there is none.
    """
    match = _STATUS.search(words)
    own_status = match[0] if match else ""
    code = _REPLY.search(words)
    if "4" in (status[:1], own_status[:1]) or (code and code[1].startswith("4")):
        # The server gave up after temporary failures. The address may exist.
        reason = classify(words, own_status or status)
        return Reason.TEMPORARY if reason in (Reason.ADDRESS, Reason.UNKNOWN) else reason
    statuses = [code for code in (own_status, status) if code and not code.endswith(".0.0")]
    reasons = [classify(words, code) for code in statuses] or [classify(words)]
    # If two status codes contradict each other, the one that suppresses nobody counts.
    return next((reason for reason in reasons if reason is not Reason.ADDRESS), Reason.ADDRESS)


def _judged(words: str, status_field: str, tokens: ReportTokens) -> Report:
    """Return the report of a failed delivery.

    It is hard only if the reply is about the address.
    """
    match, own = _STATUS.search(status_field), _STATUS.search(words)
    status = match[0] if match else ""
    reason = judge_failure(words, status)
    if own and (not status or status.endswith(".0.0")):
        status = own[0]
    kind = ReportKind.HARD if reason is Reason.ADDRESS else ReportKind.SOFT
    return Report(kind=kind, tokens=tokens, status=status, answer=_plain(words)[:400])


def _is_plain_bounce(headers: Headers) -> bool:
    """Return whether a message without a delivery status is a bounce.

    Exim writes ``Auto-Submitted: auto-replied`` on its bounces, and X-Failed-Recipients. Any other
    automatic message (RFC 3834), such as a vacation notice, is not a bounce.
    """
    if headers.text("X-Failed-Recipients"):
        return True
    if not _FAILURE_SUBJECT.match(headers.text("Subject")):
        return False
    automatic = headers.text("Auto-Submitted").partition(";")[0].strip().casefold()
    if automatic in ("", "no"):
        return True
    is_null_path = "".join(headers.raw("Return-Path")[:1]).strip() == "<>"
    return is_null_path and _BOUNCE_SENDER.search(headers.text("From")) is not None


def _unstructured(headers: Headers, parts: Iterable[Part], tokens: ReportTokens) -> list[Report]:
    """Return the report of a bounce without a delivery status."""
    if not _is_plain_bounce(headers):
        return []
    for part in parts:
        if part.content_type == "text/plain":
            words = _reply_in(part.text(_MAX_TEXT_BYTES))
            if words:
                return [_judged(words, "", tokens)]
    answer = _plain(headers.text("Subject"))[:200]
    return [Report(kind=ReportKind.SOFT, tokens=tokens, status="", answer=answer)]


def _reply_in(text: str) -> str:
    """Return the server's reply in the text of a bounce; empty if there is none."""
    lines = []
    for line in text.splitlines():
        if _RETURNED_MESSAGE.match(line):
            break
        lines.append(line[:1_000].strip())
    first = next((n for n, line in enumerate(lines) if _STATUS.search(line) or _REPLY.search(line)), None)
    if first is None:
        # Refusals by Exim itself have no code: "The following address(es) failed:", the address, the reason.
        markers = [n for n, line in enumerate(lines) if _FAILED_ADDRESSES.search(line)]
        if not markers:
            return ""
        first = next((n for n in range(markers[-1] + 1, len(lines)) if lines[n]), len(lines))
    else:
        # The line before names the refused command. A refusal of MAIL FROM is about the sender.
        first = next((n + 1 for n in range(first - 1, max(first - 3, -1), -1) if not lines[n]), max(first - 2, 0))
    last = next((n for n in range(first, len(lines)) if not lines[n]), len(lines))
    return " ".join(lines[first : min(last, first + _REPLY_LINES)])
