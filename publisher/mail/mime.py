"""Parse untrusted MIME messages (RFC 2045, RFC 2046) in linear time, within limits.

The parser of the standard library recurses for each nested part, tests each line against all open boundaries, and decodes
headers of any length. A hostile message makes it raise an exception, or run for minutes. This parser works on offsets into
the message, and copies only what a caller reads.
"""

from __future__ import annotations

import binascii
import quopri
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from typing import Final, Self

MAX_MESSAGE_BYTES: Final = 10 * 1024 * 1024
#: Size of one header block: of the message, of a part, or of a returned message.
MAX_HEADER_BYTES: Final = 256 * 1024
MAX_DEPTH: Final = 20
MAX_PARTS: Final = 200
#: Longer values are cut before they are decoded.
_MAX_VALUE_BYTES: Final = 2_000
_MAX_VALUES: Final = 50
#: Occurrences of a boundary that are examined: lines that only begin like one cost time at each level.
_MAX_BOUNDARY_LINES: Final = 10_000
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_TYPE: Final = re.compile(r"[a-z0-9!#$&^_.+-]{1,80}/[a-z0-9!#$&^_.+-]{1,80}")
#: Supported character sets. Text in any other is decoded as UTF-8.
_CHARSETS: Final = re.compile(
    r"us-ascii|utf-?8|iso-?8859-?\d{1,2}|windows-125\d|cp125\d|koi8-[ru]|gb2312|gbk|gb18030|big5|euc-(?:jp|kr)"
    r"|shift[_-]jis|iso-2022-(?:jp|kr)"
)


class UnreadableMessage(Exception):
    """A message exceeds the limit that ``reason`` names."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Headers:
    """The fields of a header block: lower-case name → raw values, in order."""

    fields: dict[str, list[bytes]] = field(default_factory=dict)

    @classmethod
    def parse(cls, block: bytes) -> Self:
        """Return the fields of a block. Lines that are no fields are ignored."""
        fields: dict[str, list[bytes]] = {}
        values: list[bytes] | None = None
        size = 0
        for line in block.splitlines():
            if line[:1] in (b" ", b"\t"):
                if values is not None and size < _MAX_VALUE_BYTES:
                    values[-1] += b" " + line.strip()[:_MAX_VALUE_BYTES]
                    size += len(line) + 1
                continue
            name, colon, value = line.partition(b":")
            values = None
            if not colon or len(name) > 100:
                continue
            known = fields.setdefault(name.strip().lower().decode("latin-1"), [])
            if len(known) < _MAX_VALUES:
                values = known
                values.append(value.strip()[:_MAX_VALUE_BYTES])
                size = len(value)
        return cls(fields)

    def raw(self, name: str) -> list[str]:
        """Return all values of a field as they are written."""
        values = self.fields.get(name.lower(), [])
        return [value[:_MAX_VALUE_BYTES].decode("utf-8", "replace") for value in values]

    def text(self, name: str) -> str:
        """Return the first value of a field, with encoded words decoded (RFC 2047); or empty."""
        value = next(iter(self.raw(name)), "")
        try:
            return " ".join(str(make_header(decode_header(value))).split())
        except (ValueError, LookupError, MessageError):
            return " ".join(value.split())


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message: its header, and the offsets of its body."""

    headers: Headers
    content_type: str
    _type: Message
    _data: bytes = field(repr=False)
    _start: int
    _end: int

    @classmethod
    def parse(cls, data: bytes, start: int, end: int) -> Self:
        """Return the part that lies between two offsets.

        Raises:
            UnreadableMessage: its header is larger than `MAX_HEADER_BYTES`.
        """
        headers, body = _parse_block(data, start, end)
        content_type = Message()
        content_type["Content-Type"] = next(iter(headers.raw("Content-Type")), "text/plain")
        match = _TYPE.match(content_type["Content-Type"].strip().lower())
        return cls(headers, match[0] if match else "text/plain", content_type, data, body, end)

    def body(self, limit: int) -> bytes:
        """Return the decoded start of the body; at most ``limit`` bytes are read."""
        raw = self._data[self._start : min(self._end, self._start + limit)]
        encoding = self.headers.text("Content-Transfer-Encoding").lower()
        if encoding == "quoted-printable":
            return quopri.decodestring(raw)
        if encoding == "base64":
            encoded = b"".join(raw.split())
            try:
                return binascii.a2b_base64(encoded[: len(encoded) // 4 * 4])
            except binascii.Error:
                return raw
        return raw

    def text(self, limit: int) -> str:
        """Return the start of the body as text; at most ``limit`` bytes are read."""
        charset = str(self._type.get_param("charset", "utf-8")).lower()
        charset = charset if _CHARSETS.fullmatch(charset) else "utf-8"
        return self.body(limit).decode("utf-8" if charset == "us-ascii" else charset, "replace")

    def inner_headers(self) -> Headers:
        """Return the header of a message in the body, or the fields of a report.

        Raises:
            UnreadableMessage: that header is larger than `MAX_HEADER_BYTES`.
        """
        body = self.body(MAX_HEADER_BYTES + 2)
        return _parse_block(body, 0, len(body))[0]

    def children(self) -> Iterator[tuple[int, int]]:
        """Yield the offsets of the parts of a multipart body.

        Raises:
            UnreadableMessage: the boundary occurs too often.
        """
        boundary = self._type.get_boundary("") or ""
        delimiter = b"--" + boundary.encode("utf-8", "replace").rstrip()
        if len(delimiter) == 2:
            return
        begin: int | None = None
        position = self._start
        count = 0
        while (at := self._data.find(delimiter, position, self._end)) >= 0:
            position = at + len(delimiter)
            count += 1
            if count > _MAX_BOUNDARY_LINES:
                raise UnreadableMessage(f"a boundary occurs more than {_MAX_BOUNDARY_LINES:,} times")
            if at > self._start and self._data[at - 1] != 0x0A:
                continue
            line_end = self._data.find(b"\n", position, self._end)
            line_end = self._end if line_end < 0 else line_end
            rest = self._data[position:line_end].strip()
            if rest not in (b"", b"--"):
                continue
            if begin is not None:
                yield begin, _without_line_end(self._data, begin, at)
            begin = min(line_end + 1, self._end)
            position = begin
            if rest:
                return
        if begin is not None:
            yield begin, self._end


def _without_line_end(data: bytes, start: int, end: int) -> int:
    if end > start and data[end - 1] == 0x0A:
        end -= 1
    return end - 1 if end > start and data[end - 1] == 0x0D else end


def _parse_block(data: bytes, start: int, end: int) -> tuple[Headers, int]:
    """Return a header and the offset of the body after it."""
    if data[start : start + 1] == b"\n" or data[start : start + 2] == b"\r\n":
        return Headers(), data.index(b"\n", start) + 1
    limit = min(end, start + MAX_HEADER_BYTES)
    match = _BLANK_LINE.search(data, start, limit)
    if match is None and end > limit:
        raise UnreadableMessage(f"a header is larger than {MAX_HEADER_BYTES:,} bytes")
    stop, body = (match.start(), match.end()) if match else (end, end)
    return Headers.parse(data[start:stop]), body


def walk_parts(data: bytes) -> list[Part]:
    """Return a message and its parts, outermost first.

    Returned or forwarded messages are not parsed.

    Raises:
        UnreadableMessage: the message exceeds a limit: bytes, bytes of a header, parts, or depth.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise UnreadableMessage(f"it is larger than {MAX_MESSAGE_BYTES:,} bytes")
    parts: list[Part] = []
    waiting = [(0, len(data), 0)]
    while waiting:
        start, end, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise UnreadableMessage(f"its parts are nested deeper than {MAX_DEPTH} levels")
        if len(parts) >= MAX_PARTS:
            raise UnreadableMessage(f"it has more than {MAX_PARTS} parts")
        part = Part.parse(data, start, end)
        parts.append(part)
        if not part.content_type.startswith("multipart/"):
            continue
        inner = []
        for first, last in part.children():
            inner.append((first, last, depth + 1))
            if len(inner) > MAX_PARTS:
                raise UnreadableMessage(f"it has more than {MAX_PARTS} parts")
        waiting += reversed(inner)
    return parts
