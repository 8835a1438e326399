"""Nobody who unsubscribed is mailed, whatever list or command names them, and whatever state their delivery had."""

from __future__ import annotations

import contextlib
import io
from datetime import timedelta

import pytest

from publisher.cli.subscribers import import_lines
from publisher.delivery import store as deliveries
from publisher.digests import store as issues
from publisher.errors import SettingsError
from publisher.model.delivery import DeliveryState
from publisher.signing.site_key import keyring
from publisher.subscribers import store as subscribers
from publisher.subscriptions.import_list import ImportResult
from publisher.web import Web
from tests.conftest import NOW, MailKit
from tests.support import use_cases as action
from tests.support.clocks import ManualClock
from tests.support.issues import force_draft
from tests.support.smtp import Script, Server
from tests.support.use_cases import approve, deliver, import_list, pause, process_messages, resume
from tests.support.web_visitor import Visitor, received_emails

BASE = "https://review.example/newsletters"
UNSUBSCRIBED = ("link", "all", "preferences", "mail", "listed", "removed")
EVERYBODY = (*UNSUBSCRIBED, "stays")
#: People who unsubscribed from all newsletters, also later ones.
UNSUBSCRIBED_FROM_ALL = ("all", "listed")


def address(name: str) -> str:
    return f"{name}@mail.example.org"


class UnsubscribingSite:
    """A web application, a mail server, and subscribers who got an issue."""

    def __init__(self, kit: MailKit, server: Server) -> None:
        self.kit, self.server = kit, server
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(
            text.replace("[mail]\n", f'[mail]\nunsubscribe = "{BASE}/leave"\none_click = true\n')
            + '\n[digests.weekly]\ntitle = "The Weekly"\ntopic = ["Nothing"]\n'
        )
        # An issue that needs approval is not sent by the command that makes its draft.
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

    def make_issue(self, name: str) -> None:
        self.kit.issue(name, now=self.clock.now(), date=f"{self.clock.now():%Y-%m-%d}")

    def send(self, name: str) -> None:
        self.make_issue(name)
        deliver(self.kit.site, "daily", clock=self.clock.now)

    def unsubscribe(self) -> None:
        """Unsubscribe everybody but one, each in another way."""
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

    def try_to_resubscribe(self) -> None:
        """Add and import them in every way without a reason, and submit the form for them."""
        for name in UNSUBSCRIBED:
            with pytest.raises(SettingsError, match=r"unsubscribed.*--resubscribe REASON"):
                action.add_subscriber(self.kit.site, address(name), self.clock.now(), digests=["daily"])
        for name in UNSUBSCRIBED_FROM_ALL:
            with pytest.raises(SettingsError, match="unsubscribed"):
                action.add_subscriber(self.kit.site, address(name), self.clock.now(), digests=["weekly"])
        lists = [
            self.write("".join(f"{address(name).upper()},daily\n" for name in UNSUBSCRIBED)),
            self.write("".join(f"{address(name)},daily | weekly\n" for name in EVERYBODY)),
            self.write(
                "".join(f"{address(name)},subscribed\n" for name in EVERYBODY), "email,status", digests=["daily"]
            ),
            self.write(self.old_export[False], ""),
            self.write(self.old_export[True], "", "list.jsonl"),
        ]
        for result in lists:
            lines = import_lines(result, None)
            assert result.skipped == len(UNSUBSCRIBED) and f"Skipped {len(UNSUBSCRIBED)} rows:" in lines
            assert all(
                any(f"{name}@" in line.casefold() and "unsubscribed" in line for line in lines) for name in UNSUBSCRIBED
            )
        with contextlib.closing(Web(self.kit.site, clock=self.clock)) as web:
            for name in UNSUBSCRIBED:
                fields = {"address": address(name), "digest": "daily"}
                assert Visitor(web, f"198.51.100.{len(name)}").post(f"{BASE}/join", fields).status == 200

    def delivered(self) -> list[str]:
        deliver(self.kit.site, "daily", clock=self.clock.now)
        return sorted(mail.recipient for mail in received_emails(self.server))

    def check(self) -> None:
        """Check the mailed and stored state; each stopped delivery has its reason."""
        assert self.delivered() == [address("stays")]
        with self.kit.open() as db, db.read() as connection:
            row = max(
                (one for one in issues.list_issues(connection) if one.digest == "daily"), key=lambda one: one.slot
            )
            stopped = deliveries.deliveries_in_state(connection, row.id, DeliveryState.SUPPRESSED)
            assert all("unsubscribed from daily since" in (one.answer or "") for one in stopped)
            people = {name: subscribers.find_subscriber(connection, self.numbers[address(name)]) for name in EVERYBODY}
        kept = {name: one.digests for name, one in people.items() if one is not None}
        assert kept == {
            **dict.fromkeys(("link", "preferences", "mail", "removed"), ("weekly",)),
            **dict.fromkeys(UNSUBSCRIBED_FROM_ALL, ()),
            "stays": ("daily", "weekly"),
        }
        assert all(
            one is not None and one.has_unsubscribed("one that begins later")
            for one in map(people.get, UNSUBSCRIBED_FROM_ALL)
        )


@pytest.fixture
def unsubscribing_site(any_mail_kit: MailKit) -> UnsubscribingSite:
    with Server() as server:
        site = UnsubscribingSite(any_mail_kit, server)
        site.clock.advance(days=2)
        yield site


def test_an_issue_that_opens_later_is_not_sent_to_them(unsubscribing_site: UnsubscribingSite) -> None:
    """The audience is read when the send of the issue opens."""
    unsubscribing_site.unsubscribe()
    unsubscribing_site.try_to_resubscribe()
    unsubscribing_site.make_issue("one")
    unsubscribing_site.check()


def test_queued_deliveries_are_not_sent_to_them(unsubscribing_site: UnsubscribingSite) -> None:
    """The send of the issue opened before they unsubscribed."""
    unsubscribing_site.make_issue("one")
    unsubscribing_site.unsubscribe()
    unsubscribing_site.try_to_resubscribe()
    unsubscribing_site.check()


def test_deferred_deliveries_are_not_retried_for_them(unsubscribing_site: UnsubscribingSite) -> None:
    """A retry reads the state as the first attempt does."""
    unsubscribing_site.make_issue("one")
    unsubscribing_site.server.script = Script(
        at=lambda step, argument, number: "451 4.2.0 later" if step == "rcpt" else None
    )
    assert unsubscribing_site.delivered() == []
    unsubscribing_site.server.script = Script()
    unsubscribing_site.unsubscribe()
    unsubscribing_site.try_to_resubscribe()
    unsubscribing_site.clock.advance(hours=6)
    unsubscribing_site.check()


def test_resuming_a_paused_issue_sends_them_nothing(unsubscribing_site: UnsubscribingSite) -> None:
    """Resuming an issue resubscribes nobody."""
    unsubscribing_site.make_issue("one")
    pause(unsubscribing_site.kit.site, "daily")
    unsubscribing_site.unsubscribe()
    unsubscribing_site.try_to_resubscribe()
    resume(unsubscribing_site.kit.site, "daily")
    unsubscribing_site.check()


def test_deliveries_that_wait_for_local_time_are_not_sent_to_them(unsubscribing_site: UnsubscribingSite) -> None:
    """A delivery that is due on the next morning is claimed on the next morning."""
    path = unsubscribing_site.kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('title = "The Daily"', 'title = "The Daily"\ndeliver_at = "07:00 local"'))
    unsubscribing_site.clock.advance(hours=2)
    unsubscribing_site.make_issue("one")
    assert unsubscribing_site.delivered() == []
    unsubscribing_site.unsubscribe()
    unsubscribing_site.try_to_resubscribe()
    unsubscribing_site.clock.advance(days=1)
    unsubscribing_site.check()


def test_forcing_an_issue_sends_them_nothing(unsubscribing_site: UnsubscribingSite) -> None:
    """--force is about the issue's errors and not about its audience."""
    date = f"{unsubscribing_site.clock.now():%Y-%m-%d}"
    unsubscribing_site.kit.article("one.md", "One", date, body="Lorem ipsum dolor sit amet.")
    unsubscribing_site.kit.draft_issue(now=unsubscribing_site.clock.now())
    force_draft(unsubscribing_site.kit.site, "daily", "it is about typesetting")
    approve(unsubscribing_site.kit.site, "daily", unsubscribing_site.clock.now())
    unsubscribing_site.unsubscribe()
    unsubscribing_site.try_to_resubscribe()
    unsubscribing_site.check()


def test_a_resubscribe_reason_reactivates_people_and_is_in_their_history(unsubscribing_site: UnsubscribingSite) -> None:
    """Both the command and the import accept one; an import without one does not undo it."""
    from publisher.subscribers import subscriptions_store as subscriptions

    unsubscribing_site.unsubscribe()
    kit, now = unsubscribing_site.kit, unsubscribing_site.clock.now() + timedelta(hours=1)
    for reason in ("", "  ", "--digest"):
        with pytest.raises(SettingsError, match="--resubscribe needs a reason"):
            action.add_subscriber(kit.site, address("link"), now, digests=["daily"], resubscribe=reason)
    action.add_subscriber(kit.site, address("link"), now, digests=["daily"], resubscribe="asked by phone")
    again = unsubscribing_site.write(f"{address('all')},daily\n", resubscribe="signed up at the fair")
    assert (again.changed, again.skipped) == (1, 0)
    with kit.open() as db, db.read() as connection:
        people = [
            subscribers.find_subscriber(connection, unsubscribing_site.numbers[address(name)])
            for name in ("link", "all")
        ]
        events = [subscriptions.load_history(connection, one.id)[-1] for one in people if one is not None]
    assert [one.digests for one in people if one is not None] == [("daily", "weekly"), ("daily",)]
    assert [(one.new_state, one.source, one.reason) for one in events] == [
        ("active", "operator", "asked by phone"),
        ("active", "import", "signed up at the fair"),
    ]
    assert unsubscribing_site.write(f"{address('all')},daily | weekly\n").skipped == 1
    unsubscribing_site.make_issue("one")
    assert unsubscribing_site.delivered() == [address("all"), address("link"), address("stays")]


def test_an_export_carries_every_state_to_another_site(
    unsubscribing_site: UnsubscribingSite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Read into an empty site, CSV and JSON Lines give everybody the same states; read again, they change nothing."""
    unsubscribing_site.unsubscribe()
    unsubscribing_site.write("new@mail.example.org,daily,unconfirmed\n", "address,digests,status")
    action.suppress_by_operator(unsubscribing_site.kit.site, address("preferences"), unsubscribing_site.clock.now())
    action.add_subscriber(
        unsubscribing_site.kit.site,
        address("all"),
        unsubscribing_site.clock.now(),
        digests=["weekly"],
        resubscribe="asked",
    )

    def people(kit: MailKit) -> list[dict[str, object]]:
        every = [one.as_dict() for one in action.list_subscribers(kit.site)]
        return sorted((one for one in every if one["status"] != "suppressed"), key=lambda one: str(one["address"]))

    before = people(unsubscribing_site.kit)
    assert {one["address"]: one.get("digests_unsubscribed") for one in before}[address("all")] == ["daily", "*"]
    for as_json in (True, False):
        text = unsubscribing_site.export(as_json=as_json)
        other = MailKit(tmp_path_factory.mktemp("other") / "site")
        other.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\n')
        for place in (unsubscribing_site.kit, other):
            path = place.root / ("list.jsonl" if as_json else "list.csv")
            path.write_text(text)
            result = import_list(place.site, path, unsubscribing_site.clock.now())
            assert (result.rejected, result.skipped) == (0, 0), (result.rejections, result.skips)
            assert people(place) == before
