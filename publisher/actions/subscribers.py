"""``publish subscribers``: readers come, change, leave and are forgotten."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TextIO

from sqlalchemy import Connection

from publisher.actions.keys import keyring
from publisher.actions.mornings import moving
from publisher.actions.report import Progress, silent
from publisher.actions.suppressing import suppress_address
from publisher.address import Address, read_address
from publisher.config import Site
from publisher.errors import SettingsError
from publisher.ingest.subscribers import COLUMNS, Line, Refused, read_csv, read_json_lines, safe_cell
from publisher.store import letters
from publisher.store import subscribers as store
from publisher.store.database import Database

if TYPE_CHECKING:
    from publisher.passes import Keyring
    from publisher.store.subscribers import Subscriber

__all__ = [
    "Imported",
    "add",
    "admit",
    "as_dict",
    "export",
    "forget",
    "forget_address",
    "import_list",
    "readers",
    "suppress",
]

_PAGE: Final = 2_000
#: So many refused lines are kept for the summary; ``on_refused`` is told of all.
_KEPT: Final = 20


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of a list of readers."""

    lines: int = 0
    added: int = 0
    changed: int = 0
    #: Lines that change nothing.
    known: int = 0
    #: Lines of readers who may not be written to: they stay as they are.
    suppressed: int = 0
    refused: int = 0
    #: The first of them.
    refusals: list[Refused] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the summary for a program."""
        return {
            "lines": self.lines,
            "added": self.added,
            "changed": self.changed,
            "known": self.known,
            "suppressed": self.suppressed,
            "refused": self.refused,
            "refusals": [{"line": one.number, "reason": one.reason} for one in self.refusals],
            "notes": self.notes,
        }


def import_list(
    site: Site,
    path: Path,
    now: datetime,
    *,
    digests: Sequence[str] = (),
    on_refused: Callable[[Refused], None] = lambda line: None,
    progress: Progress = silent,
) -> Imported:
    """Read a list of readers, a page at a time; what was read before an interruption is kept.

    Who is there already gets what the list says of her. Who may not be written to stays so,
    whatever the list says.

    Args:
        site: the settings.
        path: CSV, or JSON Lines where the name ends with ``.jsonl`` or ``.ndjson``.
        now: what time it is.
        digests: what readers follow of whom the list does not say it; the site's only one by default.
        on_refused: told of every line that cannot be used.
        progress: told now and then how far the work is.

    Raises:
        SettingsError: the file cannot be read, or there is no such digest.
    """
    defaults = _digests(site, digests) or (tuple(site.digests) if len(site.digests) == 1 else ())
    result = Imported()
    reader = read_json_lines if path.suffix in (".jsonl", ".ndjson") else read_csv
    try:
        with (
            path.open(encoding="utf-8-sig", errors="replace", newline="") as file,
            Database.open(site.database_url) as db,
        ):
            with db.write() as connection:
                ring = keyring(site, connection)
            page: list[Line] = []
            for one in reader(file, site.digests, on_note=result.notes.append):
                result.lines += 1
                if isinstance(one, Refused):
                    _refuse(result, one, on_refused)
                    continue
                page.append(one)
                if len(page) == _PAGE:
                    _import_page(db, site, ring, page, defaults, now, result, on_refused)
                    page = []
                    progress("reading readers", result.lines, 0)
            _import_page(db, site, ring, page, defaults, now, result, on_refused)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    return result


def _refuse(result: Imported, line: Refused, on_refused: Callable[[Refused], None]) -> None:
    result.refused += 1
    if len(result.refusals) < _KEPT:
        result.refusals.append(line)
    on_refused(line)


def _digests(site: Site, names: Iterable[str]) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(names))
    for name in found:
        if name not in site.digests:
            raise SettingsError(f"there is no digest {name!r}; publisher.toml has: {', '.join(site.digests) or 'none'}")
    return found


def _import_page(
    db: Database,
    site: Site,
    ring: Keyring,
    page: Sequence[Line],
    defaults: tuple[str, ...],
    now: datetime,
    result: Imported,
    on_refused: Callable[[Refused], None],
) -> None:
    """Take a page of lines, in one transaction."""
    seconds = int(now.timestamp())
    with db.write() as connection:
        store.alone(connection)
        hashes = {one.address.key: ring.address_hash(one.address.key) for one in page}
        barred = store.suppressions(connection, hashes.values())
        known = store.ids_by_key(connection, hashes)
        selections: dict[str, int] = {}
        fresh: dict[str, Line] = {}
        old: list[tuple[int, Line]] = []
        for one in page:
            key = one.address.key
            if one.suppressed is not None:
                suppress_address(connection, ring, key, one.suppressed, "the imported list says so", seconds)
                barred[hashes[key]] = store.Suppression(reason=one.suppressed, note="", at=seconds)
                fresh.pop(key, None)
            if hashes[key] in barred:
                result.suppressed += 1
            elif key in known:
                old.append((known[key], one))
            elif one.digests is None and not defaults:
                reason = "follows no digest: add a column 'digests', or name one with --digest"
                _refuse(result, Refused(number=one.number, reason=reason), on_refused)
            else:
                result.known += key in fresh
                fresh[key] = one
        _add(connection, fresh.values(), defaults, seconds, selections)
        result.added += len(fresh)
        before = store.find_all(connection, [number for number, _ in old])
        on_move = moving(connection, site, now)
        changed = 0
        for number, one in old:
            if _change(connection, before[number], one, selections, on_move):
                changed += 1
                # A second line of hers is held against what the first has made of her.
                before.update(store.find_all(connection, [number]))
        result.changed += changed
        result.known += len(old) - changed


def _selection(connection: Connection, text: str, known: dict[str, int]) -> int:
    if text not in known:
        known[text] = store.selection_id(connection, text)
    return known[text]


def _add(
    connection: Connection, lines: Iterable[Line], defaults: tuple[str, ...], now: int, selections: dict[str, int]
) -> None:
    rows, follows = [], []
    every = list(lines)
    number = store.take_ids(connection, len(every)) if every else 0
    for one in every:
        rows.append(
            {
                "id": number,
                "address": one.address.text,
                "key": one.address.key,
                "domain": one.address.domain,
                "status": "active",
                "zone": one.zone,
                "language": one.language,
                "selection_id": _selection(connection, store.query_text(one.follows or {}), selections),
                "added_at": now,
            }
        )
        follows += [(digest, number) for digest in (one.digests if one.digests is not None else defaults)]
        number += 1
    store.save_new(connection, rows)
    store.subscribe(connection, follows)


def _change(
    connection: Connection,
    before: Subscriber,
    line: Line,
    selections: dict[str, int],
    on_move: Callable[[int, str], None],
) -> bool:
    """Give a reader what a line says of her, and return whether that is news."""
    number = before.id
    values: dict[str, Any] = {}
    if line.zone and line.zone != before.zone:
        values["zone"] = line.zone
        on_move(number, line.zone)
    if line.language and line.language != before.language:
        values["language"] = line.language
    if line.follows is not None:
        text = store.query_text({**before.follows, **line.follows})
        if text != store.query_text(before.follows):
            values["selection_id"] = _selection(connection, text, selections)
    store.save_old(connection, [(number, values)])
    changed = bool(values)
    if line.digests is not None and set(line.digests) != set(before.digests):
        left = set(before.digests) - set(line.digests)
        if left:
            store.unsubscribe(connection, number, left)
        store.subscribe(connection, [(digest, number) for digest in line.digests])
        changed = True
    return changed


def _address(text: str) -> Address:
    try:
        return read_address(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is no address: {error}") from error


def add(
    site: Site,
    address: str,
    now: datetime,
    *,
    digests: Sequence[str] = (),
    follows: Mapping[str, Sequence[str]] | None = None,
    zone: str | None = None,
    language: str | None = None,
    lift: bool = False,
) -> Subscriber:
    """Add a reader, or change what she follows, and return her.

    Args:
        site, address, now: the settings, hers, and what time it is.
        digests: what she follows; the site's only digest by default.
        follows: field → labels: what she wants of them; everything by default.
        zone, language: hers; the newsroom's by default.
        lift: write to her again although she was suppressed.

    Raises:
        SettingsError: that is no address, there is no such digest, or she may not be written to.
    """
    found = _address(address)
    chosen = _digests(site, digests)
    if not chosen and len(site.digests) == 1:
        chosen = tuple(site.digests)
    raw: dict[str, Any] = {"address": found.text, "zone": zone, "language": language}
    raw.update({name: list(labels) for name, labels in (follows or {}).items() if labels})
    line = next(read_json_lines(_one(json.dumps(raw)), site.digests, on_note=lambda note: None))
    if isinstance(line, Refused):
        raise SettingsError(line.reason)
    with Database.open(site.database_url) as db, db.write() as connection:
        store.alone(connection)
        _let_in(connection, keyring(site, connection), found, lift=lift)
        known = store.by_key(connection, found.key)
        if known is None and not chosen:
            raise SettingsError(f"which digest? Name one with --digest: {', '.join(site.digests) or 'there is none'}")
        before = known.digests if known is not None else ()
        return admit(connection, site, replace(line, digests=(*before, *chosen)), now)


def admit(connection: Connection, site: Site, line: Line, now: datetime) -> Subscriber:
    """Let a reader in, or give one who is there what the line says of her; return her. In the caller's transaction."""
    store.alone(connection)
    known = store.by_key(connection, line.address.key)
    if known is None:
        _add(connection, [line], (), int(now.timestamp()), {})
    else:
        _change(connection, known, line, {}, moving(connection, site, now))
    reader = store.by_key(connection, line.address.key)
    assert reader is not None
    return reader


def _let_in(connection: Connection, ring: Keyring, address: Address, *, lift: bool) -> None:
    """Let somebody pass who may be written to, or has asked to be again."""
    hashed = ring.address_hash(address.key)
    for why in store.suppressions(connection, [hashed]).values():
        if not lift:
            raise SettingsError(
                f"{address.text} may not be written to ({why.reason}); if she has asked for it herself, say so with --lift"
            )
        store.lift(connection, hashed, address.key)


def _one(text: str) -> TextIO:
    import io

    return io.StringIO(text)


def suppress(site: Site, address: str, now: datetime, *, note: str = "") -> bool:
    """Write to an address no more; return False where that was so before.

    Raises:
        SettingsError: that is no address.
    """
    found = _address(address)
    with Database.open(site.database_url) as db, db.write() as connection:
        ring = keyring(site, connection)
        return suppress_address(connection, ring, found.key, "asked", note, int(now.timestamp()))


def forget(site: Site, address: str, now: datetime) -> bool:
    """Erase a person: what is left is a keyed hash, so that no list brings her back. False where she was not there.

    Raises:
        SettingsError: that is no address.
    """
    found = _address(address)
    with Database.open(site.database_url) as db, db.write() as connection:
        return forget_address(connection, site, found, now)


def forget_address(connection: Connection, site: Site, address: Address, now: datetime) -> bool:
    """Erase a person in the caller's transaction; False where she was not there."""
    store.alone(connection)
    ring = keyring(site, connection)
    reader = store.by_key(connection, address.key)
    hashed = ring.address_hash(address.key)
    # What a server said when she was struck off has her address in it.
    store.lift(connection, hashed, address.key)
    suppress_address(connection, ring, address.key, "forgotten", "", int(now.timestamp()))
    letters.forget(connection, hashed, reader.id if reader is not None else None)
    if reader is not None:
        store.erase(connection, reader.id)
    return reader is not None


def readers(site: Site, *, digest: str | None = None, status: str | None = None) -> Iterator[Subscriber]:
    """Yield readers in the order in which they came.

    Raises:
        SettingsError: there is no such digest.
    """
    if digest is not None:
        _digests(site, [digest])
    with Database.open(site.database_url, dry_run=True) as db, db.read() as connection:
        yield from store.every_subscriber(connection, digest=digest, status=status)


def export(site: Site, file: TextIO, *, as_json: bool, digest: str | None = None, progress: Progress = silent) -> int:
    """Write readers as CSV that no spreadsheet obeys, or as JSON Lines; return how many.

    Raises:
        SettingsError: there is no such digest.
    """
    writer = csv.writer(file, lineterminator="\n")
    if not as_json:
        writer.writerow(COLUMNS)
    count = 0
    for count, one in enumerate(readers(site, digest=digest), 1):
        if as_json:
            file.write(json.dumps(as_dict(one), ensure_ascii=False) + "\n")
        else:
            many = [
                " | ".join(values) for values in (one.digests, *(one.follows.get(name, ()) for name in store.Follow))
            ]
            writer.writerow(
                [safe_cell(cell) for cell in (one.address, one.status, one.zone or "", one.language or "", *many)]
            )
        if count % 1000 == 0:
            progress("writing readers", count, 0)
    return count


def as_dict(one: Subscriber) -> dict[str, Any]:
    """Return a reader for a program."""
    said = {"zone": one.zone, "language": one.language}
    return {
        "address": one.address,
        "status": one.status,
        **{name: value for name, value in said.items() if value},
        "digests": list(one.digests),
        **{name: list(labels) for name, labels in one.follows.items()},
    }
