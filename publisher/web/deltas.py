"""Only what is new of a feed, for programs that ask for that (RFC 3229, with the instance manipulation ``feed``)."""

from __future__ import annotations

import gzip
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from publisher.web.file_cache import CachedFile

__all__ = ["Deltas", "asks_for_feed"]

#: Feeds whose states are known, and states of one: who has an older one gets the whole feed.
_FEEDS: Final = 2_000
_STATES: Final = 64
#: Suffix → what begins an entry, what ends it.
_ENTRIES: Final = {"rss": (b"<item", b"</item>"), "atom": (b"<entry", b"</entry>")}
_ITEMS: Final = b'"items":[\n'


def asks_for_feed(accepted: bytes) -> bool:
    """Tell whether an A-IM header names ``feed``, and does not refuse it."""
    for part in accepted.lower().split(b","):
        name, _, parameters = part.partition(b";")
        if name.strip() == b"feed":
            return re.search(rb"q\s*=\s*0(\.0*)?\s*$", parameters) is None
    return False


@dataclass(slots=True)
class _History:
    """The states of one feed, as far as somebody was given them."""

    number: int = 0
    #: Each entry's hash → the state that it came with; of those that are in the feed now.
    born: dict[int, int] = field(default_factory=dict)
    #: ETag, in whatever encoding → its state.
    states: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    #: State that somebody has, encoding → the answer.
    made: dict[tuple[int, str], bytes] = field(default_factory=dict)


class Deltas:
    """What was handed out of each feed, in memory: a restart forgets, and the next answer is the whole feed."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _History] = OrderedDict()

    def note(self, name: str, staged: CachedFile) -> None:
        """Note a state of a feed before it is handed out.

        Args:
            name: its file, relative to feeds/.
            staged: its bytes.
        """
        history = self._known.setdefault(name, _History())
        self._known.move_to_end(name)
        if len(self._known) > _FEEDS:
            self._known.popitem(last=False)
        etag = staged.encodings["identity"].etag
        # One that it was in before, as after a withdrawal that was taken back, is a new one all the same.
        if history.states.get(etag) == history.number > 0:
            return
        history.number += 1
        _, entries, _, _ = _parts(name, staged.encodings["identity"].body)
        history.born = {one: history.born.get(one, history.number) for one in map(hash, entries)}
        for one in staged.encodings.values():
            history.states[one.etag] = history.number
            history.states.move_to_end(one.etag)
        while len(history.states) > _STATES:
            history.states.popitem(last=False)
        history.made.clear()

    def since(self, name: str, staged: CachedFile, tags: Iterable[bytes], coding: str) -> bytes | None:
        """Return the feed with the entries alone that are newer than what somebody has; None where that is not known.

        Args:
            name: its file, relative to feeds/.
            staged: its bytes now, which were noted.
            tags: ETags of what somebody has.
            coding: ``gzip``, or else as it is.
        """
        history = self._known.get(name)
        if history is None:
            return None
        state = max((history.states.get(tag, 0) for tag in tags), default=0)
        if not state:
            return None
        if (state, coding) not in history.made:
            head, entries, tail, between = _parts(name, staged.encodings["identity"].body)
            # What is there no more is in no answer; what was edited is another entry, and has its id.
            body = head + between.join(one for one in entries if history.born.get(hash(one), 0) > state) + tail
            history.made[state, coding] = gzip.compress(body, 6, mtime=0) if coding == "gzip" else body
        return history.made[state, coding]


def _parts(name: str, body: bytes) -> tuple[bytes, Sequence[bytes], bytes, bytes]:
    """Return (head, entries, tail, what stands between entries) of a feed that was staged by us."""
    marks = _ENTRIES.get(name.rpartition(".")[2])
    if marks is None:
        first, last = body.index(_ITEMS) + len(_ITEMS), body.rindex(b"\n]")
        # JSON has no line ends but ours.
        return body[:first], _split(body[first:last], b",\n"), body[last:], b",\n"
    begin, end = marks
    first = body.find(b"\n" + begin) + 1
    if not first:
        return body, (), b"", b"\n"
    last = body.rindex(end) + len(end)
    # Text is escaped: only an entry begins so.
    parts = body[first:last].split(end + b"\n" + begin)
    entries = [
        (begin if number else b"") + part + (end if number < len(parts) - 1 else b"")
        for number, part in enumerate(parts)
    ]
    return body[:first], entries, body[last:], b"\n"


def _split(text: bytes, between: bytes) -> Sequence[bytes]:
    return text.split(between) if text else ()
