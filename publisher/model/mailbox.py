"""Mailboxes: an address with or without a display name (RFC 5322 section 3.4). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from publisher.model.hosts import ascii_host

_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\.]+(?:\.[^\s@<>,;:\"()\[\]\\.]+)+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Mailbox:
    """An email address with its display name."""

    #: Without quotes and escapes; empty if there is none.
    name: str
    #: Its domain is in ASCII.
    address: str

    @property
    def domain(self) -> str:
        """Return the domain of the address, in ASCII."""
        return self.address.rpartition("@")[2]

    def __str__(self) -> str:
        """Return the mailbox as RFC 5322 text, with the name as a quoted string."""
        if not self.name:
            return self.address
        escaped = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}" <{self.address}>'


def parse_mailbox(text: str) -> Mailbox:
    """Parse a mailbox, as in ``The Review: News, daily <news@example.org>``.

    Quotes around the name are optional, also for names that need them in RFC 5322 (with a colon or comma, for example).

    Raises:
        ValueError: TEXT is not one address.
    """
    text = text.strip()
    name, bracket, rest = text.rpartition("<")
    address = text
    if bracket:
        address = rest.removesuffix(">").strip()
        name = name.strip()
        quoted = _QUOTED.fullmatch(name)
        # A bracket outside of quotes belongs to another address.
        if not rest.endswith(">") or (quoted is None and re.search(r"[<>]", name)):
            raise ValueError(_MESSAGE)
        if quoted is not None:
            name = re.sub(r"\\(.)", r"\1", quoted[1])
    if not _ADDRESS.fullmatch(address):
        raise ValueError(_MESSAGE)
    local, _, domain = address.rpartition("@")
    return Mailbox(name=name.strip(), address=f"{local}@{ascii_host(domain)}")


_MESSAGE: Final = "must be one email address, as in news@example.org or The Review <news@example.org>"
