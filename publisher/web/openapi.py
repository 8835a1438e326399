"""What the web answers, for programs (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from typing import Any

from publisher import __version__
from publisher.settings import Site
from publisher.web.links import DeliveryLink

__all__ = ["describe_api"]

_FORM = "application/x-www-form-urlencoded"


def describe_api(site: Site) -> dict[str, Any]:
    """Return the description of a site's public addresses."""
    below = site.newsletters_url.removeprefix(site.base_url)
    feeds = site.feeds_url.removeprefix(site.base_url) if site.feeds_url.startswith(site.base_url) else None
    paths: dict[str, Any] = {
        "/": {"get": _page("The newest articles, newsletters and feeds")},
        f"{below}/confirm": _form(
            "Answer a letter", {"yes": _text()}, query=[_query("t", "What the letter's link has")]
        ),
    }
    if feeds is not None:
        paths[f"{feeds}/{{path}}"] = {"get": _feed()}
    if site.can_be_joined:
        paths[f"{below}/join"] = _form("Join", _wish(site), query=[])
    if site.digests:
        paths |= _reading(site, below)
    leave = DeliveryLink((site.mail.unsubscribe if site.mail else None) or "")
    if leave.path and "{" not in leave.path:
        paths[leave.path.removeprefix(_root(site))] = _form(
            "Leave a newsletter (RFC 8058)", {"List-Unsubscribe": _text()}, query=[_query("copy", "The copy's pass")]
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


def _query(name: str, about: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": about, "required": False, "schema": _text()}


def _in_path(name: str, about: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "description": about, "required": True, "schema": _text(minLength=1)}


_HTML = {"text/html": {"schema": {"type": "string"}}}


def _answers(*statuses: int, kind: str = "text/html") -> dict[str, Any]:
    words = {
        200: "Done, or shown",
        202: "Taken up",
        302: "It is there",
        304: "Not modified",
        400: "Not understood",
        403: "Posted by another page",
        404: "Nothing is there",
        405: "Another method",
        408: "Too slow",
        409: "It cannot be done",
        410: "It is no more",
        413: "Too much",
        415: "No form",
        422: "Something is missing or wrong",
        429: "Too often: Retry-After tells when",
    }
    content = {kind: {"schema": {"type": "string"}}}
    return {
        str(one): {"description": words[one], **({"content": content} if one not in (302, 304) else {})}
        for one in statuses
    }


def _page(about: str, *parameters: dict[str, Any]) -> dict[str, Any]:
    return {"summary": about, "parameters": list(parameters), "responses": _answers(200, 404, 405, 410)}


def _form(about: str, fields: dict[str, Any], *, query: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "get": {"summary": f"{about}: the page", "parameters": query, "responses": _answers(200, 404, 410)},
        "post": {
            "summary": about,
            "parameters": query,
            "requestBody": {"content": {_FORM: {"schema": {"type": "object", "properties": fields}}}},
            "responses": _answers(200, 400, 403, 404, 408, 409, 410, 413, 415, 422, 429),
        },
    }


def _wish(site: Site) -> dict[str, Any]:
    many = {"type": "array", "items": _text()}
    fields = ("topics", "regions", "brands", "tags", "authors")
    return {
        "address": _text(format="email"),
        "digest": {"type": "array", "items": _text(enum=list(site.digests))},
        "zone": _text(),
        **dict.fromkeys(fields, many),
    }


def _feed() -> dict[str, Any]:
    kinds = ("application/rss+xml", "application/atom+xml", "application/feed+json", "text/html", "text/x-opml")
    content = {kind: {"schema": {"type": "string"}} for kind in kinds}
    moved = {"description": "It is called otherwise now"}
    return {
        "summary": "A feed, as it is staged",
        "parameters": [_in_path("path", "Its file, as in all.rss")],
        "responses": {
            **_answers(304, 404, 410, kind="text/plain"),
            "200": {"description": "The feed", "content": content},
            "226": {
                "description": "New entries alone, where the site does that and A-IM asks for it",
                "content": content,
            },
            "301": moved,
            "406": {"description": "No encoding that is wanted"},
        },
    }


def _reading(site: Site, below: str) -> dict[str, Any]:
    digest = _in_path("digest", "A newsletter")
    found: dict[str, Any] = {
        f"{below}/": {"get": _page("Newsletters, and their newest issues")},
        f"{below}/{{digest}}/": {"get": _page("All issues of a newsletter", digest)},
        f"{below}/feed/{{feed_pass}}.{{suffix}}": {
            "get": {
                "summary": "A reader's own feed",
                "parameters": [_in_path("feed_pass", "A secret"), _in_path("suffix", "rss, atom or json")],
                "responses": _answers(200, 304, 404),
            }
        },
    }
    if site.issue_url.startswith(site.base_url):
        path = site.issue_url.removeprefix(site.base_url)
        parameters = [*([digest] if "{digest}" in path else []), _in_path("issue", "An issue's name")]
        found[path] = {"get": _page("An issue", *parameters)}
    return found


def _hub() -> dict[str, Any]:
    fields = {f"hub.{name}": _text() for name in ("mode", "topic", "callback", "lease_seconds", "secret")}
    schema = {"type": "object", "properties": fields, "required": ["hub.mode", "hub.topic", "hub.callback"]}
    return {
        "summary": "Subscribe to a feed's changes (WebSub)",
        "requestBody": {"content": {_FORM: {"schema": schema}}},
        "responses": {**_answers(202, 400, kind="text/plain"), **_answers(408, 413, 415, 429)},
    }
