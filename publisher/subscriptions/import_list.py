"""Import subscriber lists; people who unsubscribed stay unsubscribed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from publisher.context import Context
from publisher.delivery.local_time import reschedule_on_zone_change
from publisher.errors import SettingsError
from publisher.model.subscriptions import ALL_DIGESTS, ChangeSource, SubscriptionState
from publisher.signing.site_key import keyring
from publisher.subscribers import store
from publisher.subscribers import suppression_store as suppression
from publisher.subscribers.consent import Consent
from publisher.subscribers.list_parser import (
    DIGESTS_COLUMN,
    RejectedRow,
    SubscriberRow,
    detect_encoding,
    parse_csv,
    parse_json_lines,
)
from publisher.subscribers.subscriptions_store import StateChange, mark_opted_out, unsubscribe
from publisher.subscribers.suppression import convert_unsubscribed, suppress_address, suppression_hash
from publisher.subscribers.suppression_store import SuppressionChannel
from publisher.subscriptions.add import (
    change_subscriber,
    describe_inactive_state,
    insert_subscriber_rows,
    require_digests,
    require_reason,
)

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from publisher.signing.keyring import Keyring
    from publisher.subscribers.store import Subscriber

_PAGE: Final = 2_000
#: Rejected and skipped rows in the summary; ``on_rejected`` is called with all of them.
_MAX_LISTED: Final = 20
#: Values in the summary that were not understood.
_MAX_UNCLEAR: Final = 50
#: The later a state, the safer it is.
_SAFETY: Final = list(SubscriptionState)

_NO_DIGEST_NAMED: Final = (
    "The column 'digests' is empty in every row, so these subscribers are unsubscribed. To subscribe them, remove the "
    "column and import the list again with --digest DIGEST --resubscribe REASON."
)


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """The result of an import."""

    rows: int = 0
    #: New subscribers who are active. Others are stored, too, and counted in ``inactive``.
    added: int = 0
    #: Subscribers who were changed.
    changed: int = 0
    #: Rows that change nothing.
    unchanged: int = 0
    #: Rows that the list calls active, of people who have unsubscribed or are suppressed: they stay so.
    skipped: int = 0
    #: The first 20 of them, with the address and since when.
    skips: list[RejectedRow] = field(default_factory=list)
    rejected: int = 0
    #: The first 20 of them; ``on_rejected`` gets all.
    rejections: list[RejectedRow] = field(default_factory=list)
    #: State, or ``suppressed: bounced`` → rows that are not active.
    inactive: Counter[str] = field(default_factory=Counter)
    #: The same → the columns that decided.
    deciding: dict[str, list[str]] = field(default_factory=dict)
    #: Digest → number of subscribers who are unsubscribed because their row does not name it.
    unnamed: Counter[str] = field(default_factory=Counter)
    #: (column, value) that was not understood → rows that are not active because of it.
    unclear: Counter[tuple[str, str]] = field(default_factory=Counter)
    #: What else the operator should know, such as columns that were ignored.
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON output."""
        return {
            "rows": self.rows,
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "skipped": self.skipped,
            "skips": [{"row": row.number, "reason": row.reason} for row in self.skips],
            "inactive": [
                {"state": state, "rows": count, "columns": self.deciding[state]}
                for state, count in sorted(self.inactive.items())
            ],
            "unnamed": dict(sorted(self.unnamed.items())),
            "not_understood": [
                {"column": column, "value": value, "rows": count}
                for (column, value), count in sorted(self.unclear.items())
            ],
            "rejected": self.rejected,
            "rejections": [{"row": row.number, "reason": row.reason} for row in self.rejections],
            "notes": self.notes,
        }


def import_list(
    context: Context,
    path: Path | str,
    *,
    digests: Sequence[str] = (),
    resubscribe: str | None = None,
    on_rejected: Callable[[RejectedRow], None] = lambda row: None,
) -> ImportResult:
    """Import a list of subscribers, in pages; pages before an interruption are kept.

    A subscriber who exists is updated by their row. People who have unsubscribed, here or by the list, stay
    unsubscribed: their rows are skipped unless a reason to resubscribe is given. Suppressed addresses stay
    suppressed in any case.

    Args:
        path: CSV, or JSON Lines if the name ends with ``.jsonl`` or ``.ndjson``.
        digests: the digests of rows that name none; the site's only digest by default.
        resubscribe: why to subscribe active rows of people who had unsubscribed; None skips them.
        on_rejected: called with every rejected or skipped row.

    Raises:
        SettingsError: the file cannot be read, there is no such digest, or the reason is empty.
    """
    site, db, path = context.site, context.db, Path(path)
    defaults = require_digests(site, digests) or (tuple(site.digests) if len(site.digests) == 1 else ())
    change = StateChange(ChangeSource.IMPORT, context.seconds, require_reason(resubscribe))
    result = ImportResult()
    parse = parse_json_lines if path.suffix in (".jsonl", ".ndjson") else parse_csv
    try:
        with _open(path) as file:
            with db.write() as connection:
                ring = keyring(site, connection)
                convert_unsubscribed(connection, ring)
            importer = _Importer(context, ring, defaults, change, result, on_rejected)
            importer.run(_with_path(path, parse(file, site.digests, on_note=result.notes.append)))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeError as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    # Some rows are rejected when they are read, others when their page is stored.
    result.rejections.sort(key=lambda row: row.number)
    return result


def _with_path(path: Path, rows: Iterator[SubscriberRow | RejectedRow]) -> Iterator[SubscriberRow | RejectedRow]:
    """Yield the rows; an error about the whole list gets its path."""
    try:
        yield from rows
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from error


def _open(path: Path) -> TextIO:
    with path.open("rb") as file:
        encoding = detect_encoding(file.read(2))
    return path.open(encoding=encoding, errors="replace", newline="")


@dataclass(slots=True)
class _Page:
    """Rows that are stored in one transaction, and what is stored about their addresses."""

    #: Hash → reason of its suppression.
    suppressed: dict[str, str]
    #: Address → ID of an existing subscriber.
    known: dict[str, int]
    #: Address → row of a new subscriber.
    new: dict[str, SubscriberRow] = field(default_factory=dict)
    #: Rows of existing subscribers, in the order of the list.
    old: list[tuple[int, SubscriberRow]] = field(default_factory=list)


@dataclass(slots=True)
class _Importer:
    """Stores pages of rows."""

    context: Context
    ring: Keyring
    defaults: tuple[str, ...]
    change: StateChange
    result: ImportResult
    on_rejected: Callable[[RejectedRow], None]

    def run(self, rows: Iterable[SubscriberRow | RejectedRow]) -> None:
        """Store rows, each page in its own transaction."""
        page: list[SubscriberRow] = []
        names_digest, without_digest = False, 0
        for row in rows:
            self.result.rows += 1
            if isinstance(row, RejectedRow):
                self.reject(row)
                continue
            names_digest = names_digest or bool(row.digests)
            without_digest += row.digests == () and row.consent.columns == (DIGESTS_COLUMN,)
            page.append(row)
            if len(page) == _PAGE:
                with self.context.db.write() as connection:
                    self.store(connection, page)
                page = []
                self.context.progress("reading subscribers", self.result.rows, 0)
        with self.context.db.write() as connection:
            self.store(connection, page)
        if without_digest and not names_digest:
            self.result.notes.append(_NO_DIGEST_NAMED)

    def reject(self, row: RejectedRow) -> None:
        """Count a rejected row."""
        self.result.rejected += 1
        self._report(row, self.result.rejections)

    def _report(self, row: RejectedRow, listed: list[RejectedRow]) -> None:
        if len(listed) < _MAX_LISTED:
            listed.append(row)
        self.on_rejected(row)

    def _skip(self, row: SubscriberRow, reason: str) -> None:
        """Count an active row of a person who stays unsubscribed or suppressed."""
        self.result.skipped += 1
        skipped = RejectedRow(number=row.number, reason=f"{row.address.text} is {reason}")
        self._report(skipped, self.result.skips)

    def store(self, connection: Connection, rows: Sequence[SubscriberRow]) -> None:
        """Store a page of rows, in the caller's transaction."""
        store.lock_subscribers(connection)
        hashes = {row.address.key: suppression_hash(self.ring, row.address.key) for row in rows}
        suppressed = {
            hashed: why.reason for hashed, why in suppression.load_suppressions(connection, hashes.values()).items()
        }
        page = _Page(suppressed, store.ids_by_key(connection, hashes))
        for row in rows:
            self._add_to_page(connection, page, row, hashes[row.address.key])
        interests_ids: dict[str, int] = {}
        insert_subscriber_rows(connection, page.new.values(), self.defaults, self.change, interests_ids)
        self.result.added += sum(row.state is SubscriptionState.ACTIVE for row in page.new.values())
        people = store.find_subscribers(connection, [number for number, _ in page.old])
        on_zone_change = reschedule_on_zone_change(self.context, connection)
        for number, row in page.old:
            if self._change(connection, people[number], row, interests_ids, on_zone_change):
                # A second row of the same person must see what the first has changed.
                people.update(store.find_subscribers(connection, [number]))

    def _add_to_page(self, connection: Connection, page: _Page, row: SubscriberRow, hashed: str) -> None:
        """Sort a row by new subscriber, existing subscriber or suppressed address."""
        key = row.address.key
        if row.state is not SubscriptionState.ACTIVE:
            self._count_inactive(row.consent)
        if row.state is SubscriptionState.SUPPRESSED:
            note = f"imported list: {', '.join(row.consent.columns)}"
            reason = row.consent.reason or "asked"
            suppress_address(connection, self.ring, key, reason, SuppressionChannel.IMPORT, note, self.change.at)
            page.suppressed.setdefault(hashed, reason)
            page.new.pop(key, None)
        elif (
            page.suppressed.get(hashed) == "unsubscribed"
            and self.change.reason
            and row.state is SubscriptionState.ACTIVE
        ):
            # Older versions stored unsubscribed addresses without a subscriber in this way.
            suppression.lift_suppression(connection, hashed, key, self.change)
            del page.suppressed[hashed]
            self._add_to_page(connection, page, row, hashed)
        elif key in page.known:
            page.old.append((page.known[key], row))
        elif hashed in page.suppressed:
            if row.state is SubscriptionState.ACTIVE:
                self._skip(row, f"not mailed: {suppression.SUPPRESSION_WORDS[page.suppressed[hashed]]}")
        else:
            self._add_new_row(page, row)

    def _count_inactive(self, consent: Consent) -> None:
        """Count a row whose subscriber must not be mailed."""
        result = self.result
        label = f"{consent.state}: {consent.reason}" if consent.reason else str(consent.state)
        result.inactive[label] += 1
        columns = result.deciding.setdefault(label, [])
        columns += [column for column in consent.columns if column not in columns]
        for cause in consent.unclear:
            if cause in result.unclear or len(result.unclear) < _MAX_UNCLEAR:
                result.unclear[cause] += 1

    def _add_new_row(self, page: _Page, row: SubscriberRow) -> None:
        key = row.address.key
        before = page.new.get(key)
        if before is not None and _SAFETY.index(before.state) > _SAFETY.index(row.state):
            self._skip(row, f"{before.state} by row {before.number}")
        elif row.digests is None and not self.defaults and row.state is SubscriptionState.ACTIVE:
            reason = "is subscribed to no digest: add a column 'digests', or name one with --digest"
            self.reject(RejectedRow(number=row.number, reason=reason))
        else:
            self.result.unchanged += before is not None and before.state is row.state
            page.new[key] = row if before is None else _with_states_of(row, before)

    def _change(
        self,
        connection: Connection,
        person: Subscriber,
        row: SubscriberRow,
        interests_ids: dict[str, int],
        on_zone_change: Callable[[int, str], None],
    ) -> bool:
        """Update an existing subscriber by their row; return whether that changes anything."""
        if row.state is SubscriptionState.UNSUBSCRIBED:
            states = {subscription.state for subscription in person.subscriptions.values()}
            if person.opted_out_at is not None and states <= {SubscriptionState.UNSUBSCRIBED}:
                return False
            reason = f"imported list: {', '.join(row.consent.columns)}"
            unsubscribe(connection, person.id, replace(self.change, reason=reason))
            return True
        if row.state is not SubscriptionState.ACTIVE:
            # Subscribed here, unconfirmed elsewhere: they have not unsubscribed, so they stay.
            return False
        if person.is_suppressed:
            hashed = suppression_hash(self.ring, person.key)
            entry = suppression.load_suppressions(connection, [hashed]).get(hashed)
            self._skip(
                row, f"not mailed: {suppression.SUPPRESSION_WORDS[entry.reason if entry is not None else 'asked']}"
            )
            # Lifting the suppression later must not resubscribe them to digests that the list names as
            # unsubscribed.
            digests, is_opted_out = self._unsubscribe_named(connection, person, row)
            return is_opted_out or bool(digests)
        new_row = self._without_unsubscribed(person, row)
        if new_row is None:
            return False
        digests, is_opted_out = self._unsubscribe_named(connection, person, row)
        if new_row.digests is not None:
            self.result.unnamed.update(
                digest for digest in person.digests if digest not in (*new_row.digests, *digests)
            )
        is_changed = change_subscriber(connection, person, new_row, self.change, interests_ids, on_zone_change)
        is_changed = is_changed or is_opted_out or bool(digests)
        self.result.changed += is_changed
        self.result.unchanged += not is_changed
        return is_changed

    def _unsubscribe_named(
        self, connection: Connection, person: Subscriber, row: SubscriberRow
    ) -> tuple[list[str], bool]:
        """Unsubscribe a person from the digests that their row names as unsubscribed.

        Returns:
            These digests; whether they are now unsubscribed from all others too, including later ones.
        """
        known = person.digests_in(SubscriptionState.UNSUBSCRIBED)
        digests = [digest for digest in row.unsubscribed if digest not in (ALL_DIGESTS, *known)]
        if digests:
            unsubscribe(connection, person.id, self.change, digests)
        is_opted_out = ALL_DIGESTS in row.unsubscribed and person.opted_out_at is None
        if is_opted_out:
            mark_opted_out(connection, person.id, self.change)
        return digests, is_opted_out

    def _without_unsubscribed(self, person: Subscriber, row: SubscriberRow) -> SubscriberRow | None:
        """Return the row without digests that the person has unsubscribed from.

        None to skip the row. With a reason to resubscribe the digests are kept, except after a complaint.
        """
        digests = row.digests
        if self.change.reason and not person.has_complained:
            digests = tuple(dict.fromkeys((*person.digests, *self.defaults))) if digests is None else digests
        else:
            named = digests if digests is not None else self.defaults
            unsubscribed = [digest for digest in named if person.has_unsubscribed(digest)]
            if unsubscribed or person.state is not SubscriptionState.ACTIVE:
                self._skip(row, describe_inactive_state(person, unsubscribed))
            if person.state is not SubscriptionState.ACTIVE:
                return None
            if unsubscribed and digests is not None:
                # If no other digest remains, the row says nothing about the subscriptions.
                digests = tuple(digest for digest in digests if digest not in unsubscribed) or None
        if digests is not None:
            digests = tuple(digest for digest in digests if digest not in row.unsubscribed)
        return replace(row, digests=digests)


def _with_states_of(row: SubscriberRow, earlier: SubscriberRow) -> SubscriberRow:
    """Return a row with the digests that an earlier row of the same person calls unsubscribed or unconfirmed."""
    return replace(
        row,
        unsubscribed=tuple(dict.fromkeys((*earlier.unsubscribed, *row.unsubscribed))),
        unconfirmed=tuple(dict.fromkeys((*earlier.unconfirmed, *row.unconfirmed))),
    )
