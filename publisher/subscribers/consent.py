"""Derive from the columns of an imported list whether a subscriber may be mailed. Pure.

Most programs export people who unsubscribed along with the others. Every column whose name is about a status, a
subscription, an unsubscription, a bounce or a complaint is read, and the safest of them decides. A value that is
not understood means not active.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from publisher.html.text import printable
from publisher.model.subscriptions import SubscriptionState
from publisher.subscribers.addresses import strip_invisible
from publisher.subscribers.consent_words import (
    REASONS,
    UNCONFIRMED,
    UNSUBSCRIBED,
    ColumnKind,
    InactiveState,
    column_kind,
    fold_words,
    has_payment_columns,
    is_active_type,
    is_active_word,
    match_inactive_state,
    match_plain_inactive_state,
    may_be_inactive_state,
)

_NO: Final = re.compile(
    "false|no|n|f|0|off|none|null|nil|nan|na|n a|not set|no data|never|unchecked|nein|non|niet|nao|falsch|faux|falso"
)
#: S and X are missing: they mean yes in one program and something else in another.
_YES: Final = re.compile("true|yes|y|t|1|1 0|on|checked|ja|j|oui|si|sim|wahr|vrai|verdadero|vero")
_YES_MARKS: Final = frozenset("✓✔☑✅")
#: Dashes and empty brackets mean no value.
_BLANK: Final = re.compile(r"[-–—.\s]*|\[\s*\]|\{\s*\}|\(\s*\)|\((?:none|null|empty|not set)\)|<null>", re.IGNORECASE)
#: Zero, and the dates that databases write for no date: 0000-00-00 and 0001-01-01.
_ZERO: Final = re.compile(r"0+(?: 0+)*|0001 01 01(?: .*|t.*)?")
_DATE: Final = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.*|(?:\d{8}|\d{10}|\d{13})(?:\.0)?|\d{8}T\d.*|"
    r"[A-Za-z]{3,9}\.? \d{1,2},? \d{4}.*|\d{1,2}\.? [A-Za-z]{3,9}\.? \d{4}.*"
)
_MAX_DEPTH: Final = 4
#: Characters of a value that are read: longer text is not a word for a state.
_MAX_VALUE: Final = 200
_MAX_SHOWN: Final = 60
_MAX_PLAIN: Final = 40
#: "No thanks", in a column such as "newsletter".
_NO_FIRST: Final = re.compile(r"(?:no|non|nein|never)\b")
_LIST_SEPARATOR: Final = re.compile("[,;|]")
#: Words of a reason that can name a state, at most.
_MAX_REASON_WORDS: Final = 3

_ACTIVE: Final[InactiveState] = (SubscriptionState.ACTIVE, None)
_ORDER: Final = list(SubscriptionState)
_UNRELATED: Final = (ColumnKind.OTHER, ColumnKind.PAYMENT)
#: Kinds of columns in which a list or an object is not unusual.
_LOOSE: Final = (*_UNRELATED, ColumnKind.STATE, ColumnKind.WANTS_MAIL, ColumnKind.CIRCUMSTANCE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """Whether the subscriber of a row may be mailed."""

    state: SubscriptionState = SubscriptionState.ACTIVE
    #: Why the address is suppressed: ``complained``, ``asked`` or ``bounced``; None in any other state.
    reason: str | None = None
    #: The columns that decided, by their names in the list; empty for an active subscriber.
    columns: tuple[str, ...] = ()
    #: (column, value) of values that were not understood and count as not active.
    unclear: tuple[tuple[str, str], ...] = ()


#: The consent of a row without any objection.
ACTIVE: Final = Consent()


def _safety(match_inactive_state: InactiveState) -> tuple[int, int]:
    state, reason = match_inactive_state
    return _ORDER.index(state), -REASONS.index(reason) if reason else 0


@dataclass(frozen=True, slots=True)
class _Verdict:
    column: str
    state: InactiveState
    #: The value, where it was not understood.
    unclear: str | None = None

    @property
    def safety(self) -> tuple[int, int]:
        return _safety(self.state)


def is_consent_column(name: str, *, is_paid_list: bool) -> bool:
    """Return whether a column decides; ``is_paid_list`` as for :func:`column_kind`."""
    kind, _ = column_kind(name[:_MAX_VALUE], is_paid_list=is_paid_list)
    return kind not in (*_UNRELATED, ColumnKind.OTHER_CHANNEL, ColumnKind.CIRCUMSTANCE)


def printable_text(text: str) -> str:
    """Return a text of a list on one line, without control characters."""
    return printable(text[:_MAX_VALUE])


def read_consent(cells: Iterable[tuple[str, object]]) -> Consent:
    """Return the consent of a row; the safest statement wins.

    Its CELLS are (column, value) in the order of the list; a name may occur more than once. Values are text, or any JSON
    value.
    """
    names, values = [], []
    for name, value in cells:
        names.append(name)
        values.append(value)
    is_paid_list, columns = _columns(tuple(names))
    verdicts: list[_Verdict] = []
    for (name, kind, named), value in zip(columns, values, strict=True):
        if value == "" and kind in _UNRELATED:
            continue
        verdicts += _verdicts(name, kind, named, value, is_paid_list, 0)
    if not verdicts:
        return ACTIVE
    safest = max(verdicts, key=lambda verdict: verdict.safety)
    deciding = [verdict for verdict in verdicts if verdict.state == safest.state]
    state, reason = safest.state
    return Consent(
        state=state,
        reason=reason,
        columns=tuple(dict.fromkeys(printable_text(verdict.column) for verdict in deciding)),
        unclear=tuple(
            (printable_text(verdict.column), printable_text(verdict.unclear))
            for verdict in deciding
            if verdict.unclear is not None
        ),
    )


_Column = tuple[str, ColumnKind, InactiveState | None]


@lru_cache(maxsize=64)
def _columns(names: tuple[str, ...]) -> tuple[bool, tuple[_Column, ...]]:
    """Return whether a list sells subscriptions, and (name, kind, state) of each column."""
    is_paid_list = has_payment_columns(name[:_MAX_VALUE] for name in names)
    return is_paid_list, tuple((name, *column_kind(name[:_MAX_VALUE], is_paid_list=is_paid_list)) for name in names)


def _verdicts(
    name: str, kind: ColumnKind, named: InactiveState | None, value: object, is_paid_list: bool, depth: int
) -> Iterator[_Verdict]:
    """Yield the reasons in a cell for which its subscriber is not active."""
    if kind is ColumnKind.OTHER_CHANNEL:
        return
    if isinstance(value, Mapping | list | tuple):
        if kind in _LOOSE:
            yield from _nested(name, value, is_paid_list, depth)
        elif value or named is None:
            yield _Verdict(name, UNSUBSCRIBED, unclear=str(value)[:_MAX_SHOWN])
        return
    text = _text(value)
    # A missing status in JSON was written as null: the cell is not merely empty.
    meaning = None if value is None and kind is ColumnKind.STATUS else _meaning(kind, named, text)
    if meaning is None:
        # An empty cell is not a yes, and not an unsubscription.
        safe = UNCONFIRMED if kind is ColumnKind.CONFIRMED or _is_blank(text) else UNSUBSCRIBED
        yield _Verdict(name, safe, unclear=text[:_MAX_SHOWN])
    elif meaning != _ACTIVE:
        yield _Verdict(name, meaning)


def _nested(name: str, value: object, is_paid_list: bool, depth: int) -> Iterator[_Verdict]:
    if depth >= _MAX_DEPTH:
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            kind, named = column_kind(str(key)[:_MAX_VALUE], is_paid_list=is_paid_list)
            for verdict in _verdicts(str(key), kind, named, inner, is_paid_list, depth + 1):
                yield _Verdict(f"{name}.{verdict.column}", verdict.state, verdict.unclear)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _verdicts(name, ColumnKind.OTHER, None, inner, is_paid_list, depth + 1)


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return strip_invisible(str(value))[:_MAX_VALUE]


def _is_blank(text: str) -> bool:
    return bool(_BLANK.fullmatch(text))


def _is_no(text: str) -> bool:
    words = fold_words(text)
    return _is_blank(text) or bool(_NO.fullmatch(words)) or bool(_ZERO.fullmatch(words))


def _plain_inactive_state(text: str) -> InactiveState | None:
    """Return the state that a value, or a value of a list such as "vip, unsubscribed", names."""
    if not text or not may_be_inactive_state(text):
        return None
    parts = (part.strip() for part in _LIST_SEPARATOR.split(text))
    states = [
        meaning for part in parts if 0 < len(part) <= _MAX_PLAIN and (meaning := match_plain_inactive_state(part))
    ]
    return max(states, key=_safety) if states else None


def _short_inactive_state(text: str) -> InactiveState | None:
    """Return the state of a value of at most two words.

    "Baja California" is a place, "baja" an unsubscription.
    """
    words = fold_words(text)
    return (match_inactive_state(words) if words.count(" ") == 0 else None) or _plain_inactive_state(text)


def _meaning(kind: ColumnKind, named: InactiveState | None, text: str) -> InactiveState | None:
    """Return the state that a value means in a kind of column; None if it is not understood."""
    if named is not None:
        return _inactive_value(text, named, is_status=kind is ColumnKind.INACTIVE_STATUS)
    return _MEANINGS[kind](text)


def _inactive_value(text: str, named: InactiveState, *, is_status: bool) -> InactiveState:
    words = fold_words(text)
    if _is_no(text) or (is_status and is_active_word(words)):
        return _ACTIVE
    # "Unsubscribe reason: complaint" is a complaint; a sentence with the word spam is an opinion.
    state = match_inactive_state(words) if words.count(" ") < _MAX_REASON_WORDS else None
    return state if state is not None and state[0] is SubscriptionState.SUPPRESSED else named


def _status(text: str) -> InactiveState | None:
    words = fold_words(text)
    return _ACTIVE if not text or is_active_word(words) else match_inactive_state(words)


def _subscribed(text: str) -> InactiveState | None:
    words = fold_words(text)
    state = match_inactive_state(words)
    if state is not None or _is_blank(text):
        return state
    if _is_no(text):
        return UNSUBSCRIBED
    is_yes = _YES.fullmatch(words) or text in _YES_MARKS or is_active_word(words) or _DATE.fullmatch(text)
    return _ACTIVE if is_yes else None


def _confirmed(text: str) -> InactiveState | None:
    if _is_no(text):
        return UNCONFIRMED
    return _subscribed(text)


def _type(text: str) -> InactiveState | None:
    words = fold_words(text)
    return _ACTIVE if not text or is_active_type(words) else match_inactive_state(words)


def _state(text: str) -> InactiveState | None:
    return _short_inactive_state(text) or _ACTIVE


def _wants_mail(text: str) -> InactiveState | None:
    is_no = text and (_is_no(text) or _NO_FIRST.match(fold_words(text)))
    return UNSUBSCRIBED if is_no else _short_inactive_state(text) or _ACTIVE


def _unrelated(text: str) -> InactiveState | None:
    return _plain_inactive_state(text) or _ACTIVE


def _circumstance(text: str) -> InactiveState | None:
    is_no = fold_words(text) in ("false", "no", "non", "nein")
    return UNSUBSCRIBED if is_no else _plain_inactive_state(text) or _ACTIVE


_MEANINGS: Final = {
    ColumnKind.OTHER: _unrelated,
    ColumnKind.PAYMENT: _unrelated,
    ColumnKind.STATUS: _status,
    ColumnKind.SUBSCRIBED: _subscribed,
    ColumnKind.CONFIRMED: _confirmed,
    ColumnKind.TYPE: _type,
    ColumnKind.STATE: _state,
    ColumnKind.WANTS_MAIL: _wants_mail,
    ColumnKind.CIRCUMSTANCE: _circumstance,
}
