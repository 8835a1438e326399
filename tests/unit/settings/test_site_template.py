"""The settings file of a new site: a commented line shows the default, or its comment names the default."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

import publisher
from publisher.settings import Secret, Site

_TEMPLATE = Path(publisher.__file__).parent / "templating" / "site_template" / "publisher.toml"
_LINE = re.compile(
    r"^(?P<off># )?(?:\[+(?P<table>[^]]+)\]+|(?P<key>[\w\"/-]+) = (?P<value>.*?))(?:\s+# (?P<comment>.*))?$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """A line of the settings file with a key."""

    path: str
    value: Any
    comment: str
    is_commented: bool
    #: The field of the settings; None for a key that the site chooses, such as the name of a domain.
    field: FieldInfo | None

    @property
    def shows_default(self) -> bool:
        """Whether the value is the default of the field."""
        if self.field is None or self.field.is_required():
            return False
        kind: TypeAdapter[Any] = TypeAdapter(Annotated[self.field.annotation, self.field])
        try:
            return bool(kind.validate_python(self.value) == self.field.get_default(call_default_factory=True))
        except ValidationError:
            return False


def _model_of(annotation: Any) -> type[BaseModel] | None:
    """Return the first table in an annotation, such as that of ``dict[Slug, DigestSettings]``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation if annotation is not Secret else None
    return next((model for part in getattr(annotation, "__args__", ()) if (model := _model_of(part))), None)


def _field(path: str) -> FieldInfo | None:
    """Return the field at a dotted path of the settings, where a name that the site chooses is one part."""
    model: type[BaseModel] | None = Site
    field: FieldInfo | None = None
    for part in re.findall(r'"[^"]*"|[^.]+', path):
        if model is not None and part in model.model_fields:
            field = model.model_fields[part]
            model = _model_of(field.annotation)
        else:
            field = None
    return field


def _settings() -> Iterator[_Setting]:
    table = ""
    for line in _TEMPLATE.read_text("utf-8").splitlines():
        match = _LINE.match(line)
        if match is None or "@" in line:
            continue
        if match["table"]:
            table = f"{match['table']}."
            continue
        value = tomllib.loads(f"value = {match['value']}")["value"]
        path = table + match["key"]
        yield _Setting(
            path=path,
            value=value,
            comment=match["comment"] or "",
            is_commented=match["off"] is not None,
            field=_field(path),
        )


SETTINGS = list(_settings())


@pytest.mark.parametrize("setting", [one for one in SETTINGS if one.is_commented], ids=lambda setting: setting.path)
def test_a_commented_line_shows_its_default_or_names_it(setting: _Setting) -> None:
    """An example has a comment with ``default:``, or ``required`` where its table needs the key."""
    if setting.field is not None and setting.field.is_required():
        assert "required" in setting.comment
    elif setting.field is not None and not setting.shows_default:
        assert "default: " in setting.comment


@pytest.mark.parametrize("name", [name for name in Site.model_fields if _model_of(Site.model_fields[name].annotation)])
def test_every_key_is_in_the_file(name: str) -> None:
    """Each key of a table is in the lines of that table, or in the comment of one."""
    text = _TEMPLATE.read_text("utf-8")
    tables = re.split(r"^(?:# )?\[+", text, flags=re.MULTILINE)
    section = "\n".join(table for table in tables if re.match(rf"{name}[.\]]", table))
    model = _model_of(Site.model_fields[name].annotation)
    assert [key for key in _keys(model) if not re.search(rf"(?<![\w-]){key}(?![\w-])", section)] == []


def _keys(model: type[BaseModel] | None) -> Iterator[str]:
    """Yield the keys of a table and of the tables in it."""
    for key, field in model.model_fields.items() if model is not None else ():
        yield key
        yield from _keys(_model_of(field.annotation))


def test_the_file_says_what_its_comments_show() -> None:
    """The first lines promise what these tests check."""
    head = " ".join(line.removeprefix("# ") for line in _TEMPLATE.read_text("utf-8").splitlines()[:3])
    assert (
        "A key that is commented out shows its default; where it shows an example, its comment names the default"
        in head
    )
