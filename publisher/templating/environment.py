"""Load templates, and render them in a sandbox.

A template is loaded from the site's own folder, else from the shipped templates. A site's template can extend the
shipped template of the same name: ``{% extends "default/…" %}``.
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
from publisher.templating.deprecated import (
    EarlierDefinition,
    deprecated_attribute,
    with_deprecated_variables,
)
from publisher.templating.sources import shipped_templates

#: Compiled templates that a process caches: more than the shipped ones and those of a few sites.
_MAX_COMPILED: Final = 256


class _CompiledTemplates(BytecodeCache):
    """In-memory cache of compiled templates, shared by all sites of a process.

    Jinja2 looks an entry up by template name and file; an entry is valid only for the same source.
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


class _ShippedTemplates(FileSystemLoader):
    """Loader of shipped templates. It reloads one when the site adds or removes its own."""

    def __init__(self, folder: Path) -> None:
        super().__init__(shipped_templates())
        self._folder = folder

    def get_source(self, environment: Environment, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, filename, is_unchanged = super().get_source(environment, template)
        own = self._folder / template
        was_there = own.exists()
        return source, filename, lambda: is_unchanged() and own.exists() == was_there


class _SandboxedEnvironment(ImmutableSandboxedEnvironment):
    """A sandbox in which deprecated attributes of the values of templates still work."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        current = deprecated_attribute(obj, attribute)
        value = super().getattr(obj, current or attribute)
        return EarlierDefinition(value) if current == "definition" else value


@lru_cache(maxsize=8)
def _environment(folder: Path) -> Environment:
    shipped = _ShippedTemplates(folder)
    environment = _SandboxedEnvironment(
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
    """Render a template.

    Args:
        folder: the folder of the site's own templates.
        name: as in ``digest/magazine/message.html.j2``. Values are escaped if it contains ``.html``.
        values: the variables of the template; other names are errors.

    Raises:
        TemplateError: the template is missing, has a syntax error or uses an undefined name; names the line.
    """
    with _translated_errors(name):
        return _environment(folder).get_template(name).render(with_deprecated_variables(values))


def render_template_string(text: str, values: Mapping[str, Any], setting: str) -> str:
    """Render the template TEXT, the value of the setting SETTING.

    Raises:
        TemplateError: the template has a syntax error or uses an undefined name; names the setting.
    """
    with _translated_errors(setting):
        return _environment(Path()).from_string(text).render(with_deprecated_variables(values))


@contextmanager
def _translated_errors(name: str) -> Iterator[None]:
    try:
        yield
    except TemplateNotFound as error:
        raise TemplateError(f"no template {error.name}; put it into templates/, or name another one") from error
    except TemplateSyntaxError as error:
        raise TemplateError(f"{error.filename or name}:{error.lineno}: {error.message}") from error
    except (UndefinedError, SecurityError, JinjaError, TypeError, ValueError, ArithmeticError, LookupError) as error:
        raise TemplateError(f"{_template_line(error) or name}: {error}") from error


def _template_line(error: BaseException) -> str | None:
    """Return FILE:LINE of the innermost template frame, which Jinja2 adds to the traceback."""
    location = None
    trace = error.__traceback__
    while trace is not None:
        filename = trace.tb_frame.f_code.co_filename
        if filename.endswith(".j2"):
            location = f"{filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    return location
