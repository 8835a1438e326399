"""What all pages share: settings, store, clock, log, templates, rate limits."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from publisher.clock import Clock
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.model.subscriptions import SubscriptionState
from publisher.settings import Site
from publisher.storage.engine import Database
from publisher.subscribers.subscriptions_store import ChangeSource
from publisher.templating.environment import render_template
from publisher.web.csp import content_security_policy, strict_transport
from publisher.web.rate_limits import RateLimiter
from publisher.web.writers import DATABASE_SECONDS, FormWriters

__all__ = ["Context", "NullLog"]


class NullLog:
    """A log that nobody reads."""

    def error(self, event: str, **details: Any) -> None:
        """Do nothing."""

    info = error


class Context:
    """One for the whole of the web; another one when the settings change."""

    def __init__(
        self,
        site: Site,
        *,
        clock: Clock | None = None,
        wake: Callable[[str], None] = lambda name: None,
        log: Any = None,
    ) -> None:
        """Begin.

        Args:
            site: the settings.
            clock: what time it is.
            wake: told the name of a runner's job that has something to do now.
            log: told of changed subscriptions, without addresses.
        """
        self.site = site
        self.rate_limiter = RateLimiter(site)
        self.writers = FormWriters()
        self.wake = wake
        self._log = log or NullLog()
        self._clock = clock or Clock()
        self._db: Database | None = None
        self._lock = threading.Lock()

    @property
    def db(self) -> Database:
        """The store, opened when it is first asked for."""
        with self._lock:
            if self._db is None:
                self._db = Database.open(self.site.database_url, wait_seconds=DATABASE_SECONDS)
            return self._db

    def now(self) -> datetime:
        """Return what time it is."""
        return self._clock.now()

    def close(self) -> None:
        """Close the database, and end the threads that write."""
        self.writers.close()
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def log_change(self, digests: Iterable[str], state: SubscriptionState, source: ChangeSource) -> None:
        """Log changed subscriptions; never whose."""
        for digest in digests:
            self._log.info("subscription changed", digest=digest, state=state.value, source=source.value)

    def path_of(self, url: str) -> str:
        """Return the path of an address of the site."""
        return urlsplit(url).path

    def page(
        self,
        template: str,
        values: Mapping[str, Any],
        *,
        status: int = 200,
        max_age: int | None = None,
        pictures: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a page.

        Args:
            template: its name below web/.
            values: what the template asks for beside what all have.
            status: of the answer.
            age: seconds for which anybody may keep it, and search engines list it; None for a page that is one
                person's.
            pictures: whether it shows pictures and recordings of other servers.
            headers: others that it has.
        """
        site = self.site
        form = site.feeds.formats[0]
        shared = {
            "site_title": site.title,
            "description": site.description,
            "base_url": site.base_url,
            "newsletters_url": site.newsletters_url,
            "feeds_url": site.feeds_url,
            "feed_url": f"{site.feeds_url}/all.{form.value}",
            "feed_type": TYPES_BY_SUFFIX[form.value],
            "language": site.language,
            "can_be_joined": site.can_be_joined,
            "has_newsletters": bool(site.digests),
            "is_private": max_age is None,
            "light": site.theme.light_palette,
            "dark": site.theme.dark_palette,
        }
        text = render_template(site.templates_dir, f"web/{template}", {**shared, **values})
        return self.html(text, status=status, max_age=max_age, pictures=pictures, headers=headers)

    def html(
        self,
        text: str,
        *,
        status: int = 200,
        max_age: int | None = None,
        pictures: bool = False,
        inline_style: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a page that is made already; ``inline_style`` for one with style attributes."""
        made = {
            "content-security-policy": content_security_policy(text, pictures=pictures, inline_style=inline_style),
            # Forms of ours are to say where they come from; nobody else learns an address with a pass in it.
            "referrer-policy": "same-origin" if max_age is None else "strict-origin-when-cross-origin",
            "cache-control": "no-store" if max_age is None else f"public, max-age={max_age}",
            "x-content-type-options": "nosniff",
            **({"strict-transport-security": hsts} if (hsts := strict_transport(self.site)) else {}),
            **({"x-robots-tag": "noindex"} if max_age is None else {}),
            **(headers or {}),
        }
        return Response(text, status, made, "text/html; charset=utf-8")

    def message_page(
        self,
        heading: str,
        *lines: str,
        status: int = 200,
        buttons: tuple[tuple[str, str], ...] = (),
        link: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a short page: what was done, or is asked, with buttons (name, label) and a link (label, address)."""
        values = {"heading": heading, "lines": lines, "buttons": buttons, "link": link}
        return self.page("say.html.j2", values, status=status, headers=headers)
