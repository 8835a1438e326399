"""Routes with their description, and the OpenAPI document made of them (https://spec.openapis.org/oas/v3.1.0)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.convertors import IntegerConvertor
from starlette.routing import Route, compile_path

from publisher.settings import Site
from publisher.version import __version__

FORM_TYPE: Final = "application/x-www-form-urlencoded"
#: The schema of a text field.
TEXT: Final[Mapping[str, Any]] = {"type": "string"}

_STATUS_TEXTS: Final = {
    200: "Success",
    202: "Accepted",
    204: "Success, without content",
    206: "A part of the file",
    301: "Moved permanently",
    302: "Redirect",
    304: "Not modified",
    400: "Invalid request",
    403: "Posted by another site",
    404: "Not found",
    405: "Method not allowed",
    406: "No acceptable encoding",
    408: "Request timeout",
    409: "Not possible in the current state",
    410: "Gone",
    413: "Request too large",
    415: "Not a form",
    416: "No such part of the file",
    422: "A value is missing or invalid",
    429: "Too many requests; Retry-After says when to try again",
    503: "Busy or not ready; try again later",
}
_WITHOUT_BODY: Final = (204, 301, 302, 304, 406)


@dataclass(frozen=True, slots=True)
class Operation:
    """The description of one method of a path."""

    #: What the request is for.
    summary: str
    #: The statuses of its responses.
    statuses: tuple[int, ...] = (200, 404)
    #: The media types of successful responses.
    media_types: tuple[str, ...] = ("text/html",)
    #: The media types of other responses.
    error_types: tuple[str, ...] = ("text/html",)
    #: Field of the posted form → its schema; None if the request has no body.
    fields: Mapping[str, Mapping[str, Any]] | None = None
    #: Fields that a form must have.
    required: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ApiPath:
    """A path, with the description of its parameters and methods."""

    #: As in a Starlette route.
    path: str
    #: Method in lower case → its description.
    operations: Mapping[str, Operation]
    #: Parameter → its description. A parameter that is not in the path is one of the query string.
    parameters: Mapping[str, str] = field(default_factory=dict)


class ApiRoute(Route):
    """A route that carries its description. The described methods are the methods that it handles."""

    def __init__(
        self,
        path: str,
        endpoint: Callable[..., Any],
        parameters: Mapping[str, str] | None = None,
        **operations: Operation,
    ) -> None:
        """Create the route; arguments as of :class:`ApiPath`, one keyword for each method."""
        super().__init__(path, endpoint, methods=[method.upper() for method in operations])
        self.api = ApiPath(path, operations, parameters or {})


def describe_api(site: Site, described: Iterable[ApiPath]) -> dict[str, Any]:
    """Return the OpenAPI document of the paths of a site."""
    paths: dict[str, dict[str, Any]] = {}
    for api in described:
        _, template, convertors = compile_path(api.path)
        parameters = [
            *(_parameter(name, "path", api.parameters.get(name, ""), convertors[name]) for name in convertors),
            *(_parameter(name, "query", text) for name, text in api.parameters.items() if name not in convertors),
        ]
        for method, operation in api.operations.items():
            # The first of two routes for the same path gets the requests.
            paths.setdefault(template, {}).setdefault(method, _operation(operation, parameters))
    base = urlsplit(site.base_url)
    return {
        "openapi": "3.1.0",
        "info": {"title": site.title, "version": __version__},
        "servers": [{"url": f"{base.scheme}://{base.netloc}"}],
        "paths": paths,
    }


def _parameter(name: str, place: str, text: str, convertor: Any = None) -> dict[str, Any]:
    is_in_path = place == "path"
    schema: dict[str, Any] = {**TEXT, **({"minLength": 1} if is_in_path else {})}
    if isinstance(convertor, IntegerConvertor):
        schema = {"type": "integer", "minimum": 0}
    return {"name": name, "in": place, "description": text, "required": is_in_path, "schema": schema}


def _operation(operation: Operation, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {"summary": operation.summary, "parameters": parameters}
    if operation.fields is not None:
        schema: dict[str, Any] = {"type": "object", "properties": operation.fields}
        if operation.required:
            schema["required"] = operation.required
        described["requestBody"] = {"content": {FORM_TYPE: {"schema": schema}}}
    described["responses"] = {str(status): _response(operation, status) for status in operation.statuses}
    return described


def _response(operation: Operation, status: int) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _STATUS_TEXTS[status]}
    if status not in _WITHOUT_BODY:
        media_types = operation.media_types if status < 300 else operation.error_types
        described["content"] = {media_type: {"schema": TEXT} for media_type in media_types}
    return described
