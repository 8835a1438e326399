"""Subscribing by the form: double opt-in, rate limits, welcome issues."""

from __future__ import annotations

import pytest

from publisher.model.subscriptions import ChangeSource
from publisher.storage import job_queue
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import StateChange
from publisher.subscriptions.confirmation_store import CONFIRMATION
from tests.conftest import NOW
from tests.support.smtp import Script
from tests.support.subscriber_site import ANN, BASE, SubscriberSite, call_at_once, href_of
from tests.support.use_cases import add_subscriber, erase_subscriber, suppress_by_operator
from tests.support.web_visitor import Visitor

# -- subscribing -------------------------------------------------------------------------------------


def test_a_subscription_is_active_only_after_the_confirmation(subscriber_site: SubscriberSite) -> None:
    """The form and the link alone change nothing; the button on the confirmation page subscribes."""
    page = subscriber_site.visitor.get(f"{BASE}/join?digest=weekly")
    assert page.status == 200 and 'value="weekly" checked' in page.text and 'value="daily" checked' not in page.text
    answer = subscriber_site.subscribe(ANN, ("daily", "weekly"), topics="Water", zone="Africa/Lagos")
    assert (answer.status, answer.heading) == (200, "Check your email") and subscriber_site.wakeups == [
        "confirmation-emails"
    ]
    assert subscriber_site.subscriber() is None
    (email,) = subscriber_site.deliver_emails()
    assert email.recipient == ANN and "The Daily and The Weekly" in email.words
    for _ in range(3):
        # Scanners fetch every link.
        looked = subscriber_site.visitor.get(email.link)
        assert looked.heading == "One last step" and "The Daily, The Weekly" in looked.text
    assert subscriber_site.visitor.request("HEAD", email.link).status == 200
    assert subscriber_site.subscriber() is None
    assert subscriber_site.visitor.post(email.link, {"yes": "yes"}).heading == "Welcome"
    found = subscriber_site.subscriber()
    assert found is not None and set(found.digests) == {"daily", "weekly"} and found.zone == "Africa/Lagos"
    assert found.follows["topics"] == ("Water",)


def test_a_confirmation_email_has_no_list_headers(subscriber_site: SubscriberSite) -> None:
    """A confirmation email is no bulk mail, so it has no unsubscribe link."""
    subscriber_site.subscribe()
    (email,) = subscriber_site.deliver_emails()
    message = email.message
    assert {"List-Unsubscribe", "List-Id", "Precedence"}.isdisjoint(message.keys())
    assert message["Auto-Submitted"] == "auto-generated" and message["To"] == ANN
    kinds = [one.get_content_type() for one in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert "ignore this message" in email.text and "Monday, 30 November 2026" in email.words


def test_the_form_does_not_reveal_whether_an_address_is_subscribed(subscriber_site: SubscriberSite) -> None:
    """The page is the same for known and unknown addresses."""
    add_subscriber(subscriber_site.kit.site, "known@mail.example.org", NOW, digests=["daily"])
    suppress_by_operator(subscriber_site.kit.site, "gone@mail.example.org", NOW)
    pages = {
        subscriber_site.subscribe(name).text.replace(name, "X")
        for name in (ANN, "known@mail.example.org", "gone@mail.example.org")
    }
    assert len(pages) == 1
    came = {one.recipient: one for one in subscriber_site.deliver_emails()}
    assert set(came) == {ANN, "known@mail.example.org"}
    known = came["known@mail.example.org"]
    assert "You are already subscribed" in known.subject
    assert subscriber_site.visitor.get(known.link).heading == "Your newsletters"


def test_an_address_gets_at_most_one_confirmation_email_a_day(subscriber_site: SubscriberSite) -> None:
    """Repeated forms send no further emails."""
    subscriber_site.replace_setting("[smtp]", '[web]\nform_limit = "1000/hour"\nnetwork_limit = "1000/hour"\n\n[smtp]')
    for spelling in (ANN, "Ann@MAIL.example.org", ANN):
        subscriber_site.subscribe(spelling)
    subscriber_site.advance(hours=23)
    subscriber_site.subscribe(ANN, ("weekly",))
    assert len(subscriber_site.deliver_emails()) == 1
    subscriber_site.advance(hours=2)
    subscriber_site.subscribe()
    (again,) = subscriber_site.deliver_emails()
    subscriber_site.visitor.post(again.link)
    assert subscriber_site.subscriber() is not None


def test_a_confirmation_applies_to_the_latest_request(subscriber_site: SubscriberSite) -> None:
    """A second form replaces the request of the first."""
    subscriber_site.subscribe(ANN, ("daily",))
    (email,) = subscriber_site.deliver_emails()
    subscriber_site.subscribe(ANN, ("weekly",))
    subscriber_site.visitor.post(email.link)
    found = subscriber_site.subscriber()
    assert found is not None and found.digests == ("weekly",)


def test_a_confirmation_link_works_once_and_expires(subscriber_site: SubscriberSite) -> None:
    """A link used again after an erasure, or an expired one, subscribes nobody."""
    subscriber_site.subscribe()
    (email,) = subscriber_site.deliver_emails()
    assert subscriber_site.visitor.post(email.link).heading == "Welcome"
    erase_subscriber(subscriber_site.kit.site, ANN, subscriber_site.clock.now())
    # A repeated confirmation does not resubscribe an erased person.
    assert subscriber_site.visitor.post(email.link).status == 404 and subscriber_site.subscriber() is None
    subscriber_site.subscribe("late@mail.example.org")
    (late,) = subscriber_site.deliver_emails()
    subscriber_site.advance(days=7, seconds=1)
    assert subscriber_site.visitor.get(late.link).status == 410
    assert (
        subscriber_site.visitor.post(late.link).status == 410
        and subscriber_site.subscriber("late@mail.example.org") is None
    )


def test_a_repeated_confirmation_changes_nothing(subscriber_site: SubscriberSite) -> None:
    """A double click does not subscribe again after an unsubscription."""
    subscriber_site.subscribe()
    (email,) = subscriber_site.deliver_emails()
    subscriber_site.visitor.post(email.link)
    found = subscriber_site.subscriber()
    assert found is not None
    with subscriber_site.kit.open() as db, db.write() as connection:
        subscriptions.unsubscribe(connection, found.id, StateChange(ChangeSource.OPERATOR, int(NOW.timestamp())))
    assert subscriber_site.visitor.post(email.link).heading == "Welcome"
    after = subscriber_site.subscriber()
    assert after is not None and after.digests == ()


@pytest.mark.parametrize("token", ["", "x", "WzEsMV0.x", "a" * 3000, "%00", "WzEsOTk5OTk5OTk5OV0.AAAA"])
def test_a_forged_confirmation_link_does_nothing(subscriber_site: SubscriberSite, token: str) -> None:
    """A token without a valid signature is answered with 404."""
    assert subscriber_site.visitor.get(f"{BASE}/confirm?t={token}").status == 404
    assert subscriber_site.visitor.post(f"{BASE}/confirm?t={token}").status == 404
    assert subscriber_site.visitor.get(f"{BASE}/preferences?t={token}").status == 404


def test_a_link_token_works_for_its_purpose_only(subscriber_site: SubscriberSite) -> None:
    """A token for preferences does not confirm a subscription."""
    subscriber_site.subscribe()
    (email,) = subscriber_site.deliver_emails()
    token = email.link.partition("t=")[2]
    assert subscriber_site.visitor.get(f"{BASE}/preferences?t={token}").status == 404
    link = href_of(subscriber_site.visitor.post(email.link), "preferences")
    assert subscriber_site.visitor.get(f"{BASE}/confirm?t={link.partition('t=')[2]}").status == 404


def test_links_stay_valid_when_signing_keys_are_rotated(
    subscriber_site: SubscriberSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Links of an older key work until that key is removed."""
    monkeypatch.setenv("OLD", "o" * 32)
    monkeypatch.setenv("NEW", "n" * 32)
    subscriber_site.replace_setting("[smtp]", '[web]\nkeys = [{ env = "OLD" }]\n\n[smtp]')
    subscriber_site.subscribe()
    (email,) = subscriber_site.deliver_emails()
    subscriber_site.replace_setting('keys = [{ env = "OLD" }]', 'keys = [{ env = "NEW" }, { env = "OLD" }]')
    assert subscriber_site.visitor.get(email.link).status == 200
    subscriber_site.replace_setting('keys = [{ env = "NEW" }, { env = "OLD" }]', 'keys = [{ env = "NEW" }]')
    assert subscriber_site.visitor.get(email.link).status == 404


def test_erased_people_can_subscribe_again_but_suppressed_ones_cannot(subscriber_site: SubscriberSite) -> None:
    """An erasure is undone by a confirmation; an operator's suppression is not."""
    link = subscriber_site.subscribe_and_confirm()
    erase_subscriber(subscriber_site.kit.site, ANN, NOW)
    subscriber_site.advance(days=2)
    assert subscriber_site.visitor.get(link).heading == "You get no newsletters from us"
    subscriber_site.subscribe_and_confirm()
    assert subscriber_site.subscriber() is not None
    suppress_by_operator(subscriber_site.kit.site, ANN, NOW, note="complained")
    subscriber_site.advance(days=2)
    subscriber_site.subscribe()
    assert subscriber_site.deliver_emails() == []


# Refused before the database is asked.
@pytest.mark.parametrize("subscriber_site", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    "address",
    [
        "",
        "ann",
        "ann@",
        "ann@x",
        "ann@mail.example.org\nBcc: all@mail.example.org",
        "a" * 400 + "@x.example",
        "ann@[10.0.0.1]",
    ],
)
def test_the_form_names_the_error_in_an_address(subscriber_site: SubscriberSite, address: str) -> None:
    """An invalid address is rejected with a reason."""
    answer = subscriber_site.subscribe(address)
    assert answer.status == 422 and "That is not a valid address" in answer.text
    assert subscriber_site.deliver_emails() == []


def test_a_filled_honeypot_field_sends_no_email(subscriber_site: SubscriberSite) -> None:
    """Only programs fill in the hidden field."""
    assert subscriber_site.subscribe(website="https://spam.example").heading == "Check your email"
    assert subscriber_site.deliver_emails() == []


def test_unknown_digests_and_labels_are_ignored(subscriber_site: SubscriberSite) -> None:
    """A request keeps only digests and labels that exist."""
    subscriber_site.subscribe_and_confirm(
        digests=("daily", "nonsense"), topics=["Water", "<script>"], zone="Nowhere/Else"
    )
    found = subscriber_site.subscriber()
    assert found is not None and found.digests == ("daily",)
    assert found.follows["topics"] == ("Water",) and found.zone is None
    answer = subscriber_site.subscribe("other@mail.example.org", ("nonsense",))
    assert answer.status == 422 and "Choose at least one" in answer.text


def test_confirmation_emails_are_retried_and_given_up_in_the_end(subscriber_site: SubscriberSite) -> None:
    """A server that is down delays emails; after the last attempt they are dropped."""
    refusals = ["451 later", "451 later"]
    subscriber_site.server.script = Script(
        at=lambda step, argument, number: refusals.pop() if step == "rcpt" and refusals else None
    )
    subscriber_site.subscribe()
    assert subscriber_site.deliver_emails() == []
    subscriber_site.advance(minutes=3)
    assert subscriber_site.deliver_emails() == []
    subscriber_site.advance(minutes=6)
    assert len(subscriber_site.deliver_emails()) == 1
    subscriber_site.server.script = Script(
        at=lambda step, argument, number: "550 no such user" if step == "rcpt" else None
    )
    subscriber_site.subscribe("nobody@mail.example.org")
    assert subscriber_site.deliver_emails() == []
    with subscriber_site.kit.open() as db, db.read() as connection:
        assert job_queue.next_due_time(connection, CONFIRMATION) is None


@pytest.mark.postgresql
def test_two_senders_send_each_confirmation_email_once(subscriber_site: SubscriberSite) -> None:
    """A claimed email is not sent by another process."""
    subscriber_site.subscribe()
    with subscriber_site.kit.open() as db, db.write() as connection:
        now = int(subscriber_site.clock.now().timestamp())
        assert len(job_queue.claim(connection, [CONFIRMATION], now, lease=300, limit=10)) == 1
        assert job_queue.claim(connection, [CONFIRMATION], now, lease=300, limit=10) == []
    assert subscriber_site.deliver_emails() == []
    # The sender that claimed them died: the claim expires.
    subscriber_site.advance(minutes=6)
    assert len(subscriber_site.deliver_emails()) == 1


# -- at the same moment ----------------------------------------------------------------------------


@pytest.mark.postgresql
def test_concurrent_forms_of_several_people_all_send_an_email(subscriber_site: SubscriberSite) -> None:
    """Requests at the same time do not lose an email."""
    names = [f"reader{number}@mail.example.org" for number in range(8)]
    visitors = [Visitor(subscriber_site.web, f"203.0.{number}.9") for number in range(8)]
    call_at_once(
        [
            lambda guest=guest, name=name: guest.post(f"{BASE}/join", {"address": name, "digest": "daily"})
            for guest, name in zip(visitors, names, strict=True)
        ]
    )
    found = subscriber_site.deliver_emails()
    assert sorted(one.recipient for one in found) == names
    answers = call_at_once(
        [
            lambda guest=guest, one=one: guest.post(one.link, {"yes": "yes"})
            for guest, one in zip(visitors, found, strict=True)
        ]
    )
    assert [one.heading for one in answers] == ["Welcome"] * 8
    assert len({getattr(subscriber_site.subscriber(name), "id", None) for name in names} - {None}) == 8


@pytest.mark.postgresql
def test_concurrent_forms_for_one_address_send_one_email(subscriber_site: SubscriberSite) -> None:
    """Requests at the same time do not send duplicates."""
    visitors = [Visitor(subscriber_site.web, f"203.0.{number}.9") for number in range(8)]
    answers = call_at_once(
        [lambda guest=guest: guest.post(f"{BASE}/join", {"address": ANN, "digest": "daily"}) for guest in visitors]
    )
    assert [one.status for one in answers] == [200] * 8
    (email,) = subscriber_site.deliver_emails()
    answers = call_at_once([lambda guest=guest: guest.post(email.link, {"yes": "yes"}) for guest in visitors])
    assert [one.heading for one in answers] == ["Welcome"] * 8 and subscriber_site.subscriber() is not None


def test_a_link_of_an_erased_email_never_applies_to_a_later_one(subscriber_site: SubscriberSite) -> None:
    """Numbers are not reused: otherwise an old link would open the email of another person."""
    subscriber_site.subscribe()
    (first,) = subscriber_site.deliver_emails()
    subscriber_site.submit_preferences(
        href_of(subscriber_site.visitor.post(first.link, {"yes": "yes"}), "preferences"), "erase"
    )
    (second,) = subscriber_site.deliver_emails()
    assert subscriber_site.visitor.post(second.link, {"yes": "yes"}).heading == "Your data is erased"
    subscriber_site.subscribe("bob@mail.example.org")
    subscriber_site.subscribe("cid@mail.example.org")
    assert len(subscriber_site.deliver_emails()) == 2
    for link in (first.link, second.link):
        for answer in (subscriber_site.visitor.get(link), subscriber_site.visitor.post(link, {"yes": "yes"})):
            assert answer.status == 404 and "@mail" not in answer.text
    assert (
        subscriber_site.subscriber("bob@mail.example.org") is None
        and subscriber_site.subscriber("cid@mail.example.org") is None
    )
