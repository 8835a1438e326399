"""Pages for people, by Starlette: routes, and what is said where something goes wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Route

from publisher.errors import StoreBusy
from publisher.web.articles import ArticlePages
from publisher.web.context import Context
from publisher.web.feeds import Feeds
from publisher.web.hub import hub_routes
from publisher.web.media import MediaFiles
from publisher.web.openapi import describe_api
from publisher.web.preferences import PreferencesPage
from publisher.web.subscribe import SubscribePages
from publisher.web.unsubscribe import UnsubscribePages
from publisher.web.writers import RETRY_AFTER

__all__ = ["make_pages"]

#: HTTP status → heading and text of the error page.
_WORDS: Final = {
    400: ("Invalid request", "Please go back and try again."),
    403: ("Request refused", "It came from another site. Please open our page and press the button there."),
    404: ("Page not found", "The link may be out of date or incomplete."),
    405: ("Invalid request", "Please go back and try again."),
    408: ("That took too long", "Please try again."),
    413: ("Request too large", "Please send less."),
    415: ("Invalid request", "Please use the form on our page."),
    429: ("Too many requests", "Please wait a while, then try again."),
    503: ("Too many requests at the moment", "Nothing was saved. Please try again in half a minute."),
}


class _Rest:
    """What stands at no address of its own: articles, their pictures, what was withdrawn, a slash too many or too few."""

    def __init__(self, context: Context, feeds: Feeds, read: ArticlePages, routes: Sequence[BaseRoute]) -> None:
        self._context = context
        self._feeds = feeds
        self._read = read
        self._routes = routes
        self._files = MediaFiles(directory=context.site.media_dir, check_dir=False)

    async def answer(self, request: Request) -> Response:
        """Answer, or say that nothing is there."""
        page = await run_in_threadpool(self._read.article, request)
        if page is not None:
            return page
        if self._context.site.web.articles and (file := await self._media(request)) is not None:
            return file
        gone = self._feeds.withdrawal_page(request.url.path)
        if gone is not None:
            return self._context.html(gone.decode(), status=410, max_age=300)
        if request.method in ("GET", "HEAD") and (where := self._beside(request.scope["path"])) is not None:
            # A path of ours and nothing else: whatever the request calls the host, nobody is led away.
            query = request.url.query
            return RedirectResponse(where + (f"?{query}" if query else ""), 301, {"cache-control": "no-store"})
        raise HTTPException(404)

    def _beside(self, path: str) -> str | None:
        """Return the page that is meant where there is a slash too many or too few; None where none is."""
        if "//" in path or "/." in path or "\\" in path:
            return None
        other = path[:-1] if path.endswith("/") else path + "/"
        if other == self._feeds.prefix:
            return other
        asked = {"type": "http", "method": "GET", "path": other, "root_path": ""}
        return other if any(one.matches(asked)[0] is Match.FULL for one in self._routes) else None

    async def _media(self, request: Request) -> Response | None:
        """Return a picture or a recording of the site's own; None where there is none."""
        base = self._context.path_of(self._context.site.base_url)
        path = request.scope["path"].removeprefix(base).lstrip("/")
        if "\0" in path or any(part.startswith(".") for part in path.split("/")):
            return None
        try:
            found = await self._files.get_response(path, request.scope)
        except HTTPException:
            return None
        found.headers["cache-control"] = "public, max-age=3600"
        found.headers["x-content-type-options"] = "nosniff"
        # What is drawn by a script is none.
        found.headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        return found


def make_pages(context: Context, feeds: Feeds) -> Starlette:
    """Return everything that is no feed.

    Args:
        context: what every page has.
        feeds: knows which articles are gone.
    """
    read = ArticlePages(context)
    described = describe_api(context.site)

    async def openapi(_: Request) -> Response:
        return JSONResponse(described, headers={"cache-control": "public, max-age=3600"})

    async def failed(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        heading, line = _WORDS.get(
            status, ("That didn’t work", "An error occurred on our side. Please try again later.")
        )
        headers = getattr(error, "headers", None)
        if isinstance(error, StoreBusy):
            status, headers = 503, {"Retry-After": str(RETRY_AFTER)}
            heading, line = _WORDS[503]
        return context.message_page(heading, line, status=status, headers=headers)

    routes: list[BaseRoute] = [
        Route(f"{context.path_of(context.site.base_url)}/openapi.json", openapi),
        *UnsubscribePages(context).routes(),
        *PreferencesPage(context).routes(),
        *SubscribePages(context).routes(),
        *hub_routes(context),
        *read.routes(),
    ]
    rest = Route("/{path:path}", _Rest(context, feeds, read, routes).answer)
    app = Starlette(
        routes=[*routes, rest], exception_handlers={HTTPException: failed, StoreBusy: failed, Exception: failed}
    )
    app.router.redirect_slashes = False
    return app
