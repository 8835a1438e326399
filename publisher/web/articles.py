"""What there is to read: the front page, articles, issues that are out, readers' own feeds."""

from __future__ import annotations

import html
import re
import threading
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from publisher.delivery.public_issues import article_at, issue_page, newest_articles, public_issues
from publisher.digests.store import IssueRow
from publisher.feeds.article_page import article_page_values, article_summary
from publisher.html.dates import long_date
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import TYPES_BY_SUFFIX
from publisher.reports.clicks import count_click
from publisher.subscriptions.personal_feed import personal_feed_state, render_personal_feed
from publisher.templating.environment import render_template
from publisher.web.context import Context
from publisher.web.feeds import matches_etag
from publisher.web.file_cache import etag_of
from publisher.web.user_agents import MAX_USER_AGENT_LENGTH, is_automated

__all__ = ["ArticlePages"]

#: Articles on the front page, and issues of each newsletter on the page of newsletters.
_FRONT: Final = 15
_ISSUES: Final = 3
#: Issues on a page of a newsletter's own.
_SHELF: Final = 50
#: Feeds of readers' own of which the last ETag is known.
_OWN: Final = 50_000
#: Seconds for which a page may be kept.
_AGE: Final = 60
#: Seconds that a click waits to be counted.
_CLICK_SECONDS: Final = 0.5
_BODY: Final = re.compile(r"<body\b[^<>]*>")


class ArticlePages:
    """Pages that are the same for everybody, and feeds that are one reader's."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._base = context.path_of(context.site.base_url)
        #: (pass, suffix) of a reader's own feed → its state when it was last made, and the ETag of that.
        self._own: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[Route]:
        """Return where they are."""
        context, site = self._context, self._context.site
        below = context.path_of(site.newsletters_url)
        found = [Route(f"{self._base}/", self._front), Route("/favicon.ico", self._icon)]
        if site.digests:
            found += [
                Route(f"{below}/", self._newsletters),
                *(Route(f"{below}/{slug}/", partial(self._newsletter, slug)) for slug in site.digests),
                Route(f"{below}/feed/{{feed_pass}}.{{suffix}}", self._own_feed),
                *([Route(f"{below}/go/{{digest}}/{{issue}}/{{seq:int}}", self._go)] if site.web.clicks else []),
                Route(context.path_of(site.issue_url), self._issue),
            ]
        return found

    # -- for everybody ---------------------------------------------------------------------------

    def _front(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        found = newest_articles(site, context.db, context.now(), _FRONT)
        values: dict[str, Any] = {
            "latest": [article_summary(one, site.language) for one in found],
            "digests": list(site.digests.items()),
        }
        return context.page("front.html.j2", values, max_age=_AGE)

    def _icon(self, request: Request) -> Response:
        site = self._context.site
        letter = html.escape(next((one for one in site.title if one.isalnum()), "·").upper())
        ground, ink = site.theme.light_palette.accent, site.theme.light_palette.card
        picture = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
            f'<rect width="32" height="32" rx="6" fill="{ground}"/><text x="16" y="23" text-anchor="middle" '
            f'font-family="Georgia,serif" font-size="20" font-weight="bold" fill="{ink}">{letter}</text></svg>'
        )
        headers = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}
        return Response(picture, headers=headers, media_type="image/svg+xml")

    def article(self, request: Request) -> Response | None:
        """Return an article's page; None where none is at the address."""
        context, site = self._context, self._context.site
        path = request.url.path.removeprefix(self._base)
        found = article_at(site, context.db, path, context.now()) if site.web.articles else None
        if found is None:
            return None
        values = article_page_values(found, site_title=site.title, base_url=site.base_url, language=site.language)
        return context.page("article.html.j2", values, max_age=_AGE, pictures=True)

    def _newsletters(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        with context.db.read() as connection:
            shelves = [
                (
                    slug,
                    digest,
                    [self._listed(row) for row in public_issues(connection, site, slug, limit=_ISSUES)],
                )
                for slug, digest in site.digests.items()
            ]
        return context.page("newsletters.html.j2", {"shelves": shelves}, max_age=_AGE)

    def _newsletter(self, slug: str, request: Request) -> Response:
        context, site = self._context, self._context.site
        before = request.query_params.get("before")
        with context.db.read() as connection:
            mark = public_issues(connection, site, slug, name=before, limit=1) if before is not None else []
            if before is not None and not mark:
                raise HTTPException(404)
            rows = public_issues(connection, site, slug, before=mark[0].slot if mark else None, limit=_SHELF + 1)
        values = {
            "slug": slug,
            "heading": site.digests[slug].title,
            "digest": site.digests[slug],
            "issues": [self._listed(row) for row in rows[:_SHELF]],
            "before": before,
            # More than a page holds: the next one begins where this one ends.
            "older": quote(rows[_SHELF - 1].name) if len(rows) > _SHELF else "",
        }
        return context.page("newsletter.html.j2", values, max_age=_AGE)

    def _listed(self, row: IssueRow) -> dict[str, Any]:
        return {
            "number": row.number,
            "subject": row.subject,
            "url": self._address(row),
            "day": long_date(row.slot.astimezone(self._context.site.tz), self._context.site.language),
        }

    def _address(self, row: IssueRow) -> str:
        return self._context.site.issue_url.replace("{digest}", row.digest).replace("{issue}", quote(row.name))

    def _issue(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        name = request.path_params["issue"]
        slugs = [request.path_params["digest"]] if "digest" in request.path_params else list(site.digests)
        found = next((page for slug in slugs if (page := issue_page(site, context.db, slug, name)) is not None), None)
        if found is None:
            raise HTTPException(404)
        values = {
            "title": site.digests[found.issue.digest].title,
            "archive": f"{site.newsletters_url}/{found.issue.digest}/",
            "previous": self._listed(found.previous) if found.previous else None,
            "next": self._listed(found.next) if found.next else None,
            "light": site.theme.light_palette,
            "dark": site.theme.dark_palette,
        }
        if not found.html:
            shown = {
                "heading": f"{values['title']}, No. {found.issue.number}",
                "day": self._listed(found.issue)["day"],
                "address": self._address(found.issue),
                "left": [article_summary(one, site.language) for one in found.other_articles],
            }
            return context.page("issue.html.j2", {**values, **shown}, max_age=_AGE)
        strip = render_template(site.templates_dir, "web/strip.html.j2", values)
        canonical = f'<link rel="canonical" href="{html.escape(self._address(found.issue))}">'
        text = found.html.replace("</head>", f"{canonical}</head>", 1)
        text = _BODY.sub(lambda match: match[0] + strip, text, count=1)
        return context.html(text, max_age=_AGE, pictures=True, inline_style=True)

    async def _go(self, request: Request) -> Response:
        """Redirect to an article from an issue, and count the click; a click that would have to wait is not counted."""
        try:
            where = await self._context.writers.run("click", _CLICK_SECONDS, self._opened, request, is_counted=True)
        except HTTPException:
            where = await run_in_threadpool(self._opened, request, is_counted=False)
        if where is None:
            raise HTTPException(404)
        headers = {"cache-control": "no-store", "x-robots-tag": "noindex", "referrer-policy": "no-referrer"}
        return RedirectResponse(where, 302, headers)

    def _opened(self, request: Request, *, is_counted: bool) -> str | None:
        context, asked = self._context, request.path_params
        program = request.method == "HEAD" or is_automated(
            request.headers.get("user-agent", "")[:MAX_USER_AGENT_LENGTH]
        )
        names = asked["digest"], asked["issue"], asked["seq"]
        with context.db.write() if is_counted else context.db.read() as connection:
            return count_click(context.site, connection, *names, is_program=program, is_counted=is_counted)

    # -- for one reader --------------------------------------------------------------------------

    async def _own_feed(self, request: Request) -> Response:
        # Its entries may have to be made first, which writes.
        return await self._context.writers.run("personal feed", 0, self._make_own_feed, request)

    def _make_own_feed(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        feed_pass, suffix = request.path_params["feed_pass"], request.path_params["suffix"]
        forms = {one.value: one for one in site.feeds.formats}
        form: FeedFormat | None = forms.get(suffix)
        state = personal_feed_state(site, context.db, feed_pass) if form is not None else None
        if form is None or state is None:
            raise HTTPException(404)
        asked = request.headers.get("if-none-match", "").encode()
        before, tag = self._own.get((feed_pass, suffix), ("", b""))
        body = b""
        if before != state or not matches_etag(tag, asked):
            made = render_personal_feed(site, context.db, feed_pass, form, context.now())
            if made is None:
                raise HTTPException(404)
            body, tag = made, etag_of(made)
            self._note(feed_pass, suffix, state, tag)
        headers = {
            "etag": tag.decode(),
            "cache-control": "private, max-age=300",
            "x-robots-tag": "noindex",
            "referrer-policy": "no-referrer",
            "x-content-type-options": "nosniff",
        }
        if matches_etag(tag, asked):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=TYPES_BY_SUFFIX[suffix])

    def _note(self, feed_pass: str, suffix: str, state: str, tag: bytes) -> None:
        with self._lock:
            self._own[feed_pass, suffix] = (state, tag)
            while len(self._own) > _OWN:
                self._own.pop(next(iter(self._own)))
