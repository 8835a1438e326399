"""Route requests for pages, and render error pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Match

from publisher.errors import StoreBusy
from publisher.web.articles import ArticlePages
from publisher.web.context import WebContext
from publisher.web.feeds import Feeds
from publisher.web.hub import hub_routes
from publisher.web.media import MediaFiles
from publisher.web.openapi import ApiPath, ApiRoute, Operation, describe_api
from publisher.web.preferences import PreferencesPage
from publisher.web.subscribe import SubscribePages
from publisher.web.unsubscribe import UnsubscribePages
from publisher.web.writers import RETRY_AFTER_SECONDS

#: HTTP status → heading and text of the error page.
_ERROR_TEXTS: Final = {
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


class _Fallback:
    """Handles paths without a route: articles, media files, wrong trailing slashes."""

    def __init__(self, context: WebContext, feeds: Feeds, articles: ArticlePages, routes: Sequence[ApiRoute]) -> None:
        self._context = context
        self._feeds = feeds
        self._articles = articles
        self._routes = routes
        self._files = MediaFiles(directory=context.site.media_dir, check_dir=False)

    async def answer(self, request: Request) -> Response:
        """Respond to a request.

        Raises:
            HTTPException: there is no such page.
        """
        page = await run_in_threadpool(self._articles.article, request)
        if page is not None:
            return page
        if self._context.site.web.articles and (file := await self._media(request)) is not None:
            return file
        gone = self._feeds.withdrawal_page(request.url.path)
        if gone is not None:
            return self._context.html(gone.decode(), status=410, max_age=300)
        if request.method in ("GET", "HEAD") and (target := self._other_slash(request.scope["path"])) is not None:
            # Only a path: a forged Host header cannot redirect the client to another site.
            query = request.url.query
            return RedirectResponse(target + (f"?{query}" if query else ""), 301, {"cache-control": "no-store"})
        raise HTTPException(404)

    def _other_slash(self, path: str) -> str | None:
        """Return the path with or without its trailing slash if that one has a route, else None."""
        if "//" in path or "/." in path or "\\" in path:
            return None
        other = path[:-1] if path.endswith("/") else path + "/"
        if other == self._feeds.prefix:
            return other
        scope = {"type": "http", "method": "GET", "path": other, "root_path": ""}
        return other if any(route.matches(scope)[0] is Match.FULL for route in self._routes) else None

    async def _media(self, request: Request) -> Response | None:
        """Return a file of the media folder, or None."""
        base = self._context.path_of(self._context.site.base_url)
        path = request.scope["path"].removeprefix(base).lstrip("/")
        if "\0" in path or any(part.startswith(".") for part in path.split("/")):
            return None
        try:
            response = await self._files.get_response(path, request.scope)
        except HTTPException:
            return None
        response.headers["cache-control"] = "public, max-age=3600"
        response.headers["x-content-type-options"] = "nosniff"
        # An SVG file may contain scripts.
        response.headers["content-security-policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        return response


def make_pages(context: WebContext, feeds: Feeds, described: Iterable[ApiPath] = ()) -> Starlette:
    """Return the application for all pages.

    FEEDS has the pages of withdrawn articles. The OpenAPI document describes the paths DESCRIBED, too.
    """
    articles = ArticlePages(context)

    async def openapi(_: Request) -> Response:
        return JSONResponse(document, headers={"cache-control": "public, max-age=3600"})

    async def error_page(_: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        heading, line = _ERROR_TEXTS.get(
            status, ("That didn’t work", "An error occurred on our side. Please try again later.")
        )
        headers = getattr(error, "headers", None)
        if isinstance(error, StoreBusy):
            status, headers = 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}
            heading, line = _ERROR_TEXTS[503]
        return context.message_page(heading, line, status=status, headers=headers)

    routes: list[ApiRoute] = [
        ApiRoute(
            f"{context.path_of(context.site.base_url)}/openapi.json",
            openapi,
            get=Operation("This description", (200,), ("application/json",)),
        ),
        *UnsubscribePages(context).routes(),
        *PreferencesPage(context).routes(),
        *SubscribePages(context).routes(),
        *hub_routes(context),
        *articles.routes(),
    ]
    fallback = ApiRoute(
        "/{path:path}",
        _Fallback(context, feeds, articles, routes).answer,
        {"path": "The path of an article, or of a file in media/"},
        get=Operation("An article or a media file", (200, 206, 301, 304, 404, 410, 416), ("*/*",), ("*/*",)),
    )
    document = describe_api(context.site, [*described, *(route.api for route in [*routes, fallback])])
    app = Starlette(
        routes=[*routes, fallback],
        exception_handlers={HTTPException: error_page, StoreBusy: error_page, Exception: error_page},
    )
    app.router.redirect_slashes = False
    return app
