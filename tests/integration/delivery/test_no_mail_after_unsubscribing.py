"""Nobody who unsubscribed is mailed, whatever list or command names them, and whatever state their delivery had."""

from __future__ import annotations

import contextlib
import io
from datetime import timedelta

import pytest

from publisher.cli.subscribers import import_lines
from publisher.delivery import store as deliveries
from publisher.delivery.approval import approve, pause
from publisher.delivery.bounces import process_messages
from publisher.delivery.deliver import deliver
from publisher.digests import store as issues
from publisher.digests.run_preflight import force_issue
from publisher.errors import SettingsError
from publisher.model.delivery import DeliveryState
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscriptions import manage as action
from publisher.subscriptions.import_list import ImportResult, import_list
from publisher.web import Web
from tests.conftest import NOW, MailKit
from tests.support.clocks import ManualClock
from tests.support.smtp import Script, Server
from tests.support.web_visitor import Visitor, received_emails

BASE = "https://review.example/newsletters"
LEAVERS = ("link", "all", "preferences", "mail", "listed", "removed")
EVERYBODY = (*LEAVERS, "stays")
#: People who have left everything, so that newsletters which begin later count too.
LEFT_ALL = ("all", "listed")


def address(name: str) -> str:
    return f"{name}@mail.example.org"


class Newsroom:
    """A running web application, a mail server, and people who have had an issue."""

    def __init__(self, kit: MailKit, server: Server) -> None:
        self.kit, self.server = kit, server
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(
            text.replace("[mail]\n", f'[mail]\nunsubscribe = "{BASE}/leave"\none_click = true\n')
            + '\n[digests.weekly]\ntitle = "The Weekly"\ntopic = ["Nothing"]\n'
        )
        # An issue that waits for approval is not sent when it is made.
        kit.mail(server.port, send="review")
        self.clock = ManualClock(NOW)
        self.write("".join(f"{address(name)},daily | weekly\n" for name in EVERYBODY))
        self.send("zero")
        self.old_export = {True: self.export(as_json=True), False: self.export(as_json=False)}
        with kit.open() as db, db.write() as connection:
            issue, ring = issues.list_issues(connection)[0], keyring(kit.site, connection)
            self.numbers = {one.address: one.id for one in subscribers.iter_subscribers(connection)}
            self.tokens = {name: ring.delivery_token(issue.id, self.numbers[address(name)]) for name in EVERYBODY}
        server.accepted.clear()

    def write(
        self, rows: str, header: str = "address,digests", name: str = "list.csv", **options: object
    ) -> ImportResult:
        path = self.kit.root / name
        path.write_text((header + "\n" if header else "") + rows)
        return import_list(self.kit.site, path, self.clock.now(), **options)

    def export(self, *, as_json: bool) -> str:
        file = io.StringIO(newline="")
        action.export_subscribers(self.kit.site, file, as_json=as_json)
        return file.getvalue()

    def make(self, name: str) -> None:
        self.kit.issue(name, now=self.clock.now(), date=f"{self.clock.now():%Y-%m-%d}")
        approve(self.kit.site, "daily", self.clock.now())

    def send(self, name: str) -> None:
        self.make(name)
        deliver(self.kit.site, "daily", clock=self.clock.now)

    def leave(self) -> None:
        """Let everybody but one leave, each in another way."""
        with contextlib.closing(Web(self.kit.site, clock=self.clock)) as web:
            visitor = Visitor(web)
            visitor.post(f"{BASE}/leave?copy={self.tokens['link']}", b"List-Unsubscribe=One-Click")
            visitor.post(f"{BASE}/leave?copy={self.tokens['all']}", {"all": "yes"})
            page = f"{BASE}/preferences?copy={self.tokens['preferences']}"
            assert visitor.post(page, {"do": "save", "digest": ["weekly"]}).status == 200
        mail = f"From: a@b.example\r\nSubject: unsubscribe {self.tokens['mail']}\r\n\r\n\r\n"
        assert process_messages(self.kit.site, [mail.encode()], self.clock.now()).unsubscribed == 1
        self.write(f"{address('listed')},unsubscribed\n", "address,status")
        self.write(f"{address('removed')},weekly\n")

    def bring_back(self) -> None:
        """Add and import them in every way that does not name a reason, and fill in the form for them."""
        for name in LEAVERS:
            with pytest.raises(SettingsError, match="unsubscribed.*--resubscribe REASON"):
                action.add_subscriber(self.kit.site, address(name), self.clock.now(), digests=["daily"])
        for name in LEFT_ALL:
            with pytest.raises(SettingsError, match="unsubscribed"):
                action.add_subscriber(self.kit.site, address(name), self.clock.now(), digests=["weekly"])
        lists = [
            self.write("".join(f"{address(name).upper()},daily\n" for name in LEAVERS)),
            self.write("".join(f"{address(name)},daily | weekly\n" for name in EVERYBODY)),
            self.write(
                "".join(f"{address(name)},subscribed\n" for name in EVERYBODY), "email,status", digests=["daily"]
            ),
            self.write(self.old_export[False], ""),
            self.write(self.old_export[True], "", "list.jsonl"),
        ]
        for result in lists:
            lines = import_lines(result, None)
            assert result.skipped == len(LEAVERS) and f"Skipped {len(LEAVERS)} rows:" in lines
            assert all(
                any(f"{name}@" in line.casefold() and "unsubscribed" in line for line in lines) for name in LEAVERS
            )
        with contextlib.closing(Web(self.kit.site, clock=self.clock)) as web:
            for name in LEAVERS:
                fields = {"address": address(name), "digest": "daily"}
                assert Visitor(web, f"198.51.100.{len(name)}").post(f"{BASE}/join", fields).status == 200

    def delivered(self) -> list[str]:
        deliver(self.kit.site, "daily", clock=self.clock.now)
        return sorted(mail.recipient for mail in received_emails(self.server))

    def check(self) -> None:
        """Compare what was mailed and what is stored; each delivery that was stopped says why."""
        assert self.delivered() == [address("stays")]
        with self.kit.open() as db, db.read() as connection:
            row = max(
                (one for one in issues.list_issues(connection) if one.digest == "daily"), key=lambda one: one.slot
            )
            stopped = deliveries.deliveries_in_state(connection, row.id, DeliveryState.SUPPRESSED)
            assert all("unsubscribed for daily since" in (one.answer or "") for one in stopped)
            people = {name: subscribers.find_subscriber(connection, self.numbers[address(name)]) for name in EVERYBODY}
        kept = {name: one.digests for name, one in people.items() if one is not None}
        assert kept == {
            **dict.fromkeys(("link", "preferences", "mail", "removed"), ("weekly",)),
            **dict.fromkeys(LEFT_ALL, ()),
            "stays": ("daily", "weekly"),
        }
        assert all(
            one is not None and one.has_unsubscribed("one that begins later") for one in map(people.get, LEFT_ALL)
        )


@pytest.fixture
def newsroom(any_mail_kit: MailKit) -> Newsroom:
    with Server() as server:
        made = Newsroom(any_mail_kit, server)
        made.clock.advance(days=2)
        yield made


def test_an_issue_made_later_is_not_sent_to_them(newsroom: Newsroom) -> None:
    """The audience is read when the issue is made."""
    newsroom.leave()
    newsroom.bring_back()
    newsroom.make("one")
    newsroom.check()


def test_queued_deliveries_are_not_sent_to_them(newsroom: Newsroom) -> None:
    """The issue was made before they unsubscribed."""
    newsroom.make("one")
    newsroom.leave()
    newsroom.bring_back()
    newsroom.check()


def test_deferred_deliveries_are_not_retried_for_them(newsroom: Newsroom) -> None:
    """A retry reads the state as the first attempt does."""
    newsroom.make("one")
    newsroom.server.script = Script(at=lambda step, argument, number: "451 4.2.0 later" if step == "rcpt" else None)
    assert newsroom.delivered() == []
    newsroom.server.script = Script()
    newsroom.leave()
    newsroom.bring_back()
    newsroom.clock.advance(hours=6)
    newsroom.check()


def test_resuming_a_paused_issue_sends_them_nothing(newsroom: Newsroom) -> None:
    """Resuming an issue resubscribes nobody."""
    newsroom.make("one")
    pause(newsroom.kit.site, "daily", is_paused=True)
    newsroom.leave()
    newsroom.bring_back()
    pause(newsroom.kit.site, "daily", is_paused=False)
    newsroom.check()


def test_deliveries_that_wait_for_local_time_are_not_sent_to_them(newsroom: Newsroom) -> None:
    """A delivery that is due on the next morning is claimed on the next morning."""
    path = newsroom.kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('title = "The Daily"', 'title = "The Daily"\ndeliver_at = "07:00 local"'))
    newsroom.clock.advance(hours=2)
    newsroom.make("one")
    assert newsroom.delivered() == []
    newsroom.leave()
    newsroom.bring_back()
    newsroom.clock.advance(days=1)
    newsroom.check()


def test_forcing_an_issue_sends_them_nothing(newsroom: Newsroom) -> None:
    """--force is about the issue's errors and not about its audience."""
    date = f"{newsroom.clock.now():%Y-%m-%d}"
    newsroom.kit.article("one.md", "One", date, body="Lorem ipsum dolor sit amet.")
    newsroom.kit.publish(newsroom.clock.now())
    force_issue(newsroom.kit.site, "daily", "it is about typesetting")
    approve(newsroom.kit.site, "daily", newsroom.clock.now())
    newsroom.leave()
    newsroom.bring_back()
    newsroom.check()


def test_a_resubscribe_reason_reactivates_people_and_is_in_their_history(newsroom: Newsroom) -> None:
    """Both the command and the import accept one; an import without one does not undo it."""
    from publisher.subscribers import subscriptions_store as subscriptions

    newsroom.leave()
    kit, now = newsroom.kit, newsroom.clock.now() + timedelta(hours=1)
    for reason in ("", "  ", "--digest"):
        with pytest.raises(SettingsError, match="--resubscribe needs a reason"):
            action.add_subscriber(kit.site, address("link"), now, digests=["daily"], resubscribe=reason)
    action.add_subscriber(kit.site, address("link"), now, digests=["daily"], resubscribe="asked by phone")
    again = newsroom.write(f"{address('all')},daily\n", resubscribe="signed up at the fair")
    assert (again.changed, again.skipped) == (1, 0)
    with kit.open() as db, db.read() as connection:
        people = [subscribers.find_subscriber(connection, newsroom.numbers[address(name)]) for name in ("link", "all")]
        events = [subscriptions.load_history(connection, one.id)[-1] for one in people if one is not None]
    assert [one.digests for one in people if one is not None] == [("daily", "weekly"), ("daily",)]
    assert [(one.new_state, one.source, one.reason) for one in events] == [
        ("active", "operator", "asked by phone"),
        ("active", "import", "signed up at the fair"),
    ]
    assert newsroom.write(f"{address('all')},daily | weekly\n").skipped == 1
    newsroom.make("one")
    assert newsroom.delivered() == [address("all"), address("link"), address("stays")]


def test_an_export_carries_every_state_to_another_site(
    newsroom: Newsroom, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Read into an empty site, CSV and JSON Lines give everybody the same states; read again, they change nothing."""
    newsroom.leave()
    newsroom.write("new@mail.example.org,daily,unconfirmed\n", "address,digests,status")
    action.suppress_by_operator(newsroom.kit.site, address("preferences"), newsroom.clock.now())
    action.add_subscriber(
        newsroom.kit.site, address("all"), newsroom.clock.now(), digests=["weekly"], resubscribe="asked"
    )

    def people(kit: MailKit) -> list[dict[str, object]]:
        every = [action.subscriber_as_dict(one) for one in action.list_subscribers(kit.site)]
        return sorted((one for one in every if one["status"] != "suppressed"), key=lambda one: str(one["address"]))

    before = people(newsroom.kit)
    assert {one["address"]: one.get("digests_unsubscribed") for one in before}[address("all")] == ["daily", "*"]
    for as_json in (True, False):
        text = newsroom.export(as_json=as_json)
        other = MailKit(tmp_path_factory.mktemp("other") / "site")
        other.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\n')
        for place in (newsroom.kit, other):
            path = place.root / ("list.jsonl" if as_json else "list.csv")
            path.write_text(text)
            result = import_list(place.site, path, newsroom.clock.now())
            assert (result.rejected, result.skipped) == (0, 0), (result.rejections, result.skips)
            assert people(place) == before
