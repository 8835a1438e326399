"""Decide whether the refusals of an issue may suppress addresses: a circuit breaker. Pure.

A server that refuses many recipients with the same words is more often misconfigured than right about the addresses: a
relay that has lost its user database answers "no such user" to every recipient.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

#: Attempts at a relay or a recipient domain, after which their refusals are judged.
WINDOW_ATTEMPTS: Final = 50
#: Fewer equal refusals never stop anything.
MIN_REFUSALS: Final = 10
#: Percentage of the attempts that may end in equal refusals.
MAX_PERCENT: Final = 20
#: The same if the words name the address.
MAX_PERCENT_NAMED: Final = 50


class Verdict(StrEnum):
    """The decision about refusals."""

    #: The suppressions stay provisional.
    WAIT = "wait"
    #: The addresses are suppressed.
    APPLY = "apply"
    #: The relay or the domain is not used until an operator decides; nothing is suppressed.
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalGroup:
    """Refusals of a relay or a domain with the same words."""

    #: See `publisher.mail.refusals.refusal_key`.
    words: str
    #: Whether the words name the address.
    names_address: bool
    count: int


def judge_refusals(
    attempts: int, refusals: Iterable[RefusalGroup], *, is_over: bool
) -> tuple[Verdict, RefusalGroup | None]:
    """Return the verdict, and the refusals that stop the relay or the domain, if any.

    A stop comes before the end of the window if no further attempt can prevent it.

    Args:
        attempts: number of attempts with a reply about the recipient.
        refusals: the permanent refusals among them that would suppress an address.
        is_over: True if no attempts follow.
    """
    total = attempts if is_over else max(attempts, WINDOW_ATTEMPTS)
    for group in sorted(refusals, key=lambda group: (-group.count, group.words)):
        percent = MAX_PERCENT_NAMED if group.names_address else MAX_PERCENT
        if group.count >= MIN_REFUSALS and group.count * 100 > percent * total:
            return Verdict.STOP, group
    return (Verdict.APPLY if is_over or attempts >= WINDOW_ATTEMPTS else Verdict.WAIT), None
