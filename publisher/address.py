"""Addresses of readers: checked, and in the form in which two spellings are equal. Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

__all__ = ["Address", "read_address"]

#: What nearly every address looks like: nothing in it that email-validator would change but its case.
_ORDINARY: Final = re.compile(
    r"([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@((?:[A-Za-z0-9](?:[A-Za-z0-9]|-(?=[A-Za-z0-9])){0,61}\.)+([A-Za-z]{2,24}))"
)
#: Names of RFC 6761 and its like that no mail reaches: email-validator tells why.
_SPECIAL: Final = frozenset(["arpa", "invalid", "local", "localhost", "onion", "test"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """An address that mail can be sent to."""

    #: As it is written: Unicode form C, the domain in Unicode.
    text: str
    #: The form in which two spellings are equal: no provider tells ``Anna@`` from ``anna@``.
    key: str
    #: The domain as servers know it: lower case, ASCII.
    domain: str


def read_address(text: str) -> Address:
    """Return the address that a text is.

    Quoted local parts, address literals and comments are refused: those who have typed them have
    not meant them.

    Raises:
        ValueError: it is none, with the reason.
    """
    text = text.strip(" ")
    if len(text) <= 128 and (match := _ORDINARY.fullmatch(text)) and len(match[1]) <= 64:
        domain = match[2].lower()
        if "--" not in domain and match[3].lower() not in _SPECIAL:
            return Address(text=f"{match[1]}@{domain}", key=f"{match[1].lower()}@{domain}", domain=domain)
    return _validated(text)


def _validated(text: str) -> Address:
    from email_validator import EmailNotValidError, validate_email

    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ValueError("an address is one line without control characters")
    if len(text) > 320:
        raise ValueError(f"an address of {len(text):,} characters: 254 may be (RFC 5321, section 4.5.3.1)")
    try:
        found = validate_email(text, check_deliverability=False, allow_smtputf8=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from None
    local = unicodedata.normalize("NFC", found.local_part.casefold())
    return Address(text=found.normalized, key=f"{local}@{found.ascii_domain}", domain=found.ascii_domain)
