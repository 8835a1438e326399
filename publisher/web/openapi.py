"""Describe the HTTP interface of a site (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from typing import Any

from publisher import __version__
from publisher.settings import Site
from publisher.web.context import DeliveryLink

__all__ = ["describe_api"]

_FORM = "application/x-www-form-urlencoded"


def describe_api(site: Site) -> dict[str, Any]:
    """Return the OpenAPI description of a site's public URLs."""
    below = site.newsletters_url.removeprefix(site.base_url)
    feeds = site.feeds_url.removeprefix(site.base_url) if site.feeds_url.startswith(site.base_url) else None
    paths: dict[str, Any] = {
        "/": {"get": _page("The newest articles, newsletters and feeds")},
        f"{below}/confirm": _form(
            "Confirm", {"yes": _text()}, query=[_query("t", "The token of the confirmation email's link")]
        ),
    }
    if feeds is not None:
        paths[f"{feeds}/{{path}}"] = {"get": _feed()}
    if site.accepts_subscriptions:
        paths[f"{below}/join"] = _form("Subscribe", _subscribe_fields(site), query=[])
    if site.digests:
        paths |= _newsletter_paths(site, below)
    unsubscribe = DeliveryLink((site.mail.unsubscribe if site.mail else None) or "")
    if unsubscribe.path and "{" not in unsubscribe.path:
        paths[unsubscribe.path.removeprefix(_root(site))] = _form(
            "Unsubscribe from a newsletter (RFC 8058)",
            {"List-Unsubscribe": _text()},
            query=[_query("copy", "The delivery's token")],
        )
    if site.hub_url is not None:
        paths["/hub"] = {"post": _hub()}
    return {
        "openapi": "3.1.0",
        "info": {"title": site.title, "version": __version__},
        "servers": [{"url": site.base_url}],
        "paths": paths,
    }


def _root(site: Site) -> str:
    return "/" + site.base_url.partition("://")[2].partition("/")[2] if "/" in site.base_url[8:] else ""


def _text(**more: Any) -> dict[str, Any]:
    return {"type": "string", **more}


def _query(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": text, "required": False, "schema": _text()}


def _in_path(name: str, text: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "description": text, "required": True, "schema": _text(minLength=1)}


_HTML = {"text/html": {"schema": {"type": "string"}}}


def _responses(*statuses: int, kind: str = "text/html") -> dict[str, Any]:
    descriptions = {
        200: "Success",
        202: "Accepted",
        302: "Redirect",
        304: "Not modified",
        400: "Invalid request",
        403: "Posted by another site",
        404: "Not found",
        405: "Method not allowed",
        408: "Request timeout",
        409: "Not possible in the current state",
        410: "Gone",
        413: "Request too large",
        415: "Not a form",
        422: "A value is missing or invalid",
        429: "Too many requests; Retry-After says when to try again",
    }
    content = {kind: {"schema": {"type": "string"}}}
    return {
        str(status): {"description": descriptions[status], **({"content": content} if status not in (302, 304) else {})}
        for status in statuses
    }


def _page(summary: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {"summary": summary, "parameters": list(parameters), "responses": _responses(200, 404, 405, 410)}


def _form(summary: str, fields: dict[str, Any], *, query: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "get": {"summary": f"{summary}: the page", "parameters": query, "responses": _responses(200, 404, 410)},
        "post": {
            "summary": summary,
            "parameters": query,
            "requestBody": {"content": {_FORM: {"schema": {"type": "object", "properties": fields}}}},
            "responses": _responses(200, 400, 403, 404, 408, 409, 410, 413, 415, 422, 429),
        },
    }


def _subscribe_fields(site: Site) -> dict[str, Any]:
    text_list = {"type": "array", "items": _text()}
    fields = ("topics", "regions", "brands", "tags", "authors")
    return {
        "address": _text(format="email"),
        "digest": {"type": "array", "items": _text(enum=list(site.digests))},
        "zone": _text(),
        **dict.fromkeys(fields, text_list),
    }


def _feed_content(*more: str) -> dict[str, Any]:
    """Return the media types of feeds, and more."""
    kinds = ("application/rss+xml", "application/atom+xml", "application/feed+json", *more)
    return {kind: {"schema": {"type": "string"}} for kind in kinds}


def _feed() -> dict[str, Any]:
    content = _feed_content("text/html", "text/x-opml")
    moved = {"description": "The feed has another name now"}
    return {
        "summary": "A staged feed",
        "parameters": [_in_path("path", "Its file, such as all.rss")],
        "responses": {
            **_responses(304, 404, 410, kind="text/plain"),
            "200": {"description": "The feed", "content": content},
            "301": moved,
            "406": {"description": "No acceptable encoding"},
        },
    }


def _newsletter_paths(site: Site, below: str) -> dict[str, Any]:
    digest = _in_path("digest", "A newsletter")
    paths: dict[str, Any] = {
        f"{below}/": {"get": _page("Newsletters, and their newest issues")},
        f"{below}/{{digest}}/": {"get": _page("All issues of a newsletter", digest)},
        f"{below}/{{digest}}/{{issue}}/message.txt": {
            "get": {
                "summary": "An issue as plain text",
                "parameters": [digest, _in_path("issue", "An issue's name")],
                "responses": {**_responses(404, 405), **_responses(200, kind="text/plain")},
            }
        },
        f"{below}/feed/{{feed_pass}}.{{suffix}}": {
            "get": {
                "summary": "A personal feed",
                "parameters": [_in_path("feed_pass", "The feed's token"), _in_path("suffix", "rss, atom or json")],
                "responses": {**_responses(304, 404), "200": {"description": "The feed", "content": _feed_content()}},
            }
        },
    }
    if site.issue_url.startswith(site.base_url):
        path = site.issue_url.removeprefix(site.base_url)
        parameters = [*([digest] if "{digest}" in path else []), _in_path("issue", "An issue's name")]
        paths[path] = {"get": _page("An issue", *parameters)}
    return paths


def _hub() -> dict[str, Any]:
    fields = {f"hub.{name}": _text() for name in ("mode", "topic", "callback", "lease_seconds", "secret")}
    schema = {"type": "object", "properties": fields, "required": ["hub.mode", "hub.topic", "hub.callback"]}
    return {
        "summary": "Subscribe to a feed's changes (WebSub)",
        "requestBody": {"content": {_FORM: {"schema": schema}}},
        "responses": {**_responses(202, 400, kind="text/plain"), **_responses(408, 413, 415, 429)},
    }
