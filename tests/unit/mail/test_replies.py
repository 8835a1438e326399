"""Replies of mail servers: which suppress a subscriber, which defer a delivery, which fail it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.mail.bounces import ReportKind, read_report
from publisher.mail.outcome import Outcome, RelayFault, Reply, message_outcome, recipient_outcome
from publisher.mail.replies import RULES, Reason, classify, find_reason, normalise
from publisher.model.delivery import DeliveryState

_ROWS: Final = [
    tuple(line.split("\t"))
    for line in (Path(__file__).parent / "data" / "replies.tsv").read_text(encoding="utf-8").splitlines()
    if not line.startswith("#")
]


def reply_of(line: str) -> Reply:
    code, _, words = line.partition(" ")
    return Reply(code=int(code), lines=(words,))


def verdict(outcome: Outcome) -> str:
    if outcome.suppress:
        assert outcome.state is DeliveryState.FAILED
        return "suppress"
    return {DeliveryState.DEFERRED: "wait", DeliveryState.FAILED: "fail"}[outcome.state]


def dsn(status: str, diagnostic: str) -> bytes:
    return (
        "From: MAILER-DAEMON@mx.example.org\r\nTo: news@quay.example\r\nSubject: Undelivered\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n"
        f"Final-Recipient: rfc822; ann@reader.example\r\nAction: failed\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; {diagnostic}\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(("source", "reason", "expected", "line"), _ROWS, ids=[row[3][:60] for row in _ROWS])
def test_a_reply_has_the_same_reason_at_rcpt_at_data_and_in_a_report(
    source: str, reason: str, expected: str, line: str
) -> None:
    """The same words suppress, defer or fail wherever a server sends them."""
    assert source
    reply = reply_of(line)
    assert classify(" ".join(reply.lines), reply.enhanced) == reason
    at_recipient = recipient_outcome(reply) if reply.code not in (503, 530, 535, 538) else None
    if at_recipient is not None:
        assert verdict(at_recipient) == expected
    # Once a server has read the message, its verdict on spam is final, and unknown words are too.
    at_end = "fail" if reason in ("spam", "unknown") else expected
    assert verdict(message_outcome(reply)) == at_end
    status = found[0] if (found := re.search(r"\b5\.\d+\.\d+\b", line)) else "5.0.0"
    (report,) = read_report(dsn(status, line))
    assert report.kind is (ReportKind.HARD if expected == "suppress" else ReportKind.SOFT)


def test_the_table_of_replies_has_each_reason_and_many_sources() -> None:
    """Each reason has rows, and there are at least 150 replies from at least 40 sources."""
    assert {row[1] for row in _ROWS} == {reason.value for reason in Reason}
    assert len(_ROWS) >= 150
    assert len({row[0] for row in _ROWS}) >= 40


@pytest.mark.parametrize(
    ("words", "status", "reason"),
    [
        ("", "5.1.1", Reason.ADDRESS),
        ("", "5.1.0", Reason.UNKNOWN),
        ("", "5.0.0", Reason.UNKNOWN),
        ("", "", Reason.UNKNOWN),
        ("IP address blacklisted by recipient", "5.1.1", Reason.POLICY),
        ("Refused due to recipient preferences", "5.1.1", Reason.REFUSED),
        ("mailbox full", "5.1.1", Reason.FULL),
        ("user unknown", "5.7.1", Reason.ADDRESS),
        ("user unknown", "5.1.351", Reason.ADDRESS),
        ("user unknown", "5.2.2", Reason.FULL),
        ("user unknown", "5.1.8", Reason.SENDER),
        ("Host unknown", "5.1.2", Reason.ADDRESS),
        ("Host unknown", "5.4.4", Reason.DOMAIN),
        ("mailbox unavailable", "5.5.0", Reason.ADDRESS),
        ("mailbox unavailable", "5.7.1", Reason.REFUSED),
        ("whatever", "5.7.9", Reason.POLICY),
        ("whatever", "5.6.0", Reason.CONTENT),
    ],
)
def test_words_and_status_that_contradict_each_other_suppress_nobody(words: str, status: str, reason: Reason) -> None:
    """A status code decides only if no rule matches the words."""
    assert classify(words, status) is reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("No such user at corporate.example", Reason.ADDRESS),
        ("User unknown in relay recipient table", Reason.ADDRESS),
        ("<rate.limit@spamhaus.example>: user unknown", Reason.ADDRESS),
        ("user unknown https://rate.example/blocked?policy=spam", Reason.ADDRESS),
        ("the sendmail user is unknown", Reason.ADDRESS),
        ("separate", Reason.UNKNOWN),
        ("http://www.spamhaus.org/query/bl?ip=192.0.2.1", Reason.POLICY),
    ],
)
def test_rules_match_whole_words_outside_names(words: str, reason: Reason) -> None:
    """Parts of words, addresses, host names and URLs do not match, except the name of a block list."""
    assert find_reason(words) is reason


def test_text_is_normalised_before_it_is_matched() -> None:
    """Case, accents, punctuation, names and numbers with dots are not part of the words."""
    assert normalise("550 5.1.1 <ä@b.example>: Boîte   DÉSACTIVÉE; mx.b.example") == "550 boite desactivee"
    assert normalise("User doesn’t exist.Please stop") == "user doesnt exist please stop"


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("550 something else [5.1.1.9]", ReportKind.SOFT),
        ("host 5.2.1.25 said: 550 something else", ReportKind.SOFT),
        ("host mx.example.org[4.79.181.12] said: 550 user unknown", ReportKind.HARD),
        ("550 <ann@reader.example>:user not exist", ReportKind.HARD),
        ("550 something else (#5.1.1)", ReportKind.HARD),
        ("550 5.1.1. It is so", ReportKind.HARD),
    ],
)
def test_an_ip_address_is_not_a_status_code(words: str, kind: ReportKind) -> None:
    """Three numbers of an IP address look like a status code."""
    assert [report.kind for report in read_report(dsn("5.0.0", words))] == [kind]


def test_a_policy_refusal_of_every_recipient_never_suppresses() -> None:
    """A relay that refuses the sender for its DNS lookup defers each delivery and slows the domain."""
    outcome = recipient_outcome(reply_of("550 Reverse DNS lookup failed"))
    assert outcome is not None
    assert (outcome.state, outcome.suppress, outcome.slow) == (DeliveryState.DEFERRED, False, True)


@pytest.mark.parametrize("line", ["503 5.5.1 MAIL first", "530 5.7.0 log in first", "550 5.5.1 what"])
def test_a_protocol_error_at_rcpt_ends_the_use_of_the_relay(line: str) -> None:
    """Protocol errors are about the connection, so no delivery fails for them."""
    with pytest.raises(RelayFault):
        recipient_outcome(reply_of(line))


@given(code=st.integers(400, 599), words=st.text(max_size=80), status=st.sampled_from(["", "5.7.1 ", "5.1.1 "]))
def test_only_words_or_a_status_about_the_address_suppress(code: int, words: str, status: str) -> None:
    """Any suppression has its reason in the words or in the status."""
    reply = Reply(code=code, lines=(status + words,))
    about_address = classify(status + words, reply.enhanced) is Reason.ADDRESS
    assert message_outcome(reply).suppress == (about_address and code >= 500)
    try:
        outcome = recipient_outcome(reply)
    except RelayFault:
        return
    assert outcome is not None
    assert outcome.suppress == (about_address and code >= 500)


@pytest.mark.parametrize("rule", RULES, ids=range(len(RULES)))
def test_each_rule_has_a_reply_that_needs_it(rule: object) -> None:
    """Every rule of the table matches a reply of the data file."""
    pattern = rule.pattern  # type: ignore[attr-defined]
    assert any(pattern.search(normalise(row[3])) for row in _ROWS)
