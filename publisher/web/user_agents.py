"""Reader programs by what they say of themselves: which one, and for how many readers it asks. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

__all__ = ["DIRECT", "MAX_USER_AGENT_LENGTH", "OTHERS", "UserAgent", "is_automated", "parse_user_agent"]

#: What stands for programs that ask for one reader each.
DIRECT: Final = "direct"
#: What stands for programs that are too many to be told one by one.
OTHERS: Final = "others"
#: Characters of a User-Agent header that are read, and kept: whoever asks is to have no room in memory beyond that.
MAX_USER_AGENT_LENGTH: Final = 500
#: As in ``Feedly/1.0 (+http://www.feedly.com/fetcher.html; 45 subscribers)``, ``NewsBlur Feed Fetcher - 12 subscribers``.
_COUNT: Final = re.compile(
    r"\b(\d{1,3}(?:,\d{3}){1,3}|\d{1,8})\s{1,4}(?:subscribers?|readers?|users?)\b", re.IGNORECASE
)
#: One and the same feed has several numbers with some programs; each number has readers of its own.
_FEED_ID: Final = re.compile(r"\bfeed-?id[:=]\s*([\w-]{1,64})", re.IGNORECASE)
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9.!_-]*(?: (?:Feed |RSS )?[A-Z][A-Za-z]+)?")
#: Programs that look, and read nothing to anybody.
_CRAWLER: Final = re.compile(
    r"bot\b|bot/|crawl|spider|slurp|scan|monitor|uptime|validator|preview|curl|wget|python-|go-http|java/|headless",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class UserAgent:
    """A program that asks for a feed."""

    #: ``Feedly``; ``direct`` for one that asks for one reader.
    name: str
    #: For how many readers it asks; 0 for a crawler.
    subscribers: int
    #: What it calls the feed; empty where it has no such thing.
    feed_id: str


@lru_cache(maxsize=4096)
def parse_user_agent(user_agent: bytes) -> UserAgent:
    """Return what a User-Agent header tells, cut off at :data:`TOLD`."""
    text = user_agent.decode("latin-1")
    count = _COUNT.search(text)
    if count is not None:
        name = _NAME.match(text)
        feed = _FEED_ID.search(text)
        return UserAgent(name[0] if name else "unnamed", int(count[1].replace(",", "")), feed[1] if feed else "")
    return UserAgent(DIRECT, 0 if not text or _CRAWLER.search(text) else 1, "")


@lru_cache(maxsize=4096)
def is_automated(user_agent: str) -> bool:
    """Tell whether a link was looked at by a program, not by a person; of a header cut off at :data:`TOLD`."""
    return not user_agent.startswith(("Mozilla/5.0", "Opera/")) or _CRAWLER.search(user_agent) is not None
