"""Every setting is read by the code or by a template."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel

from publisher.settings import Site

ROOT = Path(__file__).parent.parent.parent.parent


def settings(model: type[BaseModel] = Site, above: str = "") -> Iterator[tuple[str, str]]:
    """Yield each setting as (path, name)."""
    for name, field in model.model_fields.items():
        yield f"{above}{name}", name
        for table in tables(field.annotation):
            yield from settings(table, f"{above}{name}.")


def tables(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the settings models in a type."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from tables(argument)


def names_in_use() -> set[str]:
    """Return the attributes that the code reads, and names after a dot in templates."""
    code = [path.read_text("utf-8") for path in (ROOT / "publisher").rglob("*.py")]
    templates = [path.read_text("utf-8") for path in (ROOT / "templates").rglob("*.j2")]
    in_code = {
        node.attr
        for text in code
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }
    return in_code | {name for text in templates for name in re.findall(r"\.(\w+)", text)}


def test_every_setting_is_read() -> None:
    """A setting that changes nothing misleads the operator who sets it."""
    in_use = names_in_use()
    assert len(list(settings())) > 100
    assert [path for path, name in settings() if name not in in_use] == []
