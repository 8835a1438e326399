"""Addresses of readers, passes and paces."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st

from publisher.delivery.throttle import RateLimit, Throttle, warm_up_limit
from publisher.mail.outcome import Reply, message_outcome, recipient_outcome, retry_at
from publisher.signing.tokens import Keyring
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
def test_the_short_way_says_what_email_validator_says(local: str, domain: str) -> None:
    text = f"{local}@{domain}"
    try:
        expected = validate_email(text, check_deliverability=False)
    except EmailNotValidError:
        with pytest.raises(ValueError):
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
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
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
def test_two_spellings_are_one_address(one: str, other: str) -> None:
    assert parse_address(one).key == parse_address(other).key


@given(issue=st.integers(0, 2**32 - 1), reader=st.integers(0, 2**40 - 1))
def test_a_pass_leads_back_to_its_copy_in_any_case(issue: int, reader: int) -> None:
    text = RING.delivery_token(issue, reader)
    assert len(text) == 32
    assert RING.delivery_of_token(text) == RING.delivery_of_token(text.upper()) == (issue, reader)
    assert Keyring(key=b"another key, 16 bytes or more").delivery_of_token(text) is None


@given(st.text(max_size=40))
def test_what_we_have_not_made_is_no_pass(text: str) -> None:
    assert RING.delivery_of_token(text) is None


def test_one_changed_letter_makes_a_pass_nobodys() -> None:
    text = RING.delivery_token(1, 2)
    for place in range(32):
        changed = text[:place] + ("b" if text[place] != "b" else "c") + text[place + 1 :]
        assert RING.delivery_of_token(changed) is None


def test_a_key_that_can_be_guessed_is_refused_and_none_is_shown() -> None:
    with pytest.raises(ValueError, match="at least 16"):
        Keyring(key=b"short")
    assert "0123456789" not in repr(RING)


def test_a_domain_gets_so_many_a_second_and_at_a_time() -> None:
    pace = Throttle(lambda domain: RateLimit(per_second=10, at_once=2) if domain == "a" else RateLimit())
    pace.begin("a", 0)
    assert pace.ready_at("a") == pytest.approx(0.1)
    pace.begin("a", 0.1)
    assert pace.ready_at("a") == math.inf
    pace.end("a")
    assert pace.ready_at("a") == pytest.approx(0.2)
    assert pace.ready_at("b") == -math.inf


def test_a_sender_waits_until_the_first_domain_is_ready_and_no_longer() -> None:
    """A rate limit of twenty a second is kept to, and not undercut by waits of a fixed length."""
    pace = Throttle(lambda domain: RateLimit(per_second=20 if domain == "fast" else 0.5, at_once=1))
    for domain in ("fast", "slow"):
        pace.begin(domain, 100)
    assert pace.seconds_until_ready(["fast", "slow"], 100, 0.25) == 0.25
    for domain in ("fast", "slow"):
        pace.end(domain)
    assert pace.seconds_until_ready(["fast", "slow"], 100, 0.25) == pytest.approx(0.05)
    assert pace.seconds_until_ready(["slow"], 100, 0.25) == 0.25
    assert pace.seconds_until_ready(["fast"], 200, 0.25) == 0
    assert pace.seconds_until_ready([], 100, 0.25) == 0.25


def test_a_domain_that_refuses_rests_longer_each_time_and_one_copy_tries() -> None:
    pace = Throttle(lambda domain: RateLimit())
    now, rests = 0.0, []
    for _ in range(10):
        pace.begin("a", now)
        pace.record_refusal("a", now)
        pace.record_refusal("a", now)
        pace.end("a")
        rests.append(pace.ready_at("a") - now)
        now = pace.ready_at("a")
    assert rests == [15, 30, 60, 120, 240, 480, 960, 1800, 1800, 1800]
    pace.begin("a", now)
    assert pace.ready_at("a") == math.inf
    pace.record_success("a")
    pace.end("a")
    assert pace.ready_at("a") <= now


def test_a_warm_up_grows_day_by_day() -> None:
    start = date(2026, 12, 1)
    days = [start + timedelta(days=number) for number in (-1, 0, 1, 2)]
    assert [warm_up_limit(day, start, 100, 1.5) for day in days] == [0, 100, 150, 225]
    assert warm_up_limit(start + timedelta(days=900), start, 100, 10) == int(1e12)


def test_a_copy_is_tried_again_later_each_time_and_given_up_after_the_days() -> None:
    now = int(datetime(2026, 11, 23, tzinfo=UTC).timestamp())
    assert [(retry_at(n, now, now, days=4) or 0) - now for n in (1, 2, 3, 7, 50)] == [300, 600, 1200, 14400, 14400]
    assert retry_at(9, now - 4 * 86_400, now, days=4) is None
    assert retry_at(1, now, now, days=4, wait=3600) == now + 3600


@given(code=st.integers(200, 599), words=st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=60))
def test_no_answer_is_too_strange_and_only_words_about_the_address_strike_off(code: int, words: str) -> None:
    from publisher.mail.outcome import RelayFault

    reply = Reply(code=code, lines=(words,))
    assert not message_outcome(reply).suppress or reply.enhanced
    try:
        found = recipient_outcome(reply)
    except RelayFault:
        return
    if found is not None and found.suppress:
        assert reply.enhanced in {"1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"} or code in (550, 551, 553)


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
def test_invisible_characters_around_an_address_are_dropped(char: str) -> None:
    """Spreadsheets and web pages leave them when an address is copied."""
    for text in (f"{char}anna@example.org", f"anna@example.org{char}", f" {char} Anna@example.org {char} "):
        assert parse_address(text).key == "anna@example.org"
    assert parse_named_address(f"Anna <{char}anna@example.org{char}>{char}").text == "anna@example.org"


@pytest.mark.parametrize("char", [char for char in INVISIBLE if char > "\x7f"])
def test_an_invisible_character_inside_an_address_is_refused_by_name(char: str) -> None:
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
def test_a_mailbox_has_the_address_in_its_brackets(text: str) -> None:
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
def test_a_mailbox_that_could_be_two_people_is_refused(text: str) -> None:
    """Nobody is subscribed by a guess."""
    with pytest.raises(ValueError):
        parse_named_address(text)
