"""Rate limits of posted forms, and the check of their origin."""

from __future__ import annotations

import time
from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.requests import Request

from publisher.settings import Site
from publisher.subscribers.addresses import mailbox_key, parse_address

#: Hub requests of one address and of one network; a program that reads many feeds subscribes to each.
_HUB_LIMITS: Final = (parse("2000/hour"), parse("10000/hour"))
#: The clock may go back by this without a reset of all counts.
_CLOCK_SKEW_SECONDS: Final = 60
#: How often one mailbox gets a confirmation email under spellings other than its usual one.
_OTHER_SPELLINGS: Final = parse("3/day")
#: Prefix lengths by IP version: of one household (RFC 6177), and of a network of many households.
_HOUSEHOLD_PREFIX: Final = {4: 32, 6: 64}
_NETWORK_PREFIX: Final = {4: 24, 6: 48}


class RateLimiter:
    """Counts posted forms in memory; a restart resets the counts."""

    def __init__(self, site: Site) -> None:
        self._own: RateLimitItem = parse(site.web.form_limit)
        self._network: RateLimitItem = parse(site.web.network_limit)
        self._all: RateLimitItem = parse(site.web.join_limit)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        #: Wall clock minus monotonic clock, in seconds. The limiter uses the wall clock.
        self._offset = time.time() - time.monotonic()
        parts = urlsplit(site.base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}".lower()
        self._embedding: Sequence[str] = site.web.embed

    def seconds_to_wait(self, request: Request, form: str) -> int:
        """Count a posted form; return the seconds until the next one is allowed, 0 if this one is."""
        self._follow_clock()
        address = request.client.host if request.client else ""
        own, network = _networks(address)
        rates = [*_HUB_LIMITS] if form == "hub" else [self._own, self._network]
        if form == "join":
            rates.append(self._all)
        # Households of a blocked network are not counted: an IPv6 network has more of them than memory.
        if not self._limiter.test(rates[1], form, network):
            return self._seconds_left(rates[1], form, network)
        for item, key in zip(rates, (own, network, "everybody"), strict=False):
            if not self._limiter.hit(item, form, key):
                return self._seconds_left(item, form, key)
        return 0

    def is_mailbox_over_limit(self, address: str) -> bool:
        """Count an address; return whether its mailbox has had too many emails under aliases.

        ``ann+1@…`` and ``ann+2@…``, ``a.nn@gmail.com``, or an address in full-width letters reach one mailbox, but are
        addresses of their own in the database, which limits the usual spelling to one email a day.
        """
        try:
            parsed = parse_address(address)
        except ValueError:
            return False
        mailbox = mailbox_key(parsed)
        return mailbox != parsed.key and not self._limiter.hit(_OTHER_SPELLINGS, "mailbox", mailbox)

    def _follow_clock(self) -> None:
        """Reset all counts if the clock was set back: counts from the future would block."""
        offset = time.time() - time.monotonic()
        if offset < self._offset - _CLOCK_SKEW_SECONDS:
            self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._offset = offset

    def _seconds_left(self, item: RateLimitItem, form: str, key: str) -> int:
        until = self._limiter.get_window_stats(item, form, key).reset_time
        return max(1, int(until - time.time()) + 1)

    def is_same_site(self, request: Request) -> bool:
        """Return whether a form was posted by one of the site's own pages.

        Browsers send Sec-Fetch-Site and pages cannot change it (https://www.w3.org/TR/fetch-metadata/). A request with
        neither that nor Origin does not come from a current browser, so no other site can have caused it.
        """
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = request.headers.get("origin")
        if origin is None:
            return True
        # Compared as text, because the header may be malformed.
        return origin.lower() == self._origin or origin.partition("://")[2] == request.headers.get("host")

    def is_from_embedding_site(self, request: Request) -> bool:
        """Return whether a form was posted by a site of ``web.embed``."""
        return request.headers.get("origin", "").lower() in self._embedding


def _networks(address: str) -> tuple[str, str]:
    """Return the household and the network of an IP address as text."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address, address
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    own, network = (
        str(ip_network(f"{parsed}/{bits[parsed.version]}", strict=False))
        for bits in (_HOUSEHOLD_PREFIX, _NETWORK_PREFIX)
    )
    return own, network


def network_of(address: str) -> str:
    """Return the network of an IP address, such as ``198.51.100.0/24``."""
    return _networks(address)[1]
