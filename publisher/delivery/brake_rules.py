"""Decide whether the refusals of an issue may suppress addresses. Pure: counts in, verdict out.

A server that refuses many recipients with the same words is more often wrong about itself than right about
the addresses: a relay that has lost its user database says "no such user" to everybody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["MIN_REFUSALS", "WINDOW_ATTEMPTS", "RefusalGroup", "Verdict", "judge_refusals"]

#: Attempts at a relay, or at a recipient domain, after which the refusals among them are judged.
WINDOW_ATTEMPTS: Final = 50
#: Fewer equal refusals never stop anything.
MIN_REFUSALS: Final = 10
#: Per cent of the attempts that may end in equal refusals.
MAX_PERCENT: Final = 20
#: The same where the words name the address.
MAX_PERCENT_NAMED: Final = 50


class Verdict(StrEnum):
    """What becomes of the refusals."""

    #: The suppressions stay provisional.
    WAIT = "wait"
    #: The addresses are suppressed.
    APPLY = "apply"
    #: The relay or the domain is not used until an operator decides; nothing is suppressed.
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalGroup:
    """Equal refusals of a relay or a domain."""

    #: See `publisher.mail.refusals.refusal_key`.
    words: str
    #: Whether the words name the address.
    names_address: bool
    count: int


def judge_refusals(
    attempts: int, refusals: Iterable[RefusalGroup], *, is_over: bool
) -> tuple[Verdict, RefusalGroup | None]:
    """Return what becomes of refusals, and those that stop the relay or the domain.

    A stop does not wait for the end of the window once nothing that follows can prevent it.

    Args:
        attempts: how many attempts a server has answered.
        refusals: the permanent refusals among them that would suppress an address, by their words.
        is_over: whether no attempts follow.
    """
    total = attempts if is_over else max(attempts, WINDOW_ATTEMPTS)
    for one in sorted(refusals, key=lambda one: (-one.count, one.words)):
        percent = MAX_PERCENT_NAMED if one.names_address else MAX_PERCENT
        if one.count >= MIN_REFUSALS and one.count * 100 > percent * total:
            return Verdict.STOP, one
    return (Verdict.APPLY if is_over or attempts >= WINDOW_ATTEMPTS else Verdict.WAIT), None
