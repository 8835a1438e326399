"""Readers join, choose, pause, move, look into their data and go: by their own letters and nobody else's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import feedparser
import pytest

from publisher.actions.deliver import deliver
from publisher.actions.keys import keyring
from publisher.actions.letters import send_letters
from publisher.actions.subscribers import add, forget, suppress
from publisher.store import issues, letters, subscribers
from publisher.store.subscribers import Subscriber
from publisher.web import Web
from tests.clockwork import SetClock
from tests.conftest import NOW, MailKit
from tests.smtp import Script, Server
from tests.visitor import Answer, Mail, Visitor, mail_of

BASE = "https://review.example/newsletters"
ANN = "ann@mail.example.org"


class Town:
    """A site, its readers' mail server, and somebody who visits."""

    def __init__(self, kit: MailKit, server: Server) -> None:
        self.kit = kit
        self.server = server
        kit.mail(server.port)
        kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\nsend = "auto"\n')
        kit.article("one.md", "One", topic="Water", region="Africa")
        kit.article("two.md", "Two", topic="Trade", region="Asia")
        kit.publish()
        self.clock = SetClock(NOW)
        self.woken: list[str] = []
        self.web = Web(kit.site, clock=self.clock, wake=self.woken.append)
        self.ann = Visitor(self.web)

    def settings(self, old: str, new: str) -> None:
        path = self.kit.root / "publisher.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))
        self.web.close()
        self.web = Web(self.kit.site, clock=self.clock)
        self.ann = Visitor(self.web)

    def pass_time(self, **span: float) -> None:
        self.clock.pass_by(**span)

    def post_office(self) -> list[Mail]:
        """Let letters leave, and return those that came since the last call."""
        before = len(self.server.accepted)
        with self.kit.open() as db:
            send_letters(self.kit.site, db, self.clock.now)
        return mail_of(self.server)[before:]

    def reader(self, address: str = ANN) -> Subscriber | None:
        with self.kit.open() as db, db.read() as connection:
            return subscribers.by_key(connection, address)

    def join(self, address: str = ANN, digests: tuple[str, ...] = ("daily",), **fields: object) -> Answer:
        return self.ann.post(f"{BASE}/join", {"address": address, "digest": digests, **fields})

    def joined(self, address: str = ANN, **fields: object) -> str:
        """Let somebody join, and return the address of her preferences."""
        self.join(address, **fields)
        (letter,) = self.post_office()
        answer = self.ann.post(letter.link, {"yes": "yes"})
        assert answer.heading == "Welcome"
        return answer.text.partition('<a href="')[2] and _href(answer, "preferences")

    def choose(self, link: str, do: str, **fields: object) -> Answer:
        return self.ann.post(link, {"do": do, **fields})


def _href(answer: Answer, part: str) -> str:
    import html
    import re

    return next(html.unescape(one) for one in re.findall(r'href="([^"]+)"', answer.text) if part in one)


@pytest.fixture
def town(any_mail_kit: MailKit) -> Iterator[Town]:
    with Server() as server:
        made = Town(any_mail_kit, server)
        yield made
        made.web.close()


# -- joining -------------------------------------------------------------------------------------


def test_nobody_is_on_a_list_before_she_has_pressed_the_button(town: Town) -> None:
    page = town.ann.get(f"{BASE}/join?digest=weekly")
    assert page.status == 200 and 'value="weekly" checked' in page.text and 'value="daily" checked' not in page.text
    answer = town.join(ANN, ("daily", "weekly"), topics="Water", zone="Africa/Lagos")
    assert (answer.status, answer.heading) == (200, "Look into your mailbox") and town.woken == ["letters"]
    assert town.reader() is None
    (letter,) = town.post_office()
    assert letter.recipient == ANN and "The Daily and The Weekly" in letter.words
    for _ in range(3):
        # A scanner looks at every link.
        looked = town.ann.get(letter.link)
        assert looked.heading == "One more press" and "The Daily, The Weekly" in looked.text
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
    assert "do nothing" in letter.text and "Monday, 30 November 2026" in letter.words


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
    assert "You are with us already" in known.subject
    assert town.ann.get(known.link).heading == "What comes to you"


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
        subscribers.unsubscribe(connection, found.id)
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
    link = _href(town.ann.post(letter.link), "preferences")
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
    assert answer.status == 422 and "That is no address" in answer.text
    assert town.post_office() == []


def test_programs_fill_in_what_people_do_not_see(town: Town) -> None:
    assert town.join(website="https://spam.example").heading == "Look into your mailbox"
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
        row = next(one for one in issues.issues(connection) if one.digest == "daily")
        reader = subscribers.by_key(connection, ANN)
        assert reader is not None
        from publisher.store import audience, deliveries

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


# -- preferences -----------------------------------------------------------------------------------


def test_a_reader_chooses(town: Town) -> None:
    link = town.joined()
    page = town.ann.get(link)
    assert "a…\u2060@mail.example.org" in page.text and ANN not in page.text
    answer = town.choose(link, "save", digest=["weekly"], topics=["Trade"], regions=["Asia"], zone="Asia/Tokyo")
    assert "Saved." in answer.text
    found = town.reader()
    assert found is not None and (found.digests, found.zone) == (("weekly",), "Asia/Tokyo")
    assert (found.follows["topics"], found.follows["regions"]) == (("Trade",), ("Asia",))
    town.choose(link, "save", digest=["weekly"])
    found = town.reader()
    assert found is not None and not any(found.follows.values())
    assert town.choose(link, "nonsense").status == 400


def test_what_a_reader_has_and_no_page_offers_stays_hers(town: Town) -> None:
    link = town.joined()
    add(town.kit.site, ANN, NOW, follows={"tags": ["Rare"], "topics": ["Water"]}, zone="Asia/Tokyo")
    page = town.ann.get(link).text
    assert 'value="Rare" checked' in page and "<option selected>Asia/Tokyo" in page
    town.choose(link, "save", digest=["daily"], tags=["Rare"], topics=["Water", "Trade"])
    found = town.reader()
    assert (
        found is not None and found.follows["tags"] == ("Rare",) and set(found.follows["topics"]) == {"Water", "Trade"}
    )
    # The newsroom's clock is a choice, too.
    assert found.zone is None
    town.choose(link, "save", digest=["daily"])
    found = town.reader()
    assert found is not None and not any(found.follows.values())


def test_the_link_in_a_copy_leads_to_her_preferences(town: Town) -> None:
    town.settings("[mail]\n", f'[mail]\npreferences = "{BASE}/preferences"\n')
    add(town.kit.site, ANN, NOW, digests=["daily"])
    town.kit.issue("three")
    with town.kit.open() as db, db.write() as connection:
        row = next(one for one in issues.issues(connection) if one.digest == "daily")
        reader = subscribers.by_key(connection, ANN)
        assert reader is not None
        copy = keyring(town.kit.site, connection).copy_pass(row.id, reader.id)
    assert town.ann.get(f"{BASE}/preferences?copy={copy}").heading == "What comes to you"


def test_who_pauses_gets_nothing_until_then(town: Town) -> None:
    link = town.joined()
    assert town.choose(link, "pause", until="2026-11-23").status == 422
    assert town.choose(link, "pause", until="someday").status == 422
    assert town.choose(link, "pause", until="9999-01-01").status == 422
    # Also what is on its way already.
    town.kit.issue("three", now=NOW + timedelta(hours=1))
    assert "No mail comes before 2026-11-26" in town.choose(link, "pause", until="2026-11-26").text
    with town.kit.open() as db, db.write() as connection:
        from sqlalchemy import text

        connection.execute(text("UPDATE delivery SET state = 'queued', answer = NULL"))
    before = len(town.server.accepted)
    deliver(town.kit.site, "daily", clock=town.clock.now)
    town.kit.issue("four", now=NOW + timedelta(hours=2))
    deliver(town.kit.site, "daily", clock=town.clock.now)
    assert len(town.server.accepted) == before
    with town.kit.open() as db, db.read() as connection:
        from publisher.store import deliveries

        row = next(one for one in issues.issues(connection) if one.digest == "daily" and "Three" in one.subject)
        copy = deliveries.delivery_of(connection, row.id, 1)
        assert copy is not None and (copy.state.value, copy.answer) == (
            "suppressed",
            "its reader has asked for a pause",
        )
    # The day has come: what is sent is sent by the machine's own clock.
    with town.kit.open() as db, db.write() as connection:
        subscribers.save_old(connection, [(1, {"paused_until": int(datetime.now(UTC).timestamp())})])
    town.kit.issue("five", now=datetime.now(UTC))
    assert len(town.server.accepted) == before + 1
    town.choose(link, "pause", until="2026-12-24")
    assert "Mail comes again" in town.choose(link, "resume").text
    found = town.reader()
    assert found is not None and found.paused_until is None


def test_a_reader_moves_when_both_addresses_have_confirmed(town: Town) -> None:
    link = town.joined()
    assert town.choose(link, "move", address="no").status == 422
    town.choose(link, "move", address="ann@new.example.org")
    old, new = sorted(town.post_office(), key=lambda one: one.recipient != ANN)
    assert (old.recipient, new.recipient) == (ANN, "ann@new.example.org")
    assert ANN not in new.text
    assert town.ann.post(new.link).heading == "One of two" and town.reader() is not None
    assert town.ann.post(old.link).heading == "Done"
    assert town.reader() is None
    moved = town.reader("ann@new.example.org")
    assert moved is not None and moved.domain == "new.example.org" and moved.digests == ("daily",)
    assert town.ann.post(new.link).heading == "Done"


def test_nobody_moves_to_an_address_that_is_taken(town: Town) -> None:
    link = town.joined()
    add(town.kit.site, "bob@mail.example.org", NOW, digests=["daily"])
    said = town.choose(link, "move", address="bob@mail.example.org").text
    assert "Both addresses get a message" in said
    for letter in town.post_office():
        answer = town.ann.post(letter.link)
    assert answer.heading == "That did not work" and town.reader() is not None


def test_data_are_shown_and_erased_by_a_letter_alone(town: Town) -> None:
    link = town.joined()
    town.choose(link, "download")
    (letter,) = town.post_office()
    assert town.ann.get(letter.link).heading == "Your data"
    answer = town.ann.post(letter.link)
    assert answer.headers["content-disposition"].startswith("attachment")
    assert json.loads(answer.body)["address"] == ANN
    town.choose(link, "erase")
    (letter,) = town.post_office()
    assert town.ann.get(letter.link).heading == "Erase everything?" and town.reader() is not None
    assert town.ann.post(letter.link).heading == "Everything is erased"
    assert town.reader() is None
    with town.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [tuple(row) for row in connection.execute(text("SELECT address FROM letter"))]
    assert left == []
    assert town.ann.post(letter.link).status == 404


def test_nothing_is_left_of_who_has_moved_and_is_erased(town: Town) -> None:
    link = town.joined()
    town.choose(link, "move", address="ann@new.example.org")
    for letter in town.post_office():
        town.ann.post(letter.link)
    forget(town.kit.site, "ann@new.example.org", NOW)
    with town.kit.open() as db, db.read() as connection:
        from sqlalchemy import text

        left = [row for (row,) in connection.execute(text("SELECT address || wish FROM letter"))]
    assert not [row for row in left if "ann@" in row], left


# -- a feed of her own -------------------------------------------------------------------------------


def test_a_reader_has_a_feed_of_her_own(town: Town) -> None:
    link = town.joined(topics="Water")
    page = town.choose(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        answer = town.ann.get(f"{feed}.{suffix}")
        assert answer.status == 200 and answer.headers["cache-control"].startswith("private")
        assert answer.headers["x-robots-tag"] == "noindex" and "hub" not in answer.text
        if suffix != "json":
            assert [one.title for one in feedparser.parse(answer.body).entries] == ["One"]
        known = town.ann.get(f"{feed}.{suffix}", if_none_match=answer.headers["etag"])
        assert (known.status, known.body) == (304, b"")
    assert town.ann.get(f"{feed}.txt").status == 404
    # It is hers: what she chooses is in it, and an address that was taken back is nobody's.
    town.choose(link, "save", digest=["daily"])
    assert len(feedparser.parse(town.ann.get(f"{feed}.atom").body).entries) == 2
    town.choose(link, "feed")
    assert town.ann.get(f"{feed}.atom").status == 404
    town.choose(link, "unfeed")
    assert "Make me a feed" in town.ann.get(link).text


def test_who_reads_her_feed_needs_no_mail(town: Town) -> None:
    link = town.joined()
    town.choose(link, "feed")
    assert "you read your own feed" in town.choose(link, "pause", for_ever="yes").text
    before = len(town.server.accepted)
    town.kit.issue("three", now=NOW + timedelta(days=300))
    deliver(town.kit.site, "daily")
    assert len(town.server.accepted) == before


def test_her_own_feed_keeps_the_rules(town: Town) -> None:
    from publisher.check import check_feed

    link = town.joined()
    page = town.choose(link, "feed")
    feed = page.text.partition('<code class="address">')[2].partition("</code>")[0].rpartition(".")[0]
    for suffix in ("rss", "atom", "json"):
        assert check_feed(town.ann.get(f"{feed}.{suffix}").body, address=f"{feed}.{suffix}") == []
