"""Bytes as they lie in a file → clean text, with a word about what had to be mended."""

from __future__ import annotations

from typing import BinaryIO, Final

from publisher.errors import InvalidRecord
from publisher.html.text import clean_characters

__all__ = ["decode_text", "read_text"]

#: Control characters that texts do not use, tab to carriage return and escape left out.
_CONTROLS: Final = bytes(number for number in range(32) if number not in (9, 10, 11, 12, 13, 27))
#: Beginnings of files that are no text, whatever they are called.
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
#: More control characters than this share of the first bytes, and it is no text.
_BINARY_SHARE = 0.05


def decode_text(data: bytes, where: str) -> tuple[str, list[str]]:
    """Return the text and the warnings.

    UTF-8 with or without BOM, CRLF and UTF-16 with BOM pass without a word. Latin-1 and
    Windows-1252 are recognised, control characters dropped and lone surrogates replaced, with
    a warning each.

    Raises:
        InvalidRecord: the file is empty, or no text at all.
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
            text = _eight_bit(data)
            warnings.append("not UTF-8: read as Windows-1252")
    return _cleaned(text, warnings)


def _eight_bit(data: bytes) -> str:
    """Decode as Windows-1252, the few bytes that it leaves undefined as Latin-1 (WHATWG Encoding)."""
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return "".join(
            bytes([byte]).decode("cp1252", "ignore") or chr(byte) if byte >= 0x80 else chr(byte) for byte in data
        )


def _cleaned(text: str, warnings: list[str]) -> tuple[str, list[str]]:
    text, dropped, replaced = clean_characters(text)
    if dropped:
        warnings.append(f"dropped {dropped} control character(s)")
    if replaced:
        warnings.append(f"replaced {replaced} lone surrogate(s)")
    return text, warnings


def read_text(stream: BinaryIO, where: str, max_bytes: int) -> tuple[str, list[str]]:
    """Return the text of a whole file and the warnings.

    Raises:
        InvalidRecord: larger than ``max_bytes``, empty, or no text.
    """
    data = stream.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise InvalidRecord(where, f"the file is larger than ingest.max_bytes ({max_bytes:,} bytes)")
    return decode_text(data, where)
