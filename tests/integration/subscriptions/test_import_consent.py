"""People who unsubscribed elsewhere are imported as unsubscribed, and never get mail."""

from __future__ import annotations

import contextlib
import csv
import io
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.cli.subscribers import import_lines
from publisher.delivery import claims_store
from publisher.digests import store as issues
from publisher.errors import SettingsError
from publisher.subscribers.addresses import parse_address
from publisher.subscriptions.import_list import ImportResult
from tests.conftest import NOW, MailKit
from tests.support import use_cases as action
from tests.support.smtp import Server
from tests.support.use_cases import deliver, import_list


def imported(kit: MailKit, text: str | bytes, name: str = "list.csv") -> ImportResult:
    path = kit.root / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_list(kit.site, path, NOW)


def active(kit: MailKit) -> list[str]:
    return sorted(one.address for one in action.list_subscribers(kit.site, status="active"))


class RollBack(Exception):
    """End a transaction without its changes."""


def claimed(kit: MailKit) -> list[str]:
    """Return whose deliveries a sender could claim; none is claimed afterwards."""
    claims: list[claims_store.Claim] = []
    with kit.open() as db, contextlib.suppress(RollBack), db.write() as connection:
        [issue] = issues.list_issues(connection)
        claims, _, _ = claims_store.claim(
            connection, issue.id, 1, after=0, limit=1000, now=int(NOW.timestamp()) + 10, without=()
        )
        raise RollBack
    return sorted(claim.address for claim in claims)


def sent(kit: MailKit) -> list[str]:
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
        return sorted(server.recipients)


MEMBERS = """id,email,note,subscribed_to_emails,complimentary_plan,created_at,deleted_at
1,stays@mail.example.org,,true,,2023-01-01T00:00:00.000Z,
2,left@mail.example.org,,false,,2023-01-01T00:00:00.000Z,
3,gone@mail.example.org,,true,,2023-01-01T00:00:00.000Z,2024-01-01T00:00:00.000Z
"""


def test_only_members_who_are_subscribed_get_the_next_issue(any_mail_kit: MailKit) -> None:
    """The summary counts inactive rows, with the columns that decided."""
    kit = any_mail_kit
    result = imported(kit, MEMBERS)
    assert (result.added, result.inactive) == (1, {"unsubscribed": 2})
    assert "  2 unsubscribed (subscribed_to_emails, deleted_at): not mailed" in import_lines(result, None)
    assert result.as_dict()["inactive"] == [
        {"state": "unsubscribed", "rows": 2, "columns": ["subscribed_to_emails", "deleted_at"]}
    ]
    kit.issue("one")
    assert sent(kit) == ["stays@mail.example.org"]


def test_a_later_import_does_not_resubscribe_people_who_unsubscribed(any_mail_kit: MailKit) -> None:
    """A list that calls everybody active resubscribes nobody."""
    kit = any_mail_kit
    imported(kit, MEMBERS)
    again = imported(kit, MEMBERS.replace("false", "true").replace("2024-01-01T00:00:00.000Z", ""))
    assert (again.skipped, again.unchanged, again.inactive) == (2, 1, {})
    lines = import_lines(again, None)
    assert "Skipped 2 rows:" in lines
    assert "  row 3: left@mail.example.org is unsubscribed from daily since 2026-11-23 (by import)" in lines
    with pytest.raises(SettingsError, match="unsubscribed"):
        action.add_subscriber(kit.site, "left@mail.example.org", NOW)
    assert active(kit) == ["stays@mail.example.org"]


def test_an_imported_unsubscription_stops_queued_deliveries(any_mail_kit: MailKit) -> None:
    """Queued deliveries of people whom the list calls gone are not claimed."""
    kit = any_mail_kit
    kit.add_subscribers(4)
    kit.issue("one")
    imported(
        kit,
        "Email,State,Unsubscribed from all email\nreader0@mail.example.org,Active,true\n"
        "READER1@mail.example.org,Bounced,\nreader2@mail.example.org,Gold plan,\n",
    )
    assert sent(kit) == ["reader2@mail.example.org", "reader3@mail.example.org"]


@pytest.mark.parametrize("order", [1, -1])
def test_the_safest_of_two_rows_of_one_person_wins(any_mail_kit: MailKit, order: int) -> None:
    """Which row comes first makes no difference."""
    kit = any_mail_kit
    lines = ["ann@example.org,active", "Ann@example.org,unsubscribed"][::order]
    imported(kit, "\n".join(["email,status", *lines]) + "\n")
    assert active(kit) == []


def test_an_unknown_status_is_reported_and_no_row_is_lost(any_mail_kit: MailKit) -> None:
    """A word that is not understood makes a person inactive, with the column and the word in the summary."""
    kit = any_mail_kit
    result = imported(kit, "email,Status\nann@example.org,Gold\nbo@example.org,Gold\ncy@example.org,subscribed\n")
    assert (result.added, result.rejected, result.inactive) == (1, 0, {"unsubscribed": 2})
    lines = import_lines(result, None)
    assert lines[lines.index("Not understood, and therefore not active:") + 1] == "  Status: 'Gold' in 2 rows"
    assert result.as_dict()["not_understood"] == [{"column": "Status", "value": "Gold", "rows": 2}]
    with pytest.raises(SettingsError, match="unsubscribed"):
        action.add_subscriber(kit.site, "ann@example.org", NOW)


def test_an_unconfirmed_row_adds_no_active_subscriber_and_changes_no_existing_one(any_mail_kit: MailKit) -> None:
    """Unconfirmed elsewhere does not mean unsubscribed."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    result = imported(kit, "email,status\nnew@mail.example.org,pending\nreader0@mail.example.org,unconfirmed\n")
    assert result.inactive == {"unconfirmed": 2}
    assert active(kit) == ["reader0@mail.example.org"]
    kit.issue("one")
    assert sent(kit) == ["reader0@mail.example.org"]


def test_json_lines_with_unsubscribed_people_are_understood(any_mail_kit: MailKit) -> None:
    """Booleans, null and nested objects are read; a status that is no text is not understood."""
    kit = any_mail_kit
    people: list[dict[str, object]] = [
        {"email": "a@example.org", "subscribed": True, "deleted_at": None},
        {"email": "b@example.org", "subscribed": False},
        {"email": "c@example.org", "subscribed": True, "unsubscribed_at": "2025-01-01"},
        {"email": "d@example.org", "status": {"mail": "active"}},
        {"email": "e@example.org", "status": None},
        {"email": "f@example.org", "lists_joined": [{"status": "unsubscribed"}]},
        {"email": "g@example.org", "attributes": {"city": "Bern"}},
    ]
    result = imported(kit, "\n".join(json.dumps(one) for one in people), "people.jsonl")
    assert (result.inactive, result.rejected) == ({"unsubscribed": 4, "unconfirmed": 1}, 0)
    assert active(kit) == ["a@example.org", "g@example.org"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "utf-8"])
def test_text_formats_of_spreadsheets_are_imported(any_mail_kit: MailKit, encoding: str) -> None:
    """Excel writes "Unicode text" as UTF-16 with a byte order mark and tabs."""
    text = "Désabonné\temail\tname\r\noui\tleft@example.org\tJosé\r\nnon\tstays@example.org\tZoë\r\n"
    data = ("\ufeff" + text if encoding == "utf-16-be" else text).encode(encoding)
    result = imported(any_mail_kit, data)
    assert (result.added, result.inactive) == (1, {"unsubscribed": 1})
    assert active(any_mail_kit) == ["stays@example.org"]


def test_an_inactive_person_of_an_export_stays_inactive_elsewhere(any_mail_kit: MailKit) -> None:
    """What this program exports is understood by its own import."""
    kit = any_mail_kit
    kit.add_subscribers(2)
    action.suppress_by_operator(kit.site, "reader0@mail.example.org", NOW)
    file = io.StringIO(newline="")
    action.export_subscribers(kit.site, file, as_json=False)
    assert imported(kit, file.getvalue()).inactive == {"suppressed: asked": 1}
    assert active(kit) == ["reader1@mail.example.org"]


#: Columns for inactive people, with values that mean it; None in the second place is a status.
_LEFT = st.one_of(
    st.tuples(
        st.sampled_from(["unsubscribed", "unsubscribed at", "deleted at", "email disabled", "opted out", "is bounced",
                         "complained", "unsub time", "blocklisted", "date de désinscription", "abgemeldet am", "cleaned"]),
        st.sampled_from(["true", "TRUE", "yes", "1", "2025-01-01T00:00:00.000Z", "x", "✓", "too many mails", "oui"]),
    ),
    st.tuples(
        st.sampled_from(["subscribed", "subscribed to emails", "is active", "opt in", "confirmed", "email consent"]),
        st.sampled_from(["false", "FALSE", "no", "0", "", "n", "perhaps", "nein", "off"]),
    ),
    st.tuples(
        st.sampled_from(["status", "email status", "subscription status", "list state", "Statut"]),
        st.sampled_from(["unsubscribed", "UNSUBSCRIBED", "Opted-Out", "cancelled", "bounced", "complained", "cleaned",
                         "inactive", "pending", "unconfirmed", "gold", "7", "false", "abgemeldet", "Désabonné"]),
    ),
    st.tuples(st.sampled_from(["note", "group", "type"]), st.sampled_from(["unsubscribed", "Bounced", "opted out"])),
)  # fmt: skip
_STYLES = [str.upper, str.title, lambda name: name.replace(" ", "_"), lambda name: name.title().replace(" ", "")]
_PADDING = st.sampled_from(["", " ", "\u00a0", "\u200b"])


@st.composite
def _departures(draw: st.DrawFn) -> tuple[dict[str, str], bool]:
    """Return the cells of a row with one column that means inactive, and whether it is JSON."""
    name, value = draw(_LEFT)
    cells = {"joined": "2020-01-01", draw(_PADDING) + draw(st.sampled_from(_STYLES))(name) + draw(_PADDING): value}
    if draw(st.booleans()):
        cells = {"Newsletter status": "active", "subscribed at": "2020-01-01", "plan": "free", **cells}
    return cells, draw(st.booleans())


def _as_list(address: str, cells: dict[str, str], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"email": address, **cells}) + "\n"
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["email", *cells], [address, *cells.values()]])
    return file.getvalue()


def test_a_person_with_an_inactive_row_is_never_claimed_for_delivery(any_mail_kit: MailKit) -> None:
    """In any column and spelling: subscribed before or not, with a delivery queued or not."""
    kit = any_mail_kit
    kit.add_subscribers(40)
    kit.issue("one")
    count = 0

    @settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
    @given(departure=_departures(), is_known=st.booleans())
    def import_departure(departure: tuple[dict[str, str], bool], is_known: bool) -> None:
        nonlocal count
        cells, as_json = departure
        # Unconfirmed elsewhere does not unsubscribe here: only new people are kept out.
        known = (
            is_known
            and not {"pending", "unconfirmed", ""} & set(cells.values())
            and "confirm" not in str(cells).lower()
        )
        address = f"reader{count % 39}@mail.example.org" if known else f"new{count}@mail.example.org"
        count += 1
        result = imported(kit, _as_list(address, cells, as_json=as_json), "left.jsonl" if as_json else "left.csv")
        assert (result.added, result.rejected, sum(result.inactive.values())) == (0, 0, 1), cells
        key = parse_address(address).key
        assert key not in active(kit), cells
        could = claimed(kit)
        assert "reader39@mail.example.org" in could
        assert key not in could, cells

    import_departure()
    assert sent(kit) == active(kit)
