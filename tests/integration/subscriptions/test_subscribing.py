"""Readers join by their own letters, and nobody joins for them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from publisher.delivery.deliver import deliver
from publisher.digests import store as issues
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import Act, ChangeSource
from publisher.subscriptions import confirmation_store as letters
from publisher.subscriptions.manage import add, forget, suppress
from tests.conftest import NOW
from tests.support.smtp import Script
from tests.support.subscriber_site import ANN, BASE, Town, href_of, together
from tests.support.web_visitor import Visitor

# -- joining -------------------------------------------------------------------------------------


def test_nobody_is_on_a_list_before_she_has_pressed_the_button(town: Town) -> None:
    page = town.ann.get(f"{BASE}/join?digest=weekly")
    assert page.status == 200 and 'value="weekly" checked' in page.text and 'value="daily" checked' not in page.text
    answer = town.join(ANN, ("daily", "weekly"), topics="Water", zone="Africa/Lagos")
    assert (answer.status, answer.heading) == (200, "Check your email") and town.woken == ["confirmation-emails"]
    assert town.reader() is None
    (letter,) = town.post_office()
    assert letter.recipient == ANN and "The Daily and The Weekly" in letter.words
    for _ in range(3):
        # A scanner looks at every link.
        looked = town.ann.get(letter.link)
        assert looked.heading == "One last step" and "The Daily, The Weekly" in looked.text
    assert town.ann.ask("HEAD", letter.link).status == 200
    assert town.reader() is None
    assert town.ann.post(letter.link, {"yes": "yes"}).heading == "Welcome"
    found = town.reader()
    assert found is not None and set(found.digests) == {"daily", "weekly"} and found.zone == "Africa/Lagos"
    assert found.follows["topics"] == ("Water",)


def test_the_letter_is_a_letter_and_no_newsletter(town: Town) -> None:
    town.join()
    (letter,) = town.post_office()
    message = letter.message
    assert {"List-Unsubscribe", "List-Id", "Precedence"}.isdisjoint(message.keys())
    assert message["Auto-Submitted"] == "auto-generated" and message["To"] == ANN
    kinds = [one.get_content_type() for one in message.walk()]
    assert kinds == ["multipart/alternative", "text/plain", "text/html"]
    assert "ignore this message" in letter.text and "Monday, 30 November 2026" in letter.words


def test_an_answer_tells_nobody_whether_an_address_is_known(town: Town) -> None:
    add(town.kit.site, "known@mail.example.org", NOW, digests=["daily"])
    suppress(town.kit.site, "gone@mail.example.org", NOW)
    pages = {
        town.join(name).text.replace(name, "X") for name in (ANN, "known@mail.example.org", "gone@mail.example.org")
    }
    assert len(pages) == 1
    came = {one.recipient: one for one in town.post_office()}
    assert set(came) == {ANN, "known@mail.example.org"}
    known = came["known@mail.example.org"]
    assert "You are already subscribed" in known.subject
    assert town.ann.get(known.link).heading == "Your newsletters"


def test_an_address_gets_one_letter_a_day_however_often_it_is_filled_in(town: Town) -> None:
    town.settings("[smtp]", '[web]\nform_limit = "1000/hour"\nnetwork_limit = "1000/hour"\n\n[smtp]')
    for spelling in (ANN, "Ann@MAIL.example.org", ANN):
        town.join(spelling)
    town.pass_time(hours=23)
    town.join(ANN, ("weekly",))
    assert len(town.post_office()) == 1
    town.pass_time(hours=2)
    town.join()
    (again,) = town.post_office()
    town.ann.post(again.link)
    assert town.reader() is not None


def test_what_was_asked_last_is_what_the_letter_is_about(town: Town) -> None:
    town.join(ANN, ("daily",))
    (letter,) = town.post_office()
    town.join(ANN, ("weekly",))
    town.ann.post(letter.link)
    found = town.reader()
    assert found is not None and found.digests == ("weekly",)


def test_a_letter_is_answered_once_and_in_time(town: Town) -> None:
    town.join()
    (letter,) = town.post_office()
    assert town.ann.post(letter.link).heading == "Welcome"
    forget(town.kit.site, ANN, town.clock.now())
    # A replay brings nobody back who has gone since.
    assert town.ann.post(letter.link).status == 404 and town.reader() is None
    town.join("late@mail.example.org")
    (late,) = town.post_office()
    town.pass_time(days=7, seconds=1)
    assert town.ann.get(late.link).status == 410
    assert town.ann.post(late.link).status == 410 and town.reader("late@mail.example.org") is None


def test_an_answer_given_twice_changes_nothing(town: Town) -> None:
    town.join()
    (letter,) = town.post_office()
    town.ann.post(letter.link)
    found = town.reader()
    assert found is not None
    with town.kit.open() as db, db.write() as connection:
        subscriptions.unsubscribe(connection, found.id, Act(ChangeSource.OPERATOR, int(NOW.timestamp())))
    assert town.ann.post(letter.link).heading == "Welcome"
    after = town.reader()
    assert after is not None and after.digests == ()


@pytest.mark.parametrize("seal", ["", "x", "WzEsMV0.x", "a" * 3000, "%00", "WzEsOTk5OTk5OTk5OV0.AAAA"])
def test_a_link_that_is_not_ours_does_nothing(town: Town, seal: str) -> None:
    assert town.ann.get(f"{BASE}/confirm?t={seal}").status == 404
    assert town.ann.post(f"{BASE}/confirm?t={seal}").status == 404
    assert town.ann.get(f"{BASE}/preferences?t={seal}").status == 404


def test_a_link_of_one_kind_is_none_of_another(town: Town) -> None:
    town.join()
    (letter,) = town.post_office()
    seal = letter.link.partition("t=")[2]
    assert town.ann.get(f"{BASE}/preferences?t={seal}").status == 404
    link = href_of(town.ann.post(letter.link), "preferences")
    assert town.ann.get(f"{BASE}/confirm?t={link.partition('t=')[2]}").status == 404


def test_keys_are_changed_without_a_dead_link(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLD", "o" * 32)
    monkeypatch.setenv("NEW", "n" * 32)
    town.settings("[smtp]", '[web]\nkeys = [{ env = "OLD" }]\n\n[smtp]')
    town.join()
    (letter,) = town.post_office()
    town.settings('keys = [{ env = "OLD" }]', 'keys = [{ env = "NEW" }, { env = "OLD" }]')
    assert town.ann.get(letter.link).status == 200
    town.settings('keys = [{ env = "NEW" }, { env = "OLD" }]', 'keys = [{ env = "NEW" }]')
    assert town.ann.get(letter.link).status == 404


def test_who_has_erased_herself_may_come_back_and_who_complained_may_not(town: Town) -> None:
    link = town.joined()
    forget(town.kit.site, ANN, NOW)
    town.pass_time(days=2)
    assert town.ann.get(link).heading == "You get no newsletters from us"
    town.joined()
    assert town.reader() is not None
    suppress(town.kit.site, ANN, NOW, note="complained")
    town.pass_time(days=2)
    town.join()
    assert town.post_office() == []


# Refused before the database is asked.
@pytest.mark.parametrize("town", ["sqlite"], indirect=True)
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
def test_what_is_no_address_is_said(town: Town, address: str) -> None:
    answer = town.join(address)
    assert answer.status == 422 and "That is not a valid address" in answer.text
    assert town.post_office() == []


def test_programs_fill_in_what_people_do_not_see(town: Town) -> None:
    assert town.join(website="https://spam.example").heading == "Check your email"
    assert town.post_office() == []


def test_only_what_there_is_can_be_chosen(town: Town) -> None:
    town.joined(digests=("daily", "nonsense"), topics=["Water", "<script>"], zone="Nowhere/Else")
    found = town.reader()
    assert found is not None and found.digests == ("daily",)
    assert found.follows["topics"] == ("Water",) and found.zone is None
    answer = town.join("other@mail.example.org", ("nonsense",))
    assert answer.status == 422 and "Choose at least one" in answer.text


def test_the_newest_issue_welcomes_who_wants_it_so(town: Town) -> None:
    town.settings('title = "The Daily"', 'title = "The Daily"\nwelcome = true')
    add(town.kit.site, "first@mail.example.org", NOW, digests=["daily"])
    town.kit.issue("three", now=NOW + timedelta(hours=1))
    deliver(town.kit.site, "daily")
    town.pass_time(hours=2)
    town.joined()
    (welcome,) = town.post_office()
    assert welcome.recipient == ANN and "Three" in welcome.text and welcome.message["List-Unsubscribe"]
    assert town.post_office() == []
    # She has it: it is in the ledger as every other copy is.
    with town.kit.open() as db, db.read() as connection:
        row = next(one for one in issues.list_issues(connection) if one.digest == "daily")
        reader = subscribers.by_key(connection, ANN)
        assert reader is not None
        from publisher.delivery import audience_store as audience
        from publisher.delivery import store as deliveries

        copy = deliveries.delivery_of(connection, row.id, reader.id)
        assert copy is not None and copy.state.value == "accepted"
        # What an editor has approved is what it was.
        assert reader.id not in {number for number, _ in audience.frozen_audience(connection, row.id)}


def test_letters_wait_for_a_server_and_are_given_up_in_the_end(town: Town) -> None:
    refusals = ["451 later", "451 later"]
    town.server.script = Script(
        at=lambda step, argument, number: refusals.pop() if step == "rcpt" and refusals else None
    )
    town.join()
    assert town.post_office() == []
    town.pass_time(minutes=3)
    assert town.post_office() == []
    town.pass_time(minutes=6)
    assert len(town.post_office()) == 1
    town.server.script = Script(at=lambda step, argument, number: "550 no such user" if step == "rcpt" else None)
    town.join("nobody@mail.example.org")
    assert town.post_office() == []
    with town.kit.open() as db, db.read() as connection:
        assert letters.next_due(connection) is None


def test_letters_of_two_senders_leave_once(town: Town) -> None:
    town.join()
    with town.kit.open() as db, db.write() as connection:
        now = int(town.clock.now().timestamp())
        assert len(letters.claim(connection, now, lease=300, limit=10)) == 1
        assert letters.claim(connection, now, lease=300, limit=10) == []
    assert town.post_office() == []
    # Who took them died: after a while they are anybody's.
    town.pass_time(minutes=6)
    assert len(town.post_office()) == 1


# -- at the same moment ----------------------------------------------------------------------------


def test_who_fill_in_the_form_at_the_same_moment_all_get_their_letter(town: Town) -> None:
    names = [f"reader{number}@mail.example.org" for number in range(8)]
    visitors = [Visitor(town.web, f"203.0.{number}.9") for number in range(8)]
    together(
        [
            lambda guest=guest, name=name: guest.post(f"{BASE}/join", {"address": name, "digest": "daily"})
            for guest, name in zip(visitors, names, strict=True)
        ]
    )
    found = town.post_office()
    assert sorted(one.recipient for one in found) == names
    answers = together(
        [
            lambda guest=guest, one=one: guest.post(one.link, {"yes": "yes"})
            for guest, one in zip(visitors, found, strict=True)
        ]
    )
    assert [one.heading for one in answers] == ["Welcome"] * 8
    assert len({getattr(town.reader(name), "id", None) for name in names} - {None}) == 8


def test_one_address_filled_in_many_times_at_once_gets_one_letter(town: Town) -> None:
    visitors = [Visitor(town.web, f"203.0.{number}.9") for number in range(8)]
    answers = together(
        [lambda guest=guest: guest.post(f"{BASE}/join", {"address": ANN, "digest": "daily"}) for guest in visitors]
    )
    assert [one.status for one in answers] == [200] * 8
    (letter,) = town.post_office()
    answers = together([lambda guest=guest: guest.post(letter.link, {"yes": "yes"}) for guest in visitors])
    assert [one.heading for one in answers] == ["Welcome"] * 8 and town.reader() is not None


def test_a_link_to_what_is_erased_is_none_to_what_comes_after(town: Town) -> None:
    """Numbers of letters come once: an old link would open somebody else's letter."""
    town.join()
    (first,) = town.post_office()
    town.choose(href_of(town.ann.post(first.link, {"yes": "yes"}), "preferences"), "erase")
    (second,) = town.post_office()
    assert town.ann.post(second.link, {"yes": "yes"}).heading == "Your data is erased"
    town.join("bob@mail.example.org")
    town.join("cid@mail.example.org")
    assert len(town.post_office()) == 2
    for link in (first.link, second.link):
        for answer in (town.ann.get(link), town.ann.post(link, {"yes": "yes"})):
            assert answer.status == 404 and "@mail" not in answer.text
    assert town.reader("bob@mail.example.org") is None and town.reader("cid@mail.example.org") is None
