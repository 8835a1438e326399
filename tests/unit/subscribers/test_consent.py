"""What a row of an imported list says about whether its subscriber may be mailed."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.model.subscriptions import SubscriptionState as State
from publisher.subscribers import consent_words
from publisher.subscribers.consent import Consent, read_consent
from publisher.subscribers.list_parser import RejectedRow, SubscriberRow, parse_csv, parse_json_lines


def state_of(**cells: object) -> State:
    return read_consent(list(cells.items())).state


def read(cells: dict[str, object]) -> tuple[State, str | None]:
    consent = read_consent(list(cells.items()))
    return consent.state, consent.reason


ACTIVE = (State.ACTIVE, None)
LEFT = (State.UNSUBSCRIBED, None)
UNCONFIRMED = (State.UNCONFIRMED, None)
BOUNCED = (State.SUPPRESSED, "bounced")
COMPLAINED = (State.SUPPRESSED, "complained")
ASKED = (State.SUPPRESSED, "asked")

#: Rows as other programs export them.
DIALECTS: list[tuple[str, dict[str, object], tuple[State, str | None]]] = [
    ("ghost", {"subscribed_to_emails": "true", "deleted_at": "", "complimentary_plan": "false"}, ACTIVE),
    ("ghost", {"subscribed_to_emails": "false", "deleted_at": ""}, LEFT),
    ("ghost", {"subscribed_to_emails": "true", "deleted_at": "2025-03-01T10:00:00.000Z"}, LEFT),
    ("substack", {"active_subscription": "false", "expiry": "", "plan": "other", "email_disabled": "false"}, ACTIVE),
    ("substack", {"active_subscription": "true", "expiry": "", "plan": "yearly", "email_disabled": "true"}, LEFT),
    ("substack", {"Email": "a@b.example", "Type": "Free", "Stripe plan": "", "Cancel date": "2025-01-01"}, LEFT),
    ("substack", {"active_subscription": "false", "email_disabled": "false", "created_at": "2024-01-01"}, ACTIVE),
    ("steady", {"plan_name": "Basic", "subscription_period": "annual", "subscription_state": "active"}, ACTIVE),
    ("steady", {"plan_name": "Basic", "subscription_state": "cancelled"}, LEFT),
    ("patreon", {"Patron Status": "Former patron"}, LEFT),
    ("mailchimp", {"MEMBER_RATING": "2", "OPTIN_TIME": "", "CONFIRM_TIME": "2024-01-01 10:00:00"}, ACTIVE),
    ("mailchimp", {"CONFIRM_TIME": "2024-01-01 10:00:00", "UNSUB_TIME": "2025-01-01 10:00:00"}, LEFT),
    ("mailchimp", {"CONFIRM_TIME": "2024-01-01", "UNSUB_CAMPAIGN_TITLE": "May", "UNSUB_REASON": "NORMAL"}, LEFT),
    ("mailchimp", {"UNSUB_TIME": "2025-01-01", "UNSUB_REASON": "Complained about spam"}, COMPLAINED),
    ("mailchimp", {"CONFIRM_TIME": "2024-01-01", "CLEAN_TIME": "2025-01-01 10:00:00"}, BOUNCED),
    ("mailchimp API", {"status": "transactional"}, LEFT),
    ("buttondown", {"subscriber_type": "regular", "unsubscribe_date": ""}, ACTIVE),
    ("buttondown", {"subscriber_type": "premium"}, ACTIVE),
    ("buttondown", {"subscriber_type": "unactivated"}, UNCONFIRMED),
    ("buttondown", {"subscriber_type": "removed"}, LEFT),
    ("buttondown", {"subscriber_type": "regular", "unsubscription_date": "2025-01-01"}, LEFT),
    ("buttondown", {"type": "unsubscribed"}, LEFT),
    ("buttondown", {"subscriber_type": "undeliverable"}, BOUNCED),
    ("listmonk", {"status": "enabled", "attributes": "{}"}, ACTIVE),
    ("listmonk", {"status": "disabled"}, LEFT),
    ("listmonk", {"status": "blocklisted"}, ASKED),
    ("mailerlite", {"Subscribed": "2024-02-03 10:00:00", "Unsubscribed": ""}, ACTIVE),
    ("mailerlite", {"status": "active", "unsubscribed_at": "2025-01-01 10:00:00"}, LEFT),
    ("mailerlite", {"status": "unconfirmed"}, UNCONFIRMED),
    ("mailerlite", {"status": "junk"}, COMPLAINED),
    ("kit", {"state": "active"}, ACTIVE),
    ("kit", {"state": "cancelled"}, LEFT),
    ("kit", {"state": "inactive"}, LEFT),
    ("kit", {"state": "bounced"}, BOUNCED),
    ("kit", {"state": "complained"}, COMPLAINED),
    ("beehiiv", {"Status": "active", "Subscription Tier": "free"}, ACTIVE),
    ("beehiiv", {"Status": "inactive"}, LEFT),
    ("beehiiv", {"Status": "validating"}, UNCONFIRMED),
    ("sendy", {"unsubscribed": "0", "bounced": "0", "complaint": "0", "confirmed": "1"}, ACTIVE),
    ("sendy", {"unsubscribed": "1", "bounced": "0", "complaint": "0", "confirmed": "1"}, LEFT),
    ("sendy", {"unsubscribed": "0", "bounced": "1", "confirmed": "1"}, BOUNCED),
    ("sendy", {"unsubscribed": "0", "complaint": "1"}, COMPLAINED),
    ("sendy", {"unsubscribed": "0", "confirmed": "0"}, UNCONFIRMED),
    ("brevo", {"EMAIL_BLACKLISTED": "false", "SMS_BLACKLISTED": "true", "DOUBLE_OPT-IN": "1"}, ACTIVE),
    ("brevo", {"emailBlacklisted": True}, ASKED),
    ("brevo", {"DOUBLE_OPT-IN": "2"}, UNCONFIRMED),
    ("campaign monitor", {"State": "Deleted"}, LEFT),
    ("campaign monitor", {"Date Unsubscribed": "1 Feb 2025"}, LEFT),
    ("campaign monitor", {"Date Subscribed": "1 Feb 2025", "Consent to track": "No"}, ACTIVE),
    ("hubspot", {"Unsubscribed from all email": "", "Opted out of email: Weekly": ""}, ACTIVE),
    ("hubspot", {"Unsubscribed from all email": "true"}, LEFT),
    ("hubspot", {"Opted Out": "Yes"}, LEFT),
    ("hubspot", {"Email hard bounce reason": "UNKNOWN_USER"}, BOUNCED),
    ("mailpoet", {"Global Status": "Subscribed", "List status": "Unsubscribed"}, LEFT),
    ("mailpoet", {"Status": "inactive"}, LEFT),
    ("salesforce", {"HasOptedOutOfEmail": "TRUE", "HasOptedOutOfFax": "FALSE"}, LEFT),
    ("salesforce", {"HasOptedOutOfEmail": "FALSE", "HasOptedOutOfFax": "TRUE", "EmailBouncedDate": ""}, ACTIVE),
    ("salesforce", {"EmailBouncedDate": "2025-01-01"}, BOUNCED),
    ("any", {"no_mail": "1"}, LEFT),
    ("any", {"Can email": "no"}, LEFT),
    ("any", {"Email frequency": "never"}, LEFT),
    ("any", {"Email frequency": "weekly"}, ACTIVE),
    ("any", {"Spam score": "0.3"}, LEFT),
    ("any", {"Left on": "2025-01-01"}, LEFT),
    ("any", {"Pending": "yes"}, UNCONFIRMED),
    ("any", {"Confirmation pending": "true"}, UNCONFIRMED),
    ("any", {"Opt-in pending": "true"}, UNCONFIRMED),
    ("any", {"Emails stopped": "2025-01-01"}, LEFT),
    ("klaviyo", {"Email Marketing Consent": "NEVER_SUBSCRIBED"}, LEFT),
    ("klaviyo", {"Email Marketing Consent": "SUBSCRIBED", "SMS Marketing Consent": "UNSUBSCRIBED"}, ACTIVE),
    ("shopify", {"Accepts Email Marketing": "no", "Accepts SMS Marketing": "no"}, LEFT),
    ("aweber", {"Status": "unsubscribed", "Stop Time": "01/02/25", "Stop Status": "unsubscribed"}, LEFT),
    ("aweber", {"Status": "subscribed", "Stop Time": "", "Stop Status": "subscribed"}, ACTIVE),
    ("constant contact", {"Email status": "Active", "Confirmed Opt-Out Date": "2025-01-01"}, LEFT),
    ("mailup", {"OptOut_Date": "20250122T111244"}, LEFT),
    ("german", {"Abgemeldet am": "01.02.2025"}, LEFT),
    ("german", {"Status": "abgemeldet"}, LEFT),
    ("german", {"Gelöscht": "ja"}, LEFT),
    ("german", {"Angemeldet": "nein"}, LEFT),
    ("german", {"Bestätigt": "nein"}, UNCONFIRMED),
    ("german", {"Status": "aktiv", "Anmeldedatum": "01.02.2020", "Abmeldedatum": ""}, ACTIVE),
    ("french", {"Désabonné": "oui"}, LEFT),
    ("french", {"Désabonné": "non"}, ACTIVE),
    ("french", {"Statut": "Désinscrit"}, LEFT),
    ("french", {"Abonné": "non"}, LEFT),
    ("french", {"Statut": "Non confirmé"}, UNCONFIRMED),
    ("spanish", {"Fecha de baja": "2025-02-01"}, LEFT),
    ("spanish", {"Estado": "Dado de baja"}, LEFT),
    ("spanish", {"Suscrito": "sí"}, ACTIVE),
    ("spanish", {"Suscrito": "no"}, LEFT),
    ("italian", {"Stato": "disiscritto"}, LEFT),
    ("dutch", {"Uitgeschreven": "ja"}, LEFT),
    ("portuguese", {"Descadastrado em": "2025-02-01"}, LEFT),
]


@pytest.mark.parametrize(("dialect", "cells", "expected"), DIALECTS)
def test_the_lists_of_other_programs_are_understood(
    dialect: str, cells: dict[str, object], expected: tuple[State, str | None]
) -> None:
    """Each row has the state that its program means."""
    assert read(cells) == expected, dialect


@pytest.mark.parametrize("value", ["Gold", "?", "2", "true", "past_due", "s", "vip customer"])
@pytest.mark.parametrize("name", ["status", "subscription status", "SubscriptionStatus", "email_state"])
def test_a_status_that_is_not_understood_is_not_active_and_reported(name: str, value: str) -> None:
    """The safe meaning of an unknown word is unsubscribed."""
    consent = read_consent([(name, value)])
    assert (consent.state, consent.columns, consent.unclear) == (State.UNSUBSCRIBED, (name,), ((name, value),))


@pytest.mark.parametrize("value", [None, True, False, 1, 2.5, {"a": 1}, ["active"], []])
def test_a_json_status_that_is_not_text_is_not_active(value: object) -> None:
    """A status is a word; anything else is not understood."""
    consent = read_consent([("status", value)])
    assert consent.state is not State.ACTIVE
    assert consent.unclear


@pytest.mark.parametrize("value", ["", "-", "—", "no", "FALSE", "0", "0.0", "null", "N/A", "never", "0000-00-00 00:00:00",
                                   "0000-00-00", "0001-01-01T00:00:00Z", "[]", "\u00a0"])  # fmt: skip
@pytest.mark.parametrize("name", ["unsubscribed", "deleted_at", "UNSUB_TIME", "bounced", "Opted out", "abgemeldet am"])
def test_no_zero_and_nothing_in_an_unsubscription_column_mean_active(name: str, value: str) -> None:
    """Databases write a missing date in several ways."""
    assert read_consent([(name, value)]) == Consent()


@pytest.mark.parametrize(
    "value", ["true", "1", "x", "✓", "✗", "2", "2025-01-01", "1970-01-01", "too many mails", "off and on"]
)
@pytest.mark.parametrize(
    "name", ["unsubscribed", "deleted_at", "UNSUB_TIME", "Opted out", "Désabonné le", "emailOptOut"]
)
def test_any_other_value_in_an_unsubscription_column_means_inactive(name: str, value: str) -> None:
    """A date, a reason, a mark or a sentence: the column says what it means."""
    assert read_consent([(name, value)]).state is State.UNSUBSCRIBED


@pytest.mark.parametrize("value", ["no", "0", "maybe", "x", "2", "0000-00-00", "off", "☐"])
@pytest.mark.parametrize("name", ["subscribed", "Subscribed to emails", "isActive", "opt-in", "marketing_consent"])
def test_only_a_clear_yes_in_a_column_of_subscriptions_is_active(name: str, value: str) -> None:
    """Zero dates, crosses and numbers are no yes."""
    assert read_consent([(name, value)]).state is State.UNSUBSCRIBED


@pytest.mark.parametrize("value", ["", "-", None])
@pytest.mark.parametrize("name", ["subscribed", "confirmed", "opt-in", "CONFIRM_TIME"])
def test_an_empty_cell_in_a_column_of_subscriptions_is_unconfirmed(name: str, value: str | None) -> None:
    """It is not a yes, so not active; nor does it mean unsubscribed."""
    consent = read_consent([(name, value)])
    assert (consent.state, consent.columns) == (State.UNCONFIRMED, (name,))


def test_the_end_of_a_subscription_means_inactive_unless_it_was_paid() -> None:
    """What was paid for ends; the mail may go on."""
    assert state_of(subscription_end_date="2025-01-01") is State.UNSUBSCRIBED
    assert state_of(subscription_end_date="2025-01-01", plan="yearly") is State.ACTIVE


def test_an_opinion_about_spam_is_no_complaint() -> None:
    """A complaint bars an address for good, so that only a plain one counts."""
    assert read({"Unsubscribe reason": "The mails look like spam to me"}) == LEFT
    assert read({"Unsubscribe reason": "spam report"}) == COMPLAINED


@pytest.mark.parametrize(
    "name",
    [
        "unsubscribe_url",
        "Subscription ID",
        "subscriber_id",
        "OPTIN_IP",
        "subscribed_at",
        "Opt-in source",
        "First name",
        "State/Province",
        "payment_status",
        "subscription_tier",
        "last_active_at",
        "Phone No",
        "Department",
        "status_changed_at",
        "marital status",
        "Marketing emails opened",
        "Newsletter name",
        "Active campaigns",
        "Bus stop",
        "Waiting list",
        "Left handed",
        "Cleaning service",
        "Has Opted Out Of Fax",
    ],
)
def test_columns_about_something_else_do_not_decide(name: str) -> None:
    """Links, ids, places, payments and other circumstances say nothing about consent."""
    assert state_of(**{name: "https://x.example/u/1"}) is State.ACTIVE
    assert state_of(**{name: "Baja California"}) is State.ACTIVE
    assert state_of(**{name: 0}) is State.ACTIVE


@pytest.mark.parametrize("name", ["Notes", "Group", "First name", "payment_status", "subscribed_at", "Segment", ""])
@pytest.mark.parametrize("value", ["unsubscribed", "Hard bounce", "OPTED OUT", "abgemeldet", "un\u00adsubscribed"])
def test_a_plain_unsubscription_counts_in_any_column(name: str, value: str) -> None:
    """Editors note an unsubscription in any free column."""
    assert read_consent([(name, value)]).state is not State.ACTIVE


def test_active_subscription_is_a_payment_only_beside_other_payments() -> None:
    """Substack's column is about money; without such columns it may be about mail."""
    assert state_of(active_subscription="false", plan="other") is State.ACTIVE
    assert state_of(active_subscription="false") is State.UNSUBSCRIBED


def test_the_safest_of_several_columns_wins_and_is_named() -> None:
    """Suppressed is safer than unsubscribed, unsubscribed safer than unconfirmed."""
    cells = [("status", "active"), ("confirmed", "no"), ("unsubscribed", "yes"), ("deleted", "2025-01-01")]
    assert read_consent(cells).columns == ("unsubscribed", "deleted")
    consent = read_consent([*cells, ("Bounced", "1"), ("complaints", "1")])
    assert (consent.state, consent.reason, consent.columns) == (State.SUPPRESSED, "complained", ("complaints",))
    assert read_consent([("status", "unsubscribed"), ("status", "active")]).state is State.UNSUBSCRIBED


def test_nested_json_is_searched_for_inactive_states() -> None:
    """An object in a column about something else may hold the status of each newsletter."""
    assert state_of(attributes={"crm": {"unsubscribed": True}}) is State.UNSUBSCRIBED
    assert state_of(newsletters=[{"name": "Weekly", "status": "unsubscribed"}]) is State.UNSUBSCRIBED
    assert state_of(attributes={"city": "Bern", "unsubscribed": False}) is State.ACTIVE
    assert read_consent([("attributes", {"unsubscribed": 1})]).columns == ("attributes.unsubscribed",)


STYLES = {
    "snake": "_".join,
    "upper": lambda words: "_".join(words).upper(),
    "spaces": " ".join,
    "title": lambda words: " ".join(words).title(),
    "hyphens": "-".join,
    "camel": lambda words: words[0] + "".join(word.title() for word in words[1:]),
}
INVISIBLE = ["", " ", "\u00a0", "\u200b", "\ufeff", "\t", "\u2060 "]


@given(
    words=st.sampled_from(
        ["unsubscribed at", "email disabled", "opted out", "is deleted", "date unsubscribed", "unsub time"]
    ),
    style=st.sampled_from(sorted(STYLES)),
    before=st.sampled_from(INVISIBLE),
    after=st.sampled_from(INVISIBLE),
    value=st.sampled_from(["true", "Yes", "1", "2025-01-01", "reason unknown"]),
)
def test_an_unsubscription_is_found_in_any_spelling_of_its_column(
    words: str, style: str, before: str, after: str, value: str
) -> None:
    """Case, separators and invisible characters make no difference."""
    name = before + STYLES[style](words.split()) + after
    assert read_consent([(name, before + value + after)]).state is State.UNSUBSCRIBED


@given(
    st.lists(st.tuples(st.text(max_size=20), st.one_of(st.text(max_size=20), st.none(), st.booleans(), st.integers())))
)
def test_any_cells_have_a_state(cells: list[tuple[str, object]]) -> None:
    """Hostile names and values raise nothing, and an inactive state names its columns."""
    consent = read_consent(cells)
    assert (consent.state is State.ACTIVE) == (not consent.columns)
    assert all(name.isprintable() for name in consent.columns)


@given(st.from_regex(consent_words._PLAIN_ANYWHERE, fullmatch=True), st.sampled_from([str, str.upper, str.title]))
def test_the_fast_path_misses_no_inactive_state(words: str, style: Callable[[str], str]) -> None:
    """Most cells are skipped quickly; none with an inactive state may be."""
    assert consent_words.may_be_inactive_state(style(words))
    assert read_consent([("note", style(words))]).state is not State.ACTIVE


def rows(text: str, *, as_json: bool = False) -> list[SubscriberRow | RejectedRow]:
    parse = parse_json_lines if as_json else parse_csv
    return list(parse(io.StringIO(text, newline=""), ["daily"], on_note=lambda note: None))


def states(text: str, *, as_json: bool = False) -> list[object]:
    return [row.state if isinstance(row, SubscriberRow) else row.reason for row in rows(text, as_json=as_json)]


def test_an_inactive_row_counts_in_spite_of_other_errors_in_it() -> None:
    """A bad zone or an unknown digest must not hide an unsubscription."""
    text = "email,status,zone,language,digests\nann@example.org,unsubscribed,Mars/Olympus,??,weekly\n"
    assert states(text) == [State.UNSUBSCRIBED]


def test_no_column_of_the_same_name_hides_another() -> None:
    """Two columns or fields of one name are both read, and an empty second address is no address."""
    assert states("email,status,status,Email\nann@example.org,unsubscribed,active,\n") == [State.UNSUBSCRIBED]
    assert states('{"email": "ann@example.org", "deleted": true, "deleted": false}', as_json=True) == [
        State.UNSUBSCRIBED
    ]


def test_missing_cells_of_a_short_row_do_not_mean_subscribed() -> None:
    """A missing cell is an empty one."""
    assert states("email,subscribed\nann@example.org\n") == [State.UNCONFIRMED]


def test_a_truncated_row_is_rejected() -> None:
    """The missing end of a very long row may contain an unsubscription."""
    text = f"email,note,unsubscribed\nann@example.org,{'n' * 70_000},yes\nbo@example.org,,\n"
    found = states(text)
    assert found[0] == "is longer than 64 KiB"
    assert found[-1] is State.ACTIVE


def test_an_open_quotation_mark_hides_no_unsubscription() -> None:
    """A row that swallows others is rejected, with how many lines it took."""
    text = 'email,note,unsubscribed\nann@example.org,"5" nails,yes\nbo@example.org,"tall,yes\ncy@example.org,,\n'
    assert states(text)[0] is State.UNSUBSCRIBED
    assert str(states(text)[1]).startswith("goes over 2 lines")
    closed = 'email,note,unsubscribed\nbo@example.org,"tall,yes\ncy@example.org,x",\ndi@example.org,"a\nb",\n'
    found = states(closed)
    assert str(found[0]).startswith("goes over 2 lines")
    assert found[1:] == [State.ACTIVE]
    for end in ("", "\n"):
        [last] = states('email,note,unsubscribed\nbo@example.org,"tall,yes' + end)
        assert str(last).startswith("has 2 cells, the header has 3")


def test_an_unreadable_header_is_rejected() -> None:
    """An unreadable column may be the one with the unsubscriptions."""
    from publisher.errors import SettingsError

    with pytest.raises(SettingsError, match="UTF-8"):
        rows("email,D\ufffdsabonn\ufffd\nann@example.org,oui\n")
    assert states('{"email": "ann@example.org", "D\ufffdsabonn\ufffd": "oui"}', as_json=True) == [
        "is not UTF-8: save the list as UTF-8"
    ]


def test_padding_and_trailing_commas_are_harmless() -> None:
    """Spaces around names and values, and cells without a column, change nothing."""
    text = "email          ,\u00a0status\u00a0 ,\nann@example.org  , active\u200b ,\nbo@example.org , unsubscribed,,,\n"
    assert states(text) == [State.ACTIVE, State.UNSUBSCRIBED]


def test_a_name_before_the_address_is_not_part_of_it() -> None:
    """Mail programs copy addresses with the name."""
    [row] = rows('email\n"Example, Ann <ann@example.org>"\n')
    assert isinstance(row, SubscriberRow)
    assert row.address.text == "ann@example.org"
