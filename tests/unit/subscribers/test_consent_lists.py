"""Departures in columns, words and lists that only some programs export."""

from __future__ import annotations

import io
import json

import pytest

from publisher.model.subscriptions import SubscriptionState
from publisher.subscribers.consent import read_consent
from publisher.subscribers.list_parser import SubscriberRow, parse_csv, parse_json_lines


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("suspend", "1"),
        ("suspended_till", "2099-01-01"),
        ("terminated", "yes"),
        ("quarantined", "true"),
        ("muted", "1"),
        ("deceased", "x"),
        ("verstorben", "ja"),
        ("anonymized_at", "2026-01-01"),
        ("dnc", "1"),
        ("Werbesperre", "ja"),
        ("Austritt", "31.12.2025"),
        ("never_mail", "1"),
        ("delivery_mode", "no mail"),
        ("is_valid", "false"),
        ("valid email", "no"),
        ("receive_newsletter", "No thanks"),
        ("Статус", "отписан"),
        ("Отписался", "да"),
        ("状态", "已退订"),
        ("ステータス", "配信停止"),
        ("κατάσταση", "διαγραμμένος"),
        ("groups", "vip, unsubscribed"),
        ("groups", "opt-outs | vip"),
        ("segment", "Zurich; Bounced"),
    ],
)
def test_words_for_unsubscribed_are_recognised(column: str, value: str) -> None:
    """Nobody with such a value is active."""
    consent = read_consent([(column, value)])
    assert consent.state is not SubscriptionState.ACTIVE and consent.columns == (column,)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("suspended", "false"),
        ("suspended_till", ""),
        ("valid_until", "2020-01-01"),
        ("is_valid", "true"),
        ("delivery_mode", "summary"),
        ("newsletter", "Nordic News"),
        ("Статус", "active"),
        ("groups", "vip, bounce house fans, opted"),
        ("city", "Unterseen, Bern"),
    ],
)
def test_unrelated_values_mean_active(column: str, value: str) -> None:
    """Words for inactive states inside other words, and their negation, mean nothing."""
    assert read_consent([(column, value)]).state is SubscriptionState.ACTIVE


def test_a_tag_for_unsubscribed_people_counts() -> None:
    """Tags are a column of ours, and their words are read as those of any other column."""
    text = "address,tags\na@mail.example.org,Water | Unsubscribed\nb@mail.example.org,Water | Trade\n"
    rows = list(parse_csv(io.StringIO(text), ["daily"], on_note=lambda note: None))
    line = json.dumps({"address": "c@mail.example.org", "tags": ["Water", "do not email"]})
    rows += parse_json_lines(io.StringIO(line), ["daily"], on_note=lambda note: None)
    states = [row.state for row in rows if isinstance(row, SubscriberRow)]
    assert states == [SubscriptionState.UNSUBSCRIBED, SubscriptionState.ACTIVE, SubscriptionState.UNSUBSCRIBED]


def test_the_safest_word_of_a_list_counts() -> None:
    """A complaint outranks an unsubscription, in any position."""
    consent = read_consent([("groups", "unsubscribed, vip, spam complaint")])
    assert (consent.state, consent.reason) == (SubscriptionState.SUPPRESSED, "complained")
