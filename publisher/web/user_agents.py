"""Parse User-Agent headers: the name of a feed reader and its number of subscribers. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: The name of all programs that fetch for one subscriber.
DIRECT: Final = "direct"
#: The name of all programs beyond the limit of named ones.
OTHERS: Final = "others"
#: Characters of a User-Agent header that are used; parsed headers are cached.
MAX_USER_AGENT_LENGTH: Final = 500
#: For example ``Feedly/1.0 (+http://www.feedly.com/fetcher.html; 45 subscribers)``, ``NewsBlur Feed Fetcher - 12 subscribers``.
_COUNT: Final = re.compile(
    r"\b(\d{1,3}(?:,\d{3}){1,3}|\d{1,8})\s{1,4}(?:subscribers?|readers?|users?)\b", re.IGNORECASE
)
#: Some programs have several ids for one feed, each with subscribers of its own.
_FEED_ID: Final = re.compile(r"\bfeed-?id[:=]\s*([\w-]{1,64})", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.!_-]*(?: (?:Feed |RSS )?[A-Z][A-Za-z]+)?")
#: Programs without subscribers.
_CRAWLER: Final = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|monitor|uptime|validator|preview|curl|wget|python-|go-http|java/|headless",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UserAgent:
    """A parsed User-Agent header."""

    #: For example ``Feedly``; ``direct`` for a program that fetches for one subscriber.
    name: str
    #: How many subscribers it fetches for; 0 for a crawler.
    subscribers: int
    #: Its id of the feed; empty if it has none.
    feed_id: str


@lru_cache(maxsize=4096)
def parse_user_agent(user_agent: bytes) -> UserAgent:
    """Parse a User-Agent header of at most :data:`MAX_USER_AGENT_LENGTH` characters."""
    text = user_agent.decode("latin-1")
    count = _COUNT.search(text)
    if count is not None:
        name = _NAME.match(text)
        feed = _FEED_ID.search(text)
        return UserAgent(name[0] if name else "unnamed", int(count[1].replace(",", "")), feed[1] if feed else "")
    return UserAgent(DIRECT, 0 if not text or _CRAWLER.search(text) else 1, "")


@lru_cache(maxsize=4096)
def is_automated(user_agent: str) -> bool:
    """Return whether a request comes from a program instead of a browser.

    The header has at most :data:`MAX_USER_AGENT_LENGTH` characters.
    """
    return not user_agent.startswith(("Mozilla/5.0", "Opera/")) or _CRAWLER.search(user_agent) is not None
