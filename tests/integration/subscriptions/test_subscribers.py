"""Subscribers by command and list: import, export, suppression, erasure, hostile input."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from publisher.cli.subscribers import import_lines
from publisher.errors import SettingsError
from publisher.subscribers.list_parser import COLUMNS, RejectedRow, escape_formula, parse_csv
from publisher.subscriptions.import_list import ImportResult
from tests.conftest import NOW, MailKit, SiteKit
from tests.support import use_cases as action
from tests.support.examples import examples
from tests.support.smtp import Script, Server
from tests.support.use_cases import deliver, delivery_history, import_list


def imported(kit: SiteKit, text: str | bytes, name: str = "list.csv", **options: object) -> ImportResult:
    path = kit.root / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_list(kit.site, path, NOW, **options)


def listed(kit: SiteKit) -> list[dict[str, object]]:
    return [one.as_dict() for one in action.list_subscribers(kit.site)]


def test_an_import_stores_every_column(any_mail_kit: MailKit) -> None:
    """Digests, interests, zone and language of a list are stored."""
    kit = any_mail_kit
    found = imported(
        kit,
        "\ufeffEmail;Time zone;language;digests;topics;favourite colour\r\n"
        "anna@example.org;Europe/London;en;daily;Water | Trade;red\r\n"
        "Bert@Example.ORG;;;;;\r\n",
    )
    assert (found.added, found.rejected, found.notes) == (1, 0, ["Ignored columns: favourite colour"])
    # An empty cell in the column of digests means unsubscribed from all.
    assert found.inactive == {"unsubscribed": 1}
    assert listed(kit) == [
        {
            "address": "anna@example.org",
            "status": "active",
            "zone": "Europe/London",
            "language": "en",
            "digests": ["daily"],
            "topics": ["Trade", "Water"],
        },
        {"address": "Bert@example.org", "status": "unsubscribed", "digests": []},
    ]


def test_a_repeated_import_changes_nothing(any_mail_kit: MailKit) -> None:
    """A nightly import would change the time and source of every subscription each night."""
    kit = any_mail_kit
    text = "address,digests,tags\nanna@example.org,daily,a | b\nbert@example.org,daily,\n"
    imported(kit, text)
    before = listed(kit)
    again = imported(kit, text)
    assert (again.added, again.changed, again.unchanged) == (0, 0, 2)
    assert listed(kit) == before


def test_two_spellings_in_one_list_are_one_subscriber(mail_kit: MailKit) -> None:
    """A person who is listed twice would get every issue twice."""
    found = imported(mail_kit, "address\nanna@example.org\nANNA@EXAMPLE.ORG\n")
    assert (found.added, found.unchanged) == (1, 1)
    assert len(listed(mail_kit)) == 1


HOSTILE = {
    "anna\r@example.org": "control",
    '"anna@example.org\r\nBcc: all@example.org"': "control",
    "anna\0@example.org": "control",
    "=cmd|' /C calc'!A0@example.org": "",
    "x" * 300 + "@example.org": "",
    '"""anna smith""@example.org"': "Quoting",
    "anna@localhost": "",
    "anna@xn--a.example.org": "",
    "nobody": "",
    "'": "",
}


def test_hostile_rows_are_rejected_by_number_and_the_others_imported(mail_kit: MailKit) -> None:
    """One bad row would keep the rest of a list out, or put headers of its own into mail."""
    lines = list(HOSTILE)
    text = "address,digests\n" + "".join(f"{line},daily\ngood{n}@example.org,daily\n" for n, line in enumerate(lines))
    found = imported(mail_kit, text)
    assert found.added == len(lines)
    assert found.rejected >= len(lines)
    assert all("@" in str(one["address"]) and "\n" not in str(one["address"]) for one in listed(mail_kit))
    for one in found.rejections:
        assert one.number > 1
        assert one.reason.isprintable()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("anna@example.org,,Mars/Olympus,,daily", "time zone"),
        ("anna@example.org,,../../etc/passwd,,daily", "time zone"),
        ("anna@example.org,,,english please,daily", "language"),
        ("anna@example.org,,,,weekly", "no digest 'weekly'"),
        ("anna@example.org,,,,daily,one too many", "6 cells"),
    ],
)
def test_a_row_is_rejected_with_its_number_and_reason(mail_kit: MailKit, line: str, reason: str) -> None:
    """An operator could not find the row to correct in a list of thousands."""
    found = imported(mail_kit, f"address,status,zone,language,digests\nok@example.org,,,,daily\n{line}\n")
    assert [(one.number, reason in one.reason) for one in found.rejections] == [(3, True)]


@pytest.mark.parametrize(
    ("text", "reason"), [("", "the list is empty"), ("name,phone\nAnn,1\n", "names no column 'address' or 'email'")]
)
def test_a_list_without_a_column_of_addresses_is_rejected_by_name(mail_kit: MailKit, text: str, reason: str) -> None:
    """Several lists may be imported by one script."""
    with pytest.raises(SettingsError, match=rf"\.csv: .*{reason}"):
        imported(mail_kit, text)


def test_rejected_rows_are_listed_in_the_order_of_the_file(mail_kit: MailKit) -> None:
    """An operator reads them beside the list, where rows without a digest are not the last ones."""
    mail_kit.add_settings('[digests.other]\ntitle = "The Other"\n')
    found = imported(mail_kit, "email\nanna@example.org\nno address\n")
    assert [row.number for row in found.rejections] == [2, 3]


def test_the_summary_of_an_import_separates_columns_from_values(mail_kit: MailKit) -> None:
    """Ignored columns are not listed among the values that were not understood."""
    found = imported(mail_kit, "address,status,colour\nanna@example.org,gold,red\n")
    lines = import_lines(found, None)
    assert lines[-3:] == [
        "  Ignored columns: colour",
        "Not understood, and therefore not active:",
        "  status: 'gold' in 1 row",
    ]


def test_rows_that_are_not_utf_8_are_rejected(mail_kit: MailKit) -> None:
    """A person whose address was decoded wrongly would not get mail, and somebody else might."""
    found = imported(mail_kit, b"address\nanna@example.org\nm\xfcller@example.org\n")
    assert (found.added, found.rejected) == (1, 1)
    assert "UTF-8" in found.rejections[0].reason


def test_json_lines_are_imported_or_rejected_by_line(mail_kit: MailKit) -> None:
    """One broken line would keep the rest of a list out."""
    lines = [
        json.dumps({"address": "anna@example.org", "digests": ["daily"], "topics": ["Water"]}),
        "{",
        "[]",
        json.dumps({"address": ["x"]}),
        json.dumps({"address": "bert@example.org", "topics": [1]}),
        "[" * 30_000,
        json.dumps({"address": "carl@example.org", "tags": ["a|b"]}),
    ]
    found = imported(mail_kit, "\n".join(lines), "list.jsonl")
    assert (found.added, [one.number for one in found.rejections]) == (1, [2, 3, 4, 5, 6, 7])


def test_a_list_without_an_address_column_is_rejected(mail_kit: MailKit) -> None:
    """The first subscriber of a list without headings would be taken for the headings."""
    with pytest.raises(SettingsError, match="column 'address'"):
        imported(mail_kit, "anna@example.org\nbert@example.org\n")


def test_an_endless_line_is_read_in_bounded_pieces(mail_kit: MailKit) -> None:
    """A damaged file would fill the memory of the server that sends mail."""
    path = mail_kit.root / "list.csv"
    with path.open("w") as file:
        file.write('address\n"')
        for _ in range(300):
            file.write("a" * 65_536)
    mail_kit.publish()
    tracemalloc.start()
    found = import_list(mail_kit.site, path, NOW)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.added == 0
    assert found.rejected >= 1
    assert peak < 12_000_000


def test_suppressed_addresses_stay_suppressed_after_an_import(any_mail_kit: MailKit) -> None:
    """People who complained or were erased would get mail again after the next import."""
    kit = any_mail_kit
    kit.add_subscribers(3)
    action.suppress_by_operator(kit.site, "READER0@mail.example.org", NOW)
    action.erase_subscriber(kit.site, "reader1@mail.example.org", NOW)
    found = imported(kit, "address,status\n" + "".join(f"reader{n}@mail.example.org,active\n" for n in range(3)))
    assert (found.skipped, found.unchanged, found.added) == (2, 1, 0)
    assert {one["address"]: one["status"] for one in listed(kit)} == {
        "reader0@mail.example.org": "suppressed",
        "reader2@mail.example.org": "active",
    }
    for reason in (None, "asked by phone"):
        with pytest.raises(SettingsError, match="is not mailed: erased"):
            action.add_subscriber(kit.site, "reader1@mail.example.org", NOW, resubscribe=reason)
    with pytest.raises(SettingsError, match="--resubscribe REASON"):
        action.add_subscriber(kit.site, "reader0@mail.example.org", NOW)
    assert (
        action.add_subscriber(kit.site, "reader0@mail.example.org", NOW, resubscribe="asked by phone").status
        == "active"
    )


def test_a_list_of_unsubscribed_people_unsubscribes_them(mail_kit: MailKit) -> None:
    """A site that moves here would mail people who unsubscribed at its former service."""
    kit = mail_kit
    kit.add_subscribers(1)
    found = imported(kit, "address,status\nreader0@mail.example.org,unsubscribed\nnever@example.org,bounced\n")
    assert found.inactive == {"unsubscribed": 1, "suppressed: bounced": 1}
    assert [one["status"] for one in listed(kit)] == ["unsubscribed"]
    assert imported(kit, "address\nnever@example.org\n").skipped == 1


@pytest.mark.parametrize("tag", ["Unsubscribed", "Bounced", "no", "Cancelled"])
def test_a_followed_label_says_nothing_about_consent(mail_kit: MailKit, tag: str) -> None:
    """A person who follows a tag with such a name would get no mail, although an operator added them."""
    person = action.add_subscriber(mail_kit.site, "ann@example.org", NOW, follows={"tags": [tag], "topics": "Water"})
    assert (person.status, dict(person.follows)) == ("active", {"tags": (tag,), "topics": ("Water",)})


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"zone": "Europe/Nowhere", "follows": {"tags": ["Unsubscribed"]}}, "'Europe/Nowhere' is not a time zone"),
        ({"language": "English please"}, "is not a language tag"),
        ({"follows": {"tags": ["a|b"]}}, "cannot be a label"),
        ({"digests": "daily"}, "the digests are the text 'daily'. Give a list"),
        ({"follows": {"colours": ["red"]}}, "'colours' is no field of interests; the fields are topics, regions"),
    ],
)
def test_a_wrong_value_of_a_new_subscriber_is_rejected(
    mail_kit: MailKit, options: dict[str, object], reason: str
) -> None:
    """A value that is ignored would send the person other mail, or mail at other times, than the operator said."""
    with pytest.raises(SettingsError, match=reason):
        action.add_subscriber(mail_kit.site, "ann@example.org", NOW, **options)
    assert listed(mail_kit) == []


def test_erasure_leaves_no_personal_data_in_the_database(mail_kit: MailKit) -> None:
    """A person who asked for erasure would still be found in the database."""
    kit = mail_kit
    name = kit.add_subscribers(2)[0]
    kit.issue("one")

    def refuse(step: str, argument: str, number: int) -> str | None:
        return f"450 4.2.0 <{argument}> is greylisted" if step == "rcpt" else None

    with Server(Script(at=refuse)) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
    action.suppress_by_operator(kit.site, name, NOW, note=f"{name} wrote to us")
    action.erase_subscriber(kit.site, name, NOW)
    with kit.open() as db, db.write() as connection:
        dump = "\n".join(connection.connection.driver_connection.iterdump())
    assert name not in dump
    assert "reader1@mail.example.org" in dump
    assert delivery_history(kit.site, "daily", name).reason == "not a subscriber any more"


def test_the_id_of_an_erased_subscriber_is_not_reused(mail_kit: MailKit) -> None:
    """A new subscriber would get the deliveries of an erased person."""
    kit = mail_kit
    kit.add_subscribers(2)
    kit.issue("one")
    action.erase_subscriber(kit.site, "reader1@mail.example.org", NOW)
    new = action.add_subscriber(kit.site, "new@example.org", NOW)
    assert new.id == 3
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily")
        assert server.recipients == ["reader0@mail.example.org"]


_cell = st.text(
    st.characters(exclude_characters="|\x00\r\n", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")),
    min_size=1,
    max_size=20,
).filter(str.isprintable)


@settings(max_examples=examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(labels=st.lists(_cell, max_size=4, unique=True), local=st.from_regex(r"[=+'-]?[a-z=+'-]{1,10}", fullmatch=True))
def test_an_export_can_be_imported_without_changes(
    tmp_path_factory: pytest.TempPathFactory, labels: list[str], local: str
) -> None:
    """A site that moves would lose interests and time zones of its subscribers."""
    kits = [MailKit(tmp_path_factory.mktemp(name) / "site") for name in ("from", "to")]
    data = {"address": f"{local}@example.org", "digests": ["daily"], "topics": labels, "zone": "Europe/London"}
    assert imported(kits[0], json.dumps(data), "list.jsonl").added == 1
    for name in ("out.csv", "out.jsonl"):
        file = io.StringIO(newline="")
        assert action.export_subscribers(kits[0].site, file, as_json=name.endswith("l")) == 1
        imported(kits[1], file.getvalue(), name)
        assert listed(kits[1]) == listed(kits[0])


@given(st.text(max_size=30))
def test_an_exported_cell_is_never_a_formula(text: str) -> None:
    """A subscriber could run a formula in the operator's spreadsheet."""
    assert escape_formula(text)[:1] not in ("=", "+", "-", "@", "\t", "\r")


@given(st.text(max_size=300))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    """A damaged list would end the import without naming the row."""
    body = "address,digests,zone\n" + text
    for one in parse_csv(io.StringIO(body, newline=""), ["daily"], on_note=lambda note: None):
        if isinstance(one, RejectedRow):
            assert one.reason
        else:
            assert one.address.text.isprintable()


def test_an_export_has_every_column_and_no_formula(mail_kit: MailKit) -> None:
    """An operator would lose a column, or open a formula of a subscriber."""
    imported(mail_kit, json.dumps({"address": "=1+1@example.org", "topics": ["=HYPERLINK(1)", "@x"]}), "l.jsonl")
    file = io.StringIO(newline="")
    action.export_subscribers(mail_kit.site, file, as_json=False)
    rows = list(csv.reader(io.StringIO(file.getvalue())))
    assert rows[0] == list(COLUMNS)
    assert rows[1][0] == "'=1+1@example.org"
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in rows[1])


def test_the_site_key_is_created_once_and_another_one_rejected(
    mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another key no unsubscribe link would work, and suppressed people would be mailed."""
    kit = mail_kit
    kit.add_subscribers(1)
    path: Path = kit.root / "publisher.key"
    assert path.stat().st_mode & 0o777 == 0o600
    key = path.read_text()
    path.unlink()
    with pytest.raises(SettingsError, match="missing"):
        action.suppress_by_operator(kit.site, "reader0@mail.example.org", NOW)
    path.write_text("x" * 64)
    with pytest.raises(SettingsError, match="not the secret that this database was created with"):
        action.suppress_by_operator(kit.site, "reader0@mail.example.org", NOW)
    path.write_text(key)
    assert action.suppress_by_operator(kit.site, "reader0@mail.example.org", NOW)
