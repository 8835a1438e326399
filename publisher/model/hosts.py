"""Host names: international names as ASCII (IDNA, UTS #46), reserved names (RFC 2606, RFC 6761). Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

#: Reserved for tests, documentation and this machine (RFC 2606, RFC 6761).
_RESERVED_TOP: Final = frozenset(["example", "invalid", "localhost", "test"])
_RESERVED_SECOND: Final = frozenset(["example.com", "example.net", "example.org"])

#: Scheme, user information, host (an IPv6 address in brackets), port, and the rest of a URL (RFC 3986 section 3).
_URL: Final = re.compile(
    r"((?i:https?)://)((?:[^/?#@]*@)?)(\[[^\]/?#]*\]|[^/?#@:]*)((?::[0-9]*)?)((?:[/?#].*)?)", re.DOTALL
)


def ascii_host(host: str) -> str:
    """Return HOST in ASCII: an internationalised name as punycode, other names unchanged.

    Raises:
        ValueError: the name is not allowed by IDNA 2008 (RFC 5891).
    """
    if host.isascii():
        return host
    import idna

    try:
        return idna.encode(host, uts46=True).decode("ascii")
    except UnicodeError as error:
        reason = str(error) or "it is empty"
        raise ValueError(
            f"{host!r} is not an international host name ({reason}): correct it, or write it as punycode"
        ) from None


def ascii_url(url: str) -> str:
    """Return an http or https URL with its host in ASCII and all other parts unchanged.

    Raises:
        ValueError: the URL has no host, or IDNA does not allow its host.
    """
    match = _URL.fullmatch(url)
    if match is None or not match[3]:
        raise ValueError("must be an absolute URL, as in https://example.org/page")
    scheme, user, host, port, rest = match.groups()
    return f"{scheme}{user}{ascii_host(host)}{port}{rest}"


def host_of(url: str) -> str:
    """Return the host of an http, https or mailto URL in lower-case ASCII, or ""."""
    if url[:7].lower() == "mailto:":
        address = url[7:].partition("?")[0]
        host = address.rpartition("@")[2] if "@" in address else ""
    else:
        match = _URL.fullmatch(url)
        host = match[3] if match else ""
    try:
        return ascii_host(host).lower()
    except ValueError:
        return ""


def is_reserved_host(host: str) -> bool:
    """Return whether a host is reserved for tests, documentation or the local machine.

    These are the names of RFC 2606 and RFC 6761, and loopback and unspecified addresses.
    """
    name = host.strip("[]").rstrip(".").lower()
    labels = name.split(".")
    if labels[-1] in _RESERVED_TOP or ".".join(labels[-2:]) in _RESERVED_SECOND:
        return True
    try:
        address = ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified
