"""Decode the bytes of a file to clean text, with a warning for each kind of repair."""

from __future__ import annotations

from typing import BinaryIO, Final

from publisher.errors import InvalidRecord
from publisher.html.text import clean_characters

#: Control characters that do not occur in text: all but tab to carriage return, and escape.
_CONTROLS: Final = bytes(number for number in range(32) if number not in (9, 10, 11, 12, 13, 27))
#: Signatures of binary formats, at the start of a file.
_MAGIC: Final = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF",
    b"PK\x03\x04": "a ZIP or Office file",
    b"\xd0\xcf\x11\xe0": "an old Office file",
    b"\x7fELF": "a program",
    b"\x1f\x8b": "a gzip file",
    b"SQLite format 3": "a database",
}
#: A larger share of control characters in the first bytes means a binary file.
_BINARY_SHARE = 0.05


def decode_text(data: bytes, where: str) -> tuple[str, list[str]]:
    """Return the text and the warnings.

    UTF-8 with or without BOM, UTF-16 with BOM and CRLF give no warning. Latin-1 and Windows-1252 are
    detected, control characters dropped and lone surrogates replaced, each with a warning.

    Raises:
        InvalidRecord: the file is empty or binary.
    """
    if not data.strip(b"\x00 \t\r\n"):
        raise InvalidRecord(where, "the file is empty")
    for magic, kind in _MAGIC.items():
        if data.startswith(magic):
            raise InvalidRecord(where, f"the file is {kind}, not text")
    warnings: list[str] = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16", "replace")
    else:
        head = data[:8192]
        if len(head) - len(head.translate(None, _CONTROLS)) > max(8, len(head) * _BINARY_SHARE):
            raise InvalidRecord(where, "the file is binary, not text")
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = _decode_windows_1252(data)
            warnings.append("not UTF-8: read as Windows-1252")
    text, dropped, replaced = clean_characters(text)
    return text, [*warnings, *character_warnings(dropped, replaced)]


def _decode_windows_1252(data: bytes) -> str:
    """Decode Windows-1252, and its five undefined bytes as Latin-1 (WHATWG Encoding)."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(
            bytes([byte]).decode("cp1252", "ignore") or chr(byte) if byte >= 0x80 else chr(byte) for byte in data
        )


def character_warnings(dropped: int, replaced: int) -> list[str]:
    """Return warnings about dropped control characters and replaced lone surrogates; [] for none."""
    counts = ((dropped, "dropped", "control character"), (replaced, "replaced", "lone surrogate"))
    return [f"{verb} {count} {noun}{'' if count == 1 else 's'}" for count, verb, noun in counts if count]


def read_text(stream: BinaryIO, where: str, max_bytes: int) -> tuple[str, list[str]]:
    """Return the text of a whole file and the warnings.

    Raises:
        InvalidRecord: the file is larger than MAX_BYTES, empty or binary.
    """
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InvalidRecord(where, f"the file is larger than ingest.max_bytes ({max_bytes:,} bytes)")
    return decode_text(data, where)
