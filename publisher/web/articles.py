"""Public pages: the front page, articles, published issues; and personal feeds."""

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

from publisher import IssuePage, IssueRow
from publisher.feeds.article_page import article_page_values, article_summary
from publisher.html.dates import long_date
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import FEED_TYPES, TYPES_BY_SUFFIX
from publisher.signing.sample_tokens import is_sample_token
from publisher.templating.environment import render_template
from publisher.web.context import WebContext
from publisher.web.etags import etag_of, matches_etag
from publisher.web.openapi import ApiRoute, Operation
from publisher.web.user_agents import MAX_USER_AGENT_LENGTH, is_automated

#: Articles on the front page, and issues of each newsletter on the list of newsletters.
_FRONT_ARTICLES: Final = 15
_LATEST_ISSUES: Final = 3
#: Issues on a page of a newsletter's archive.
_ARCHIVE_ISSUES: Final = 50
#: Personal feeds whose last ETag is cached.
_MAX_CACHED_ETAGS: Final = 50_000
#: Cache-Control max-age of public pages.
_MAX_AGE_SECONDS: Final = 60
#: How long a click waits to be counted.
_CLICK_SECONDS: Final = 0.5
_BODY: Final = re.compile(r"<body\b[^<>]*>")


class ArticlePages:
    """The public pages and the personal feeds of a site."""

    def __init__(self, context: WebContext) -> None:
        self._context = context
        self._base = context.path_of(context.site.base_url)
        #: (token, suffix) of a personal feed → its state when it was last rendered, and its ETag.
        self._etags: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._lock = threading.Lock()

    def routes(self) -> list[ApiRoute]:
        """Return the routes."""
        routes = [
            ApiRoute(
                f"{self._base}/", self._front, get=Operation("The newest articles, newsletters and feeds", (200,))
            ),
            ApiRoute("/favicon.ico", self._icon, get=Operation("The icon", (200,), ("image/svg+xml",))),
        ]
        return [*routes, *self._newsletter_routes()] if self._context.site.digests else routes

    def _newsletter_routes(self) -> list[ApiRoute]:
        context, site = self._context, self._context.site
        below = context.path_of(site.newsletters_url)
        page = {"before": "The name of an issue, to list older ones"}
        digest, issue = {"digest": "A newsletter"}, {"issue": "The name of an issue"}
        seq = {"seq": "The number of an article"}
        feed = {"feed_pass": "The token of the feed", "suffix": "rss, atom or json"}
        issue_path = context.path_of(site.issue_url)
        routes = [
            ApiRoute(f"{below}/", self._newsletters, get=Operation("Newsletters and their newest issues", (200,))),
            *(
                ApiRoute(
                    f"{below}/{slug}/",
                    partial(self._newsletter, slug),
                    page,
                    get=Operation(f"The issues of {settings.title}"),
                )
                for slug, settings in site.digests.items()
            ),
            ApiRoute(
                f"{below}/feed/{{feed_pass}}.{{suffix}}",
                self._personal_feed,
                feed,
                get=Operation("A personal feed", (200, 304, 404, 503), tuple(FEED_TYPES.values())),
            ),
            ApiRoute(
                f"{below}/{{digest}}/{{issue}}/message.txt",
                self._issue_text,
                {**digest, **issue},
                get=Operation("An issue as plain text", media_types=("text/plain",)),
            ),
        ]
        # A web view that names the issue in its query string is one of another program.
        if "{issue}" in issue_path:
            parameters = {**(digest if "{digest}" in issue_path else {}), **issue}
            routes.append(ApiRoute(issue_path, self._issue, parameters, get=Operation("An issue")))
        if site.web.clicks:
            go = f"{below}/go/{{digest}}/{{issue}}/{{seq:int}}"
            read = Operation("Count a click and redirect to the article", (302, 404))
            routes.insert(0, ApiRoute(go, self._go, {**digest, **issue, **seq}, get=read))
        return routes

    # -- public pages ------------------------------------------------------------------------------

    def _front(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        newest = context.publisher.articles.newest(_FRONT_ARTICLES)
        values: dict[str, Any] = {
            "latest": [article_summary(article, site.language) for article in newest],
            "digests": list(site.digests.items()),
        }
        return context.page("front.html.j2", values, max_age=_MAX_AGE_SECONDS)

    def _icon(self, request: Request) -> Response:
        site = self._context.site
        initial = html.escape(next((character for character in site.title if character.isalnum()), "·").upper())
        ground, ink = site.theme.light_palette.accent, site.theme.light_palette.card
        picture = (
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
            f'<rect width="32" height="32" rx="6" fill="{ground}"/><text x="16" y="23" text-anchor="middle" '
            f'font-family="Georgia,serif" font-size="20" font-weight="bold" fill="{ink}">{initial}</text></svg>'
        )
        headers = {"cache-control": "public, max-age=86400", "x-content-type-options": "nosniff"}
        return Response(picture, headers=headers, media_type="image/svg+xml")

    def article(self, request: Request) -> Response | None:
        """Return the page of the article at the request's path, or None if there is none."""
        context, site = self._context, self._context.site
        path = request.url.path.removeprefix(self._base)
        article = context.publisher.articles.at_path(path) if site.web.articles else None
        if article is None:
            return None
        values = article_page_values(article, site)
        return context.page("article.html.j2", values, max_age=_MAX_AGE_SECONDS, pictures=True)

    def _newsletters(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        newest = context.publisher.issues.newest(_LATEST_ISSUES)
        newsletters = [
            (slug, digest, [self._listed(row) for row in newest[slug]]) for slug, digest in site.digests.items()
        ]
        return context.page("newsletters.html.j2", {"newsletters": newsletters}, max_age=_MAX_AGE_SECONDS)

    def _newsletter(self, slug: str, request: Request) -> Response:
        context, site = self._context, self._context.site
        before = request.query_params.get("before")
        rows = context.publisher.issues.archived(slug, _ARCHIVE_ISSUES + 1, before=before)
        if rows is None:
            raise HTTPException(404)
        values = {
            "slug": slug,
            "heading": site.digests[slug].title,
            "digest": site.digests[slug],
            "issues": [self._listed(row) for row in rows[:_ARCHIVE_ISSUES]],
            "before": before,
            "older": quote(rows[_ARCHIVE_ISSUES - 1].name) if len(rows) > _ARCHIVE_ISSUES else "",
        }
        return context.page("newsletter.html.j2", values, max_age=_MAX_AGE_SECONDS)

    def _listed(self, row: IssueRow) -> dict[str, Any]:
        return {
            "number": row.number,
            "subject": row.subject,
            "url": self._address(row),
            "day": long_date(row.slot.astimezone(self._context.site.tz), self._context.site.language),
        }

    def _address(self, row: IssueRow) -> str:
        return self._context.site.issue_page_url(row.digest, row.name)

    def _public_issue(self, request: Request) -> IssuePage:
        """Return the public issue of a request.

        Raises:
            HTTPException: there is none.
        """
        context, site = self._context, self._context.site
        name = request.path_params["issue"]
        slugs = [request.path_params["digest"]] if "digest" in request.path_params else list(site.digests)
        shown = next((page for slug in slugs if (page := context.publisher.issues.page(slug, name)) is not None), None)
        if shown is None:
            raise HTTPException(404)
        return shown

    def _issue_text(self, request: Request) -> Response:
        shown = self._public_issue(request)
        if not shown.text:
            raise HTTPException(404)
        headers = {
            "cache-control": f"public, max-age={_MAX_AGE_SECONDS}",
            "link": f'<{self._address(shown.issue)}>; rel="canonical"',
            "x-content-type-options": "nosniff",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        return Response(shown.text, headers=headers, media_type="text/plain; charset=utf-8")

    def _issue(self, request: Request) -> Response:
        context, site = self._context, self._context.site
        try:
            shown = self._public_issue(request)
        except HTTPException:
            if is_sample_token(request.query_params.get("copy", "")):
                return context.message_page(
                    "This issue is not public yet",
                    "In the mails of subscribers this link leads to the issue, once the issue is approved.",
                )
            raise
        values = {
            "title": site.digests[shown.issue.digest].title,
            "archive": f"{site.newsletters_url}/{shown.issue.digest}/",
            "previous": self._listed(shown.previous) if shown.previous else None,
            "next": self._listed(shown.next) if shown.next else None,
            "light": site.theme.light_palette,
            "dark": site.theme.dark_palette,
            "links": shown.missing_links,
        }
        if not shown.html:
            withdrawn_values = {
                "heading": f"{values['title']}, No. {shown.issue.number}",
                "day": self._listed(shown.issue)["day"],
                "address": self._address(shown.issue),
                "remaining": [article_summary(article, site.language) for article in shown.other_articles],
            }
            return context.page("issue.html.j2", {**values, **withdrawn_values}, max_age=_MAX_AGE_SECONDS)
        strip = render_template(site.templates_dir, "web/strip.html.j2", values)
        canonical = f'<link rel="canonical" href="{html.escape(self._address(shown.issue))}">'
        text = shown.html.replace("</head>", f"{canonical}</head>", 1)
        text = _BODY.sub(lambda match: match[0] + strip, text, count=1)
        return context.html(text, max_age=_MAX_AGE_SECONDS, pictures=True, inline_style=True)

    async def _go(self, request: Request) -> Response:
        """Redirect to an article of an issue, and count the click unless the database is busy."""
        try:
            where = await self._context.writers.run(
                "click", _CLICK_SECONDS, self._article_url, request, is_counted=True
            )
        except HTTPException:
            where = await run_in_threadpool(self._article_url, request, is_counted=False)
        if where is None:
            raise HTTPException(404)
        headers = {"cache-control": "no-store", "x-robots-tag": "noindex", "referrer-policy": "no-referrer"}
        return RedirectResponse(where, 302, headers)

    def _article_url(self, request: Request, *, is_counted: bool) -> str | None:
        context, parameters = self._context, request.path_params
        program = request.method == "HEAD" or is_automated(
            request.headers.get("user-agent", "")[:MAX_USER_AGENT_LENGTH]
        )
        return context.publisher.issues.count_click(
            parameters["digest"],
            parameters["issue"],
            parameters["seq"],
            is_program=program,
            is_counted=is_counted,
        )

    # -- personal feeds ----------------------------------------------------------------------------

    async def _personal_feed(self, request: Request) -> Response:
        # Rendering new entries writes to the database.
        return await self._context.writers.run("personal feed", 0, self._render_personal_feed, request)

    def _render_personal_feed(self, request: Request) -> Response:
        site, feeds = self._context.site, self._context.publisher.feeds
        feed_pass, suffix = request.path_params["feed_pass"], request.path_params["suffix"]
        forms = {form.value: form for form in site.feeds.formats}
        form: FeedFormat | None = forms.get(suffix)
        state = feeds.personal_state(feed_pass) if form is not None else None
        if form is None or state is None:
            raise HTTPException(404)
        asked = request.headers.get("if-none-match", "").encode()
        before, tag = self._etags.get((feed_pass, suffix), ("", b""))
        body = b""
        if before != state or not matches_etag(tag, asked):
            rendered = feeds.personal(feed_pass, form)
            if rendered is None:
                raise HTTPException(404)
            body, tag = rendered, etag_of(rendered)
            self._cache_etag(feed_pass, suffix, state, tag)
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

    def _cache_etag(self, feed_pass: str, suffix: str, state: str, tag: bytes) -> None:
        with self._lock:
            self._etags[feed_pass, suffix] = (state, tag)
            while len(self._etags) > _MAX_CACHED_ETAGS:
                self._etags.pop(next(iter(self._etags)))
