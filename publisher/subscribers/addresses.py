"""Parse and normalise email addresses. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from publisher.errors import SettingsError

#: The form of nearly all addresses: email-validator would change nothing but the case.
_ORDINARY: Final = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@((?:[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,61}\.)+([A-Za-z]{2,24}))"
)
#: Special-use names (RFC 6761 and similar), which email-validator rejects with its own reason.
_SPECIAL: Final = frozenset(["arpa", "invalid", "local", "localhost", "onion", "test"])
#: Invisible characters outside the categories of spaces and format characters: combining grapheme joiner,
#: Hangul fillers, variation selectors, braille blank.
_BLANK: Final = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0") | {chr(n) for n in range(0xFE00, 0xFE10)}
#: Domain → characters of a local part that the provider documents as ignored.
_IGNORED: Final = {"gmail.com": ".", "proton.me": ".-_"}
#: Domains that have the same mailboxes as another one.
_SAME_DOMAIN: Final = {"googlemail.com": "gmail.com", "protonmail.com": "proton.me", "pm.me": "proton.me"}
_MAILBOX: Final = re.compile(r"([^<>]*)<([^<>]*)>")
_MAX_MAILBOX_LENGTH: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address that mail can be sent to."""

    #: As written, in Unicode form C, with the domain in Unicode.
    text: str
    #: Normalised: two spellings are equal, because no provider tells ``Anna@`` from ``anna@``.
    key: str
    #: The domain in lower-case ASCII.
    domain: str

    @property
    def recipient(self) -> str:
        """The address as mail servers use it."""
        return f"{self.text.rpartition('@')[0]}@{self.domain}"


def parse_address(text: str) -> Address:
    """Return the address in a text, without invisible characters around it.

    Quoted local parts, address literals and comments are rejected: people who type them do so by mistake.

    Raises:
        ValueError: the text is not an address; the message says why.
    """
    text = text.strip(" ")
    return _ordinary(text) or _validated(strip_invisible(text))


def mailbox_key(address: Address) -> str:
    """Return a key that is equal for spellings of an address that reach one mailbox.

    For rate limits only: it leaves out a part after a plus sign (RFC 5233), compatibility forms such as full-width
    letters (Unicode form KC), and characters that a provider ignores. At a provider that treats these differently
    two people may share a key.
    """
    local = unicodedata.normalize("NFKC", address.key.rpartition("@")[0]).casefold()
    domain = _SAME_DOMAIN.get(address.domain, address.domain)
    local = local.partition("+")[0] or local
    ignored = _IGNORED.get(domain, "")
    return f"{''.join(char for char in local if char not in ignored) or local}@{domain}"


def parse_named_address(text: str) -> Address:
    """Return the address of ``Ann Example <ann@example.org>``, or of a bare address.

    Raises:
        ValueError: there is no address, or the name is a different address.
    """
    text = strip_invisible(text)
    match = _MAILBOX.fullmatch(text) if len(text) <= _MAX_MAILBOX_LENGTH else None
    if match is None:
        return parse_address(text)
    name = strip_invisible(match[1])
    _require_one_line(name)
    address = parse_address(match[2])
    name = strip_invisible(name.strip("\"'"))
    if "@" in name and name.casefold() != address.text.casefold():
        raise ValueError("the name before the address is a different address: write one address")
    return address


def require_address(text: str, parse: Callable[[str], Address] = parse_address) -> Address:
    """Return an address, as PARSE reads it.

    Raises:
        SettingsError: the text is not an address.
    """
    try:
        return parse(text)
    except ValueError as error:
        raise SettingsError(f"{text!r} is not an email address: {error}") from error


def is_invisible(char: str) -> bool:
    """Return whether a character is invisible or empty space."""
    return char.isspace() or unicodedata.category(char) == "Cf" or char in _BLANK


def strip_invisible(text: str) -> str:
    """Return a text without invisible characters at its start and end."""
    text = text.strip()
    if not text or (text[0].isascii() and text[-1].isascii()):
        return text
    start, end = 0, len(text)
    while start < end and is_invisible(text[start]):
        start += 1
    while end > start and is_invisible(text[end - 1]):
        end -= 1
    return text[start:end]


def _ordinary(text: str) -> Address | None:
    if len(text) > 128 or not (match := _ORDINARY.fullmatch(text)) or len(match[1]) > 64:
        return None
    domain = match[2].lower()
    if "--" in domain or match[3].lower() in _SPECIAL:
        return None
    return Address(text=f"{match[1]}@{domain}", key=f"{match[1].lower()}@{domain}", domain=domain)


def _require_one_line(text: str) -> None:
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("an address is one line without control characters")


def _validated(text: str) -> Address:
    from email_validator import EmailNotValidError, validate_email

    if (address := _ordinary(text)) is not None:
        return address
    _require_one_line(text)
    if len(text) > 320:
        raise ValueError(f"an address of {len(text):,} characters: 254 may be (RFC 5321, section 4.5.3.1)")
    for char in text:
        if is_invisible(char):
            name = unicodedata.name(char, "an invisible character")
            raise ValueError(f"the address contains {name} (U+{ord(char):04X}): delete it")
    try:
        validated = validate_email(text, check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    local = unicodedata.normalize("NFC", validated.local_part.casefold())
    return Address(text=validated.normalized, key=f"{local}@{validated.ascii_domain}", domain=validated.ascii_domain)
