"""The base of result records: how they become JSON."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, time
from enum import Enum
from functools import singledispatch
from pathlib import Path
from typing import Any


def iso_time(seconds: int | None) -> str | None:
    """Return a time in seconds since 1970 as JSON has it, in UTC."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()


class Result:
    """Base of frozen dataclasses that a use case returns."""

    __slots__ = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the result for JSON output.

        A field is named as in its ``json`` metadata, or as it is; a field whose ``json`` is None is left out.
        """
        assert is_dataclass(self)
        names = {field.name: field.metadata.get("json", field.name) for field in fields(self)}
        return {key: json_value(getattr(self, name)) for name, key in names.items() if key is not None}


@singledispatch
def json_value(value: Any) -> Any:
    """Return a value as JSON has it: times in ISO 8601, times of day as ``07:00``, enums by value, records as objects."""
    if hasattr(value, "as_dict"):
        return value.as_dict()
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: json_value(getattr(value, field.name)) for field in fields(value)}
    return value


json_value.register(Enum, lambda value: value.value)
json_value.register(datetime, datetime.isoformat)
json_value.register(time, lambda value: value.isoformat("minutes"))
json_value.register(Path, str)
json_value.register(Mapping, lambda value: {json_value(key): json_value(item) for key, item in value.items()})
for _kind in (list, tuple, AbstractSet):
    json_value.register(_kind, lambda value: [json_value(item) for item in value])
