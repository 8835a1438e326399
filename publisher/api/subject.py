"""How a use case becomes a method of the public API."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar, cast

from publisher.context import Context

if TYPE_CHECKING:
    from publisher.api.site import Publisher

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Subject:
    """A part of the API: the use cases of one subject."""

    def __init_subclass__(cls) -> None:
        # help() and tracebacks name a method as programs call it, not by its use case.
        for name, member in vars(cls).items():
            if isinstance(member, FunctionType):
                member.__name__, member.__qualname__ = name, f"{cls.__name__}.{name}"

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher


def use_case(
    function: Callable[Concatenate[Context, _Arguments], _Result],
) -> Callable[Concatenate[Subject, _Arguments], _Result]:
    """Return a method that calls a use case with the context of the publisher, at the current time."""

    @wraps(function)
    def method(self: Subject, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        return function(self._publisher.context(), *args, **kwargs)

    parameters = list(inspect.signature(function).parameters.values())
    self_parameter = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    signature = inspect.signature(function).replace(parameters=[self_parameter, *parameters[1:]])
    method.__signature__ = signature  # type: ignore[attr-defined]
    return cast("Callable[Concatenate[Subject, _Arguments], _Result]", method)
