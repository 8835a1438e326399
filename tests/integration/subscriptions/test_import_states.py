"""Rows that disagree about one person, or name a suppressed address: the safest state wins."""

from __future__ import annotations

import pytest

from publisher.signing.site_key import keyring
from publisher.subscribers.suppression import suppress_address
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions.import_list import ImportResult
from tests.conftest import NOW, MailKit
from tests.support import use_cases as action
from tests.support.use_cases import doubtful_suppressions, import_list, lift_suppressions

PERSON = "ann@mail.example.org"
ABOUT_US = "mx.relay.example: 550 Reverse DNS lookup failed"


@pytest.fixture
def kit(any_mail_kit: MailKit) -> MailKit:
    """A site with two newsletters."""
    any_mail_kit.add_settings('\n[digests.weekly]\ntitle = "The Weekly"\n')
    return any_mail_kit


def imported(kit: MailKit, text: str) -> ImportResult:
    path = kit.root / "list.csv"
    path.write_text(text)
    return import_list(kit.site, path, NOW)


def digests(kit: MailKit) -> tuple[str, ...]:
    [person] = action.list_subscribers(kit.site)
    return person.digests


def bounced(kit: MailKit) -> None:
    with kit.open() as db, db.write() as connection:
        suppress_address(
            connection, keyring(kit.site, connection), PERSON, "bounced", SuppressionChannel.SMTP, ABOUT_US, 1
        )


@pytest.mark.parametrize("rows", [1, 2_100])
def test_an_unsubscription_in_one_of_two_rows_wins(kit: MailKit, rows: int) -> None:
    """It stands in whatever spelling the other row has the address, and however far apart the rows are."""
    between = "".join(f"reader{number}@mail.example.org,daily,\n" for number in range(rows))
    imported(
        kit,
        "address,digests,digests_unsubscribed\n"
        f"{PERSON},daily,weekly\n{between}Ann <{PERSON.upper()}>,daily | weekly,\n",
    )
    [person] = [one for one in action.list_subscribers(kit.site) if one.key == PERSON]
    assert person.digests == ("daily",)


def test_an_unconfirmed_digest_in_one_of_two_rows_wins(kit: MailKit) -> None:
    """The row without it does not confirm it."""
    imported(kit, f"address,digests,digests_unconfirmed\n{PERSON},daily,weekly\n{PERSON},daily | weekly,\n")
    assert digests(kit) == ("daily",)


def test_a_blocklisted_address_that_had_bounced_is_not_lifted_with_the_bounces(kit: MailKit) -> None:
    """The word of the list replaces the bounce, which a review would lift."""
    imported(kit, f"address,digests\n{PERSON},daily\n")
    bounced(kit)
    assert [one.address for one in doubtful_suppressions(kit.site)] == [PERSON]
    imported(kit, f"address,status\n{PERSON},blocklisted\n")
    assert doubtful_suppressions(kit.site) == []
    [person] = action.list_subscribers(kit.site)
    assert person.is_suppressed


def test_an_imported_unsubscription_outlives_a_lifted_suppression(kit: MailKit) -> None:
    """Unsubscribed digests of a list are stored for suppressed people too."""
    imported(kit, f"address,digests\n{PERSON},daily | weekly\n")
    bounced(kit)
    result = imported(kit, f"address,digests,digests_unsubscribed\n{PERSON},daily,weekly\n")
    assert result.skipped == 1
    assert lift_suppressions(kit.site, doubtful_suppressions(kit.site), NOW) == [PERSON]
    assert digests(kit) == ("daily",)


EMPTY_COLUMN = "The column 'digests' is empty in every row"


@pytest.mark.parametrize(
    ("text", "is_told"),
    [
        ("address,digests\nann@mail.example.org,\nbea@mail.example.org,\n", True),
        ("email,lists,status\nann@mail.example.org,,active\nbea@mail.example.org,,bounced\n", True),
        ("address,digests\nann@mail.example.org,\nbea@mail.example.org,daily\n", False),
        ("address,digests,status\nann@mail.example.org,,unsubscribed\n", False),
        ("address\nann@mail.example.org\n", False),
    ],
)
def test_a_list_with_an_empty_column_of_digests_says_why_nobody_is_subscribed(
    kit: MailKit, text: str, *, is_told: bool
) -> None:
    """A column that an export left empty means that everybody is unsubscribed."""
    path = kit.root / "list.csv"
    path.write_text(text)
    result = import_list(kit.site, path, NOW, digests=["daily"])
    assert [note.startswith(EMPTY_COLUMN) for note in result.notes if "digests" in note] == [True] * is_told


def test_the_fix_for_an_empty_column_of_digests_subscribes_everybody(kit: MailKit) -> None:
    """The summary names the options with which the same list is imported as it was meant."""
    result = imported(kit, f"address,digests\n{PERSON},\n")
    assert digests(kit) == () and "--digest DIGEST --resubscribe REASON" in result.notes[-1]
    path = kit.root / "list.csv"
    path.write_text(f"address\n{PERSON}\n")
    import_list(kit.site, path, NOW, digests=["daily"], resubscribe="the export left the column empty")
    assert digests(kit) == ("daily",)
