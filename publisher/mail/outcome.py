"""What a server's answer means for a copy, for its reader and for the relay. Pure: RFC 5321, RFC 3463.

The rule behind every line: a reader is struck off only for what a server says of her address, never for
what it says of us, of the message or of its own state.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from publisher.model import DeliveryState

__all__ = ["Outcome", "RelayFault", "Reply", "lost", "of_message", "of_recipient", "retry_at"]

_ENHANCED: Final = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?:\s|$)")
#: Enhanced codes (RFC 3463) of an address that there is not, or not any more.
_NO_SUCH_READER: Final = frozenset(["1.0", "1.1", "1.2", "1.3", "1.6", "1.10", "2.1"])
#: Plain codes that say so where no enhanced one comes with them (RFC 5321 §4.2.2).
_NO_SUCH_READER_PLAIN: Final = frozenset([550, 551, 553])
#: Words of a refusal that is about us, in servers that know no enhanced codes.
_ABOUT_US: Final = re.compile(
    r"relay|spam|block|policy|reputation|blacklist|denylist|listed|spf|dkim|dmarc|authenticat|rate|too many|sender",
    re.IGNORECASE,
)
#: Minutes between attempts; the last one again and again until the days are over.
_WAITS: Final = (5, 10, 20, 40, 80, 160, 240)
#: Minutes, where a server's policy has refused us: asking again soon makes it worse.
_POLICY_WAIT: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of a server."""

    code: int
    #: Its lines, without the code.
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """The answer in one line, as it is kept."""
        return f"{self.code} {' '.join(self.lines)}".strip()[:400]

    @property
    def enhanced(self) -> str:
        """Subject and detail of its enhanced code, as in ``1.1``; empty where it has none of its class."""
        found = _ENHANCED.match(self.lines[0]) if self.lines else None
        return f"{found[2]}.{found[3]}" if found and found[1] == str(self.code)[0] else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What becomes of a copy."""

    #: Accepted, deferred, failed, uncertain; queued where nothing has happened to it.
    state: DeliveryState
    #: The server's words, or what happened.
    answer: str
    #: True where the reader is to get nothing any more.
    suppress: bool = False
    #: True where the reader's domain asks for patience: its other copies wait too.
    slow: bool = False
    #: Seconds to wait at least; 0 for the usual time.
    wait: int = 0


class RelayFault(Exception):
    """A relay cannot be used: for now, or until a person changes something."""

    def __init__(self, words: str, *, is_final: bool = False) -> None:
        super().__init__(words)
        self.words = words
        #: True where trying again would change nothing.
        self.is_final = is_final


def retry_at(attempts: int, first_at: int, now: int, *, days: int, wait: int = 0) -> int | None:
    """Return when a copy that was refused for now is tried again; None where the time is over.

    Args:
        attempts: how often it was tried, from 1.
        first_at: when it was tried first; seconds since 1970, as all of these.
        now: what time it is.
        days: how long it is tried at all (RFC 5321 §4.5.4.1: four or five days).
        wait: seconds to wait at least.
    """
    minutes = _WAITS[min(max(attempts, 1), len(_WAITS)) - 1]
    due = now + max(minutes * 60, wait)
    return due if due <= first_at + days * 86_400 else None


def _is_about_reader(reply: Reply) -> bool:
    if reply.enhanced:
        return reply.enhanced in _NO_SUCH_READER
    return reply.code in _NO_SUCH_READER_PLAIN and not _ABOUT_US.search(reply.text)


def _for_now(reply: Reply) -> Outcome:
    # 421 and 4.7.x are said to a sender that is too fast or not known yet, not to one message.
    slow = reply.code == 421 or reply.enhanced.startswith(("7.", "4.5", "3.2"))
    return Outcome(state=DeliveryState.DEFERRED, answer=reply.text, slow=slow)


def of_recipient(reply: Reply) -> Outcome | None:
    """Return what a refusal at RCPT means; None for no refusal.

    Raises:
        RelayFault: it is none of the reader's: the relay does not know us, or does not follow.
    """
    if 200 <= reply.code < 300:
        return None
    if reply.code < 500:
        return _for_now(reply)
    if _is_about_reader(reply):
        return Outcome(state=DeliveryState.FAILED, answer=reply.text, suppress=True)
    if reply.code == 552 or reply.enhanced.startswith("2."):
        # RFC 5321 §4.5.3.1.10; a mailbox that is full today need not be tomorrow.
        return Outcome(state=DeliveryState.DEFERRED, answer=reply.text, wait=3600)
    if reply.code in (503, 530, 535, 538) or reply.enhanced.startswith("5."):
        raise RelayFault(f"it answers {reply.text} to a recipient", is_final=True)
    if reply.enhanced.startswith("7.") or not reply.enhanced:
        # Of our own standing with that domain: it can be mended, and the readers are not to pay for it.
        return Outcome(state=DeliveryState.DEFERRED, answer=reply.text, slow=True, wait=_POLICY_WAIT * 60)
    return Outcome(state=DeliveryState.FAILED, answer=reply.text)


def of_message(reply: Reply) -> Outcome:
    """Return what an answer to DATA, or to the dot at the end of the message, means."""
    if 200 <= reply.code < 300:
        return Outcome(state=DeliveryState.ACCEPTED, answer=reply.text)
    if 300 <= reply.code < 400:
        # Neither yes nor no (RFC 5321 §4.2.1): what became of the message cannot be known.
        return Outcome(state=DeliveryState.UNCERTAIN, answer=f"the answer makes no sense: {reply.text}")
    if reply.code < 500:
        return _for_now(reply)
    # Some servers look at recipients only here; they say so with a code of their own.
    return Outcome(state=DeliveryState.FAILED, answer=reply.text, suppress=reply.enhanced in ("1.1", "1.6", "1.10"))


def lost(what: str, *, all_sent: bool) -> Outcome:
    """Return what the end of a connection means for the copy that was on it.

    Args:
        what: what happened.
        all_sent: whether the dot at the end of the message had left.
    """
    if all_sent:
        return Outcome(state=DeliveryState.UNCERTAIN, answer=f"{what} after the message had left and before the answer")
    return Outcome(state=DeliveryState.QUEUED, answer=f"{what} before the whole message had left")
