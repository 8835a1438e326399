"""Who may post a form, how often, and from which page."""

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

__all__ = ["RateLimiter", "network_of"]

#: How often one program, and all of a network, may ask the hub: one that reads many feeds asks for each of them.
_PROGRAMS: Final = (parse("2000/hour"), parse("10000/hour"))
#: Seconds that the clock may be put back without a restart of all counts.
_CLOCK_SKEW: Final = 60
#: How often one mailbox gets a confirmation email under spellings other than its usual one.
_OTHER_SPELLINGS: Final = parse("3/day")
#: Bits of a network that is one neighbour: what a household has (RFC 6177), and what a provider's street has.
_OWN: Final = {4: 32, 6: 64}
_NETWORK: Final = {4: 24, 6: 48}


class RateLimiter:
    """Counts what is posted, in memory: a restart forgives."""

    def __init__(self, site: Site) -> None:
        self._own: RateLimitItem = parse(site.web.form_limit)
        self._network: RateLimitItem = parse(site.web.network_limit)
        self._all: RateLimitItem = parse(site.web.join_limit)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        #: How far the wall clock, which the limiter goes by, is ahead of the monotonic one.
        self._offset = time.time() - time.monotonic()
        parts = urlsplit(site.base_url)
        self._origin = f"{parts.scheme}://{parts.netloc}".lower()
        self._embedding: Sequence[str] = site.web.embed

    def seconds_to_wait(self, request: Request, form: str) -> int:
        """Count a posted form; return the seconds to wait before the next where it is one too many, 0 where not."""
        self._follow_clock()
        address = request.client.host if request.client else ""
        own, network = _neighbours(address)
        rates = [*_PROGRAMS] if form == "hub" else [self._own, self._network]
        if form == "join":
            rates.append(self._all)
        # A network that has had its share is not counted by the household any more: it has more of them than memory.
        if not self._limiter.test(rates[1], form, network):
            return self._left(rates[1], form, network)
        for item, key in zip(rates, (own, network, "everybody"), strict=False):
            if not self._limiter.hit(item, form, key):
                return self._left(item, form, key)
        return 0

    def is_mailbox_over_limit(self, address: str) -> bool:
        """Count an address; tell whether its mailbox has had enough confirmation emails under other spellings.

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
        """Begin anew where the clock was put back: what was counted in the future would count for years."""
        offset = time.time() - time.monotonic()
        if offset < self._offset - _CLOCK_SKEW:
            self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._offset = offset

    def _left(self, item: RateLimitItem, form: str, key: str) -> int:
        until = self._limiter.get_window_stats(item, form, key).reset_time
        return max(1, int(until - time.time()) + 1)

    def is_same_site(self, request: Request) -> bool:
        """Tell whether a form was posted by one of our own pages.

        Browsers say so, and no page can make them say otherwise (https://www.w3.org/TR/fetch-metadata/). Who says
        nothing is no browser of today: nothing that a foreign page could use goes along with such a request.
        """
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = request.headers.get("origin")
        if origin is None:
            return True
        # Compared as text: what stands there need not be an address.
        return origin.lower() == self._origin or origin.partition("://")[2] == request.headers.get("host")

    def is_from_embedding_site(self, request: Request) -> bool:
        """Tell whether a form was posted by a page that may embed it."""
        return request.headers.get("origin", "").lower() in self._embedding


def _neighbours(address: str) -> tuple[str, str]:
    """Return the household and the network of an address, as texts."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address, address
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    own, network = (str(ip_network(f"{found}/{bits[found.version]}", strict=False)) for bits in (_OWN, _NETWORK))
    return own, network


def network_of(address: str) -> str:
    """Return the network of an address, as in ``198.51.100.0/24``: enough to see where trouble comes from."""
    return _neighbours(address)[1]
