"""``publish subscribers import``: store the subscribers of a list, and keep out those who left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from sqlalchemy import Connection

from publisher.actions.keys import keyring
from publisher.actions.mornings import moving
from publisher.actions.report import Progress, silent
from publisher.actions.subscribers import add_rows, change_subscriber, require_digests
from publisher.actions.suppressing import suppress_address
from publisher.config import Site
from publisher.errors import SettingsError
from publisher.ingest.consent import Consent
from publisher.ingest.subscribers import RejectedRow, SubscriberRow, list_encoding, read_csv, read_json_lines
from publisher.model import SubscriptionState
from publisher.store import subscribers as store
from publisher.store.database import Database
from publisher.store.subscriptions import Act, ChangeSource

if TYPE_CHECKING:
    from publisher.passes import Keyring

__all__ = ["ImportResult", "import_list"]

_PAGE: Final = 2_000
#: So many rejected rows are kept for the summary; ``on_rejected`` is called with all of them.
_KEPT: Final = 20
#: So many values that were not understood are kept for the summary.
_MOST_UNCLEAR: Final = 50


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did."""

    rows: int = 0
    added: int = 0
    changed: int = 0
    #: Rows that change nothing.
    unchanged: int = 0
    #: Rows of people who were unsubscribed or suppressed before, whom the list calls active: they stay so.
    kept_out: int = 0
    rejected: int = 0
    #: The first of them.
    rejections: list[RejectedRow] = field(default_factory=list)
    #: State, or ``suppressed: bounced`` → rows that are not active.
    inactive: Counter[str] = field(default_factory=Counter)
    #: The same → the columns that decided.
    deciding: dict[str, list[str]] = field(default_factory=dict)
    #: (column, value) that was not understood → rows that are not active because of it.
    unclear: Counter[tuple[str, str]] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary for a program."""
        return {
            "rows": self.rows,
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "kept_out": self.kept_out,
            "inactive": [
                {"state": state, "rows": count, "columns": self.deciding[state]}
                for state, count in sorted(self.inactive.items())
            ],
            "not_understood": [
                {"column": column, "value": value, "rows": count}
                for (column, value), count in sorted(self.unclear.items())
            ],
            "rejected": self.rejected,
            "rejections": [{"row": row.number, "reason": row.reason} for row in self.rejections],
            "notes": self.notes,
        }

    def count_inactive(self, consent: Consent) -> None:
        """Count a row of somebody who may not be mailed."""
        label = f"{consent.state}: {consent.reason}" if consent.reason else str(consent.state)
        self.inactive[label] += 1
        columns = self.deciding.setdefault(label, [])
        columns += [column for column in consent.columns if column not in columns]
        for cause in consent.unclear:
            if cause in self.unclear or len(self.unclear) < _MOST_UNCLEAR:
                self.unclear[cause] += 1


def import_list(
    site: Site,
    path: Path,
    now: datetime,
    *,
    digests: Sequence[str] = (),
    on_rejected: Callable[[RejectedRow], None] = lambda row: None,
    progress: Progress = silent,
) -> ImportResult:
    """Import a list of subscribers, a page at a time; pages before an interruption are kept.

    A subscriber who exists gets what the list says of them. A row that is not active suppresses its address,
    and a suppressed address stays so, whatever the list says.

    Args:
        site: the settings.
        path: CSV, or JSON Lines where the name ends with ``.jsonl`` or ``.ndjson``.
        now: what time it is.
        digests: what people are subscribed to where the list does not say it; the site's only one by default.
        on_rejected: called with every row that cannot be used.
        progress: called now and then with how far the work is.

    Raises:
        SettingsError: the file cannot be read, or there is no such digest.
    """
    defaults = require_digests(site, digests) or (tuple(site.digests) if len(site.digests) == 1 else ())
    result = ImportResult()
    parse = read_json_lines if path.suffix in (".jsonl", ".ndjson") else read_csv
    try:
        with _open(path) as file, Database.open(site.database_url) as db:
            with db.write() as connection:
                ring = keyring(site, connection)
            page: list[SubscriberRow] = []
            for row in parse(file, site.digests, on_note=result.notes.append):
                result.rows += 1
                if isinstance(row, RejectedRow):
                    _reject(result, row, on_rejected)
                    continue
                page.append(row)
                if len(page) == _PAGE:
                    _import_page(db, site, ring, page, defaults, now, result, on_rejected)
                    page = []
                    progress("reading subscribers", result.rows, 0)
            _import_page(db, site, ring, page, defaults, now, result, on_rejected)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    return result


def _open(path: Path) -> TextIO:
    with path.open("rb") as file:
        encoding = list_encoding(file.read(2))
    return path.open(encoding=encoding, errors="replace", newline="")


def _reject(result: ImportResult, row: RejectedRow, on_rejected: Callable[[RejectedRow], None]) -> None:
    result.rejected += 1
    if len(result.rejections) < _KEPT:
        result.rejections.append(row)
    on_rejected(row)


def _import_page(
    db: Database,
    site: Site,
    ring: Keyring,
    page: Sequence[SubscriberRow],
    defaults: tuple[str, ...],
    now: datetime,
    result: ImportResult,
    on_rejected: Callable[[RejectedRow], None],
) -> None:
    """Store a page of rows, in one transaction."""
    seconds = int(now.timestamp())
    with db.write() as connection:
        store.alone(connection)
        hashes = {row.address.key: ring.address_hash(row.address.key) for row in page}
        barred = set(store.suppressions(connection, hashes.values()))
        known = store.ids_by_key(connection, hashes)
        selections: dict[str, int] = {}
        fresh: dict[str, SubscriberRow] = {}
        old: list[tuple[int, SubscriberRow]] = []
        for row in page:
            key = row.address.key
            if row.state is not SubscriptionState.ACTIVE:
                result.count_inactive(row.consent)
                _store_inactive(connection, ring, row, known, seconds, barred)
                fresh.pop(key, None)
            elif hashes[key] in barred:
                result.kept_out += 1
            elif key in known:
                old.append((known[key], row))
            elif row.digests is None and not defaults:
                reason = "is subscribed to no digest: add a column 'digests', or name one with --digest"
                _reject(result, RejectedRow(number=row.number, reason=reason), on_rejected)
            else:
                result.unchanged += key in fresh
                fresh[key] = row
        act = Act(ChangeSource.IMPORT, seconds)
        add_rows(connection, fresh.values(), defaults, act, selections)
        result.added += len(fresh)
        before = store.find_all(connection, [number for number, _ in old])
        on_move = moving(connection, site, now)
        changed = 0
        for number, row in old:
            if change_subscriber(connection, before[number], row, act, selections, on_move):
                changed += 1
                # A second row of the same person is compared with what the first has made of them.
                before.update(store.find_all(connection, [number]))
        result.changed += changed
        result.unchanged += len(old) - changed


def _store_inactive(
    connection: Connection, ring: Keyring, row: SubscriberRow, known: Mapping[str, int], now: int, barred: set[str]
) -> None:
    """Suppress the address of a row that is not active.

    Somebody who is subscribed here and unconfirmed elsewhere has not left: they stay.
    """
    key = row.address.key
    if row.state is SubscriptionState.UNCONFIRMED and key in known:
        return
    note = f"imported list: {', '.join(row.consent.columns)}"
    suppress_address(connection, ring, key, row.consent.reason or "unsubscribed", note, now)
    barred.add(ring.address_hash(key))
