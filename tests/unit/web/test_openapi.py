"""The OpenAPI document has each route of the site, with its methods and parameters, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import pytest
from starlette.routing import Route

from publisher.settings import Site
from publisher.web import Web
from publisher.web.context import WebContext
from publisher.web.feeds import Feeds
from publisher.web.openapi import ApiPath, ApiRoute, Operation, describe_api
from publisher.web.pages import make_pages
from tests.conftest import SiteKit
from tests.unit.web.test_web import ask

SITE = '\ntitle = "The Test Review"\nbase_url = "https://t.example"\nzone = "UTC"\n'
DIGEST = SITE + '\n[digests.daily]\ntitle = "Daily"\n[mail]\nsender = "news@t.example"\n'
MAIL = (
    'unsubscribe = "https://t.example/out/{copy}"\npreferences = "https://t.example/mine?who={copy}"\n'
    'web_view = "https://t.example/issues/{issue}"\n[smtp]\nhost = "localhost"\n'
)


def routes_of(site: Site) -> list[Route]:
    """Return the routes that Starlette handles."""
    routes = make_pages(WebContext(site), Feeds(site)).routes
    assert all(isinstance(route, Route) for route in routes)
    return [route for route in routes if isinstance(route, Route)]


def document(site: Site) -> dict[str, Any]:
    """Return the document that the site serves."""
    path = WebContext(site).path_of(site.base_url) + "/openapi.json"
    answer = ask(Web(site), path)
    assert answer.status == 200
    found: dict[str, Any] = json.loads(answer.body)
    return found


def operations(paths: dict[str, Any]) -> set[tuple[str, str]]:
    return {(path, method.upper()) for path, methods in paths.items() for method in methods}


def handled(routes: Iterable[Route]) -> set[tuple[str, str]]:
    return {(route.path_format, method) for route in routes for method in route.methods or ()} - {
        (route.path_format, "HEAD") for route in routes
    }


@pytest.mark.parametrize(
    "settings",
    [
        SITE,
        DIGEST,
        DIGEST + MAIL,
        DIGEST + MAIL + "\n[web]\nhub = true\nclicks = true\narticles = true\n",
        DIGEST + "\n[web]\njoin = false\n[feeds]\nurl = 'https://feeds.example/all'\n",
    ],
    ids=["feeds", "newsletter", "mail", "everything", "own-host-of-feeds"],
)
def test_each_route_and_nothing_else_is_described(kit: SiteKit, settings: str) -> None:
    """A route without its description, or a description without its route, would mislead programs."""
    kit.settings(settings)
    site = kit.site
    others = {
        ("/healthz", "GET"),
        ("/readyz", "GET"),
        (Feeds(site).prefix + "{path}", "GET"),
        (Feeds(site).prefix + "{path}", "OPTIONS"),
    }
    assert operations(document(site)["paths"]) == handled(routes_of(site)) | others


def test_each_parameter_of_a_path_and_each_operation_has_a_description(kit: SiteKit) -> None:
    """A placeholder in a path is a required parameter; a parameter of the query string is not."""
    kit.settings(DIGEST + MAIL + "\n[web]\nhub = true\nclicks = true\n")
    for path, methods in document(kit.site)["paths"].items():
        for operation in methods.values():
            assert operation["summary"] and operation["responses"]
            parameters = operation["parameters"]
            assert all(parameter["description"] for parameter in parameters), path
            in_path = [one["name"] for one in parameters if one["in"] == "path"]
            assert in_path == re.findall(r"{(\w+)}", path)
            assert all(one["required"] is (one["in"] == "path") for one in parameters)


def test_links_of_the_settings_are_described_where_they_are(kit: SiteKit) -> None:
    """The token may be in the path or in any field of the query string."""
    kit.settings(DIGEST + MAIL)
    paths = document(kit.site)["paths"]
    assert [one["name"] for one in paths["/out/{copy}"]["post"]["parameters"]] == ["copy"]
    assert [one["name"] for one in paths["/mine"]["get"]["parameters"]] == ["who", "t"]
    assert [one["name"] for one in paths["/issues/{issue}"]["get"]["parameters"]] == ["issue"]


def test_a_site_below_a_path_has_its_addresses_there(kit: SiteKit) -> None:
    """The server of the document is the host, because some routes are outside base_url."""
    kit.settings(DIGEST.replace("https://t.example", "https://t.example/mag"))
    found = document(kit.site)
    assert found["servers"] == [{"url": "https://t.example"}]
    assert {"/mag/", "/mag/openapi.json", "/mag/newsletters/daily/", "/favicon.ico"} <= set(found["paths"])


def test_a_route_handles_the_methods_that_it_describes() -> None:
    """The methods come from the description, so that the two cannot differ."""
    route = ApiRoute("/x", lambda request: None, post=Operation("Do it", (202,)))
    assert route.methods == {"POST"} and route.api.operations.keys() == {"post"}


def test_the_first_of_two_routes_for_a_path_is_described(kit: SiteKit) -> None:
    """It is the one that gets the requests."""
    first, second = (ApiPath("/x/{n:int}", {"get": Operation(text)}) for text in ("first", "second"))
    paths = describe_api(kit.site, [first, second])["paths"]
    assert list(paths) == ["/x/{n}"] and paths["/x/{n}"]["get"]["summary"] == "first"
    assert paths["/x/{n}"]["get"]["parameters"][0]["schema"] == {"type": "integer", "minimum": 0}
