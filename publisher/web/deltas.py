"""Responses with only the new entries of a feed (RFC 3229, ``A-IM: feed``)."""

from __future__ import annotations

import gzip
import re
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from publisher.web.file_cache import CachedFile

__all__ = ["Deltas", "asks_for_feed"]

#: Feeds whose versions are stored, and versions of each; a client with an older version gets the whole feed.
_MAX_FEEDS: Final = 2_000
_MAX_VERSIONS: Final = 64
#: Suffix → start and end of an entry.
_ENTRIES: Final = {"rss": (b"<item", b"</item>"), "atom": (b"<entry", b"</entry>")}
_ITEMS: Final = b'"items":[\n'


def asks_for_feed(accepted: bytes) -> bool:
    """Return whether an A-IM header accepts ``feed``."""
    for part in accepted.lower().split(b","):
        name, _, parameters = part.partition(b";")
        if name.strip() == b"feed":
            return re.search(rb"q\s*=\s*0(\.0*)?\s*$", parameters) is None
    return False


@dataclass(slots=True)
class _History:
    """The served versions of one feed."""

    #: The number of the newest version.
    number: int = 0
    #: Hash of each entry in the feed → the version that added it.
    added: dict[int, int] = field(default_factory=dict)
    #: ETag, in any encoding → its version.
    versions: OrderedDict[bytes, int] = field(default_factory=OrderedDict)
    #: (version of the client, encoding) → the response body.
    bodies: dict[tuple[int, str], bytes] = field(default_factory=dict)


class Deltas:
    """The served versions of each feed, in memory; after a restart clients get whole feeds."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, _History] = OrderedDict()

    def note(self, name: str, staged: CachedFile) -> None:
        """Record a version of a feed before it is served.

        Args:
            name: its file, relative to feeds/.
            staged: its content.
        """
        history = self._known.setdefault(name, _History())
        self._known.move_to_end(name)
        if len(self._known) > _MAX_FEEDS:
            self._known.popitem(last=False)
        etag = staged.encodings["identity"].etag
        # A version whose bytes were served before, for example after an undone withdrawal, gets a new number.
        if history.versions.get(etag) == history.number > 0:
            return
        history.number += 1
        _, entries, _, _ = _parts(name, staged.encodings["identity"].body)
        history.added = {key: history.added.get(key, history.number) for key in map(hash, entries)}
        for encoded in staged.encodings.values():
            history.versions[encoded.etag] = history.number
            history.versions.move_to_end(encoded.etag)
        while len(history.versions) > _MAX_VERSIONS:
            history.versions.popitem(last=False)
        history.bodies.clear()

    def since(self, name: str, staged: CachedFile, tags: Iterable[bytes], coding: str) -> bytes | None:
        """Return the feed with the client's missing entries; None if its version is unknown.

        Args:
            name: its file, relative to feeds/.
            staged: its current content, which ``note`` has recorded.
            tags: ETags of the versions that the client has.
            coding: ``gzip`` or ``identity``.
        """
        history = self._known.get(name)
        if history is None:
            return None
        version = max((history.versions.get(tag, 0) for tag in tags), default=0)
        if not version:
            return None
        if (version, coding) not in history.bodies:
            head, entries, tail, between = _parts(name, staged.encodings["identity"].body)
            # An edited entry has a new hash and its old id, so the client replaces it.
            body = head + between.join(entry for entry in entries if history.added.get(hash(entry), 0) > version) + tail
            history.bodies[version, coding] = gzip.compress(body, 6, mtime=0) if coding == "gzip" else body
        return history.bodies[version, coding]


def _parts(name: str, body: bytes) -> tuple[bytes, Sequence[bytes], bytes, bytes]:
    """Return (head, entries, tail, separator of entries) of a feed of this project."""
    limits = _ENTRIES.get(name.rpartition(".")[2])
    if limits is None:
        first, last = body.index(_ITEMS) + len(_ITEMS), body.rindex(b"\n]")
        # Line ends inside JSON strings are escaped, so this separator occurs only between entries.
        return body[:first], _split(body[first:last], b",\n"), body[last:], b",\n"
    begin, end = limits
    first = body.find(b"\n" + begin) + 1
    if not first:
        return body, (), b"", b"\n"
    last = body.rindex(end) + len(end)
    # Text is escaped, so this separator occurs only between entries.
    parts = body[first:last].split(end + b"\n" + begin)
    entries = [
        (begin if number else b"") + part + (end if number < len(parts) - 1 else b"")
        for number, part in enumerate(parts)
    ]
    return body[:first], entries, body[last:], b"\n"


def _split(text: bytes, between: bytes) -> Sequence[bytes]:
    return text.split(between) if text else ()
