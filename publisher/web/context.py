"""The context that all pages share: settings, publisher, log, templates, rate limits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.responses import Response

from publisher import Publisher
from publisher.clock import Clock
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.settings import Site
from publisher.signing.sample_tokens import is_sample_token
from publisher.templating.environment import render_template
from publisher.web.csp import content_security_policy, strict_transport
from publisher.web.rate_limits import RateLimiter
from publisher.web.writers import DATABASE_SECONDS, FormWriters


class DeliveryLink:
    """A URL setting with {copy} in its path or query, or without: then a field is added."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url if url.startswith("http") else "")
        #: The path for a route; empty if the URL is not http or https.
        self.path = parts.path
        #: The parameter that has the token, in the path or in the query string.
        self.parameter = next((key for key, value in parse_qsl(parts.query) if value == "{copy}"), "copy")

    def token_of(self, request: Request) -> str:
        """Return the delivery token of a request; empty if it has none."""
        return str(request.path_params.get("copy", "")) or request.query_params.get(self.parameter, "")


def is_sample_link(link: DeliveryLink, request: Request) -> bool:
    """Return whether a request comes from a test message, a draft or a copy of an issue without a token."""
    token = link.token_of(request)
    return not token or is_sample_token(token)


def shared_values(site: Site, *, is_private: bool) -> dict[str, Any]:
    """Return the variables that every page has."""
    form = site.feeds.formats[0]
    return {
        "site_title": site.title,
        "description": site.description,
        "base_url": site.base_url,
        "newsletters_url": site.newsletters_url,
        "feeds_url": site.feeds_url,
        "feed_url": f"{site.feeds_url}/all.{form.value}",
        "feed_type": TYPES_BY_SUFFIX[form.value],
        "language": site.language,
        "accepts_subscriptions": site.accepts_subscriptions,
        "has_newsletters": bool(site.digests),
        "is_private": is_private,
        "light": site.theme.light_palette,
        "dark": site.theme.dark_palette,
    }


class NullLog:
    """A log that discards every event."""

    def error(self, event: str, **details: Any) -> None:
        """Do nothing."""

    info = error


class WebContext:
    """The context of all pages. Changed settings need a new one."""

    def __init__(
        self,
        site: Site,
        *,
        clock: Clock | None = None,
        wake: Callable[[str], None] = lambda name: None,
        log: Any = None,
    ) -> None:
        """Create the context; the database is opened when it is first used.

        WAKE is called with the name of a background job that has new work; LOG gets changed subscriptions.
        """
        self.site = site
        self.rate_limiter = RateLimiter(site)
        self.writers = FormWriters()
        self.wake = wake
        self.publisher = Publisher(site, clock=clock, wait_seconds=DATABASE_SECONDS)
        self._log = log or NullLog()

    def close(self) -> None:
        """Close the database and stop the writer threads."""
        self.writers.close()
        self.publisher.close()

    def log_change(self, digests: Iterable[str], state: SubscriptionState, source: ChangeSource) -> None:
        """Log changed subscriptions without addresses."""
        for digest in digests:
            self._log.info("subscription changed", digest=digest, state=state.value, source=source.value)

    def path_of(self, url: str) -> str:
        """Return the path of a URL of the site."""
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
        """Render a template and return it as a response.

        Args:
            template: its name below web/.
            values: its variables besides the shared ones.
            max_age: seconds for which caches may store it; search engines may list it. None for a private page.
            pictures: whether it shows pictures and recordings of other servers.
        """
        shared = shared_values(self.site, is_private=max_age is None)
        text = render_template(self.site.templates_dir, f"web/{template}", {**shared, **values})
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
        """Return rendered HTML as a response; ``inline_style`` allows style attributes."""
        all_headers = {
            "content-security-policy": content_security_policy(text, pictures=pictures, inline_style=inline_style),
            # Our own forms need the referrer; other sites must not get a URL that contains a token.
            "referrer-policy": "same-origin" if max_age is None else "strict-origin-when-cross-origin",
            "cache-control": "no-store" if max_age is None else f"public, max-age={max_age}",
            "x-content-type-options": "nosniff",
            **({"strict-transport-security": hsts} if (hsts := strict_transport(self.site)) else {}),
            **({"x-robots-tag": "noindex"} if max_age is None else {}),
            **(headers or {}),
        }
        return Response(text, status, all_headers, "text/html; charset=utf-8")

    def sample_page(self, target: str, way: str) -> Response:
        """Return the page of a personal link in a message that is not a delivery.

        Args:
            target: where the link leads in a delivery, in one sentence.
            way: how a subscriber gets there.
        """
        site = self.site
        link = ("Newsletters", f"{site.newsletters_url}/") if site.digests else None
        if site.accepts_subscriptions:
            link = ("Subscribe", f"{site.newsletters_url}/join")
        sample = (
            "Here it is in a test message, a draft or a copy of an issue: it belongs to no subscriber and does nothing."
        )
        return self.message_page("This link is personal", f"{target} {sample}", way, link=link)

    def message_page(
        self,
        heading: str,
        *lines: str,
        status: int = 200,
        buttons: tuple[tuple[str, str], ...] = (),
        link: tuple[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Return a page with a short message, buttons (name, label) and a link (label, URL)."""
        values = {"heading": heading, "lines": lines, "buttons": buttons, "link": link}
        return self.page("say.html.j2", values, status=status, headers=headers)
