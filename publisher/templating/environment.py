"""Load templates, and render them in a sandbox.

A template is looked for in the site's own folder first, then among those that come with the publisher. A site's
template can build on the shipped one of the same name: ``{% extends "default/…" %}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType
from typing import Any, Final

from jinja2 import (
    BytecodeCache,
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PrefixLoader,
    StrictUndefined,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.bccache import Bucket
from jinja2.exceptions import SecurityError, UndefinedError
from jinja2.exceptions import TemplateError as JinjaError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from publisher.errors import TemplateError
from publisher.html.text import wrap
from publisher.templating.sources import shipped_templates

__all__ = ["render_template", "render_template_string"]


#: Compiled templates that a process keeps: more than there are, with those of a site or two.
_MAX_COMPILED: Final = 256


class _CompiledTemplates(BytecodeCache):
    """Compiled templates of this process, so that a process with many sites compiles the shipped ones once.

    Jinja2 finds an entry by name and file, and takes it only for the same source.
    """

    def __init__(self) -> None:
        self._code: dict[str, tuple[str, CodeType]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self._code.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        if bucket.code is None:
            return
        if len(self._code) >= _MAX_COMPILED:
            self._code.clear()
        self._code[bucket.key] = (bucket.checksum, bucket.code)


_COMPILED: Final = _CompiledTemplates()


class _Shipped(FileSystemLoader):
    """The templates that come with the publisher, until the site has its own of that name."""

    def __init__(self, folder: Path) -> None:
        super().__init__(shipped_templates())
        self._folder = folder

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, filename, is_unchanged = super().get_source(environment, template)
        own = self._folder / template
        was_there = own.exists()
        return source, filename, lambda: is_unchanged() and own.exists() == was_there


@lru_cache(maxsize=8)
def _environment(folder: Path) -> Environment:
    shipped = _Shipped(folder)
    environment = ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder), shipped, PrefixLoader({"default": shipped})]),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        bytecode_cache=_COMPILED,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["wrap"] = wrap
    return environment


def render_template(folder: Path, name: str, values: Mapping[str, Any]) -> str:
    """Return the template ``name`` filled with ``values``.

    Args:
        folder: the site's own templates.
        name: as in ``digest/magazine/message.html.j2``. ``.html`` in it turns escaping on.
        values: what the template may ask for; another name is an error.

    Raises:
        TemplateError: missing, not parsable, or asking for what is not there; says where.
    """
    with _translated(name):
        return _environment(folder).get_template(name).render(values)


def render_template_string(text: str, values: Mapping[str, Any], setting: str) -> str:
    """Return the one-line template ``text``, which stands in the settings under ``setting``.

    Raises:
        TemplateError: not parsable, or asking for what is not there.
    """
    with _translated(setting):
        return _environment(Path()).from_string(text).render(values)


@contextmanager
def _translated(name: str) -> Iterator[None]:
    try:
        yield
    except TemplateNotFound as error:
        raise TemplateError(f"no template {error.name}; put it into templates/, or name another one") from error
    except TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename or name}:{error.lineno}: {error.message}") from error
    except (UndefinedError, SecurityError, JinjaError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateError(f"{_place(error) or name}: {error}") from error


def _place(error: BaseException) -> str | None:
    """Return file:line of the innermost template frame; Jinja2 rewrites the traceback so that it shows."""
    place = None
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith(".j2"):
            place = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
