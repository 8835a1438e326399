"""Names that templates of earlier versions used, and that still work in a site's own templates.

A site may have copied a shipped template before a variable of it was renamed. ``publish status`` lists the templates
that use such names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

from jinja2 import Environment, TemplateSyntaxError, nodes

#: Deprecated variable → its name.
VARIABLES: Final = {
    "can_be_joined": "accepts_subscriptions",
    "is_for_ever": "is_feed_only",
    "left": "remaining",
    "letterhead": "branding",
    "own_zone": "default_zone",
    "said": "message",
    "shelves": "newsletters",
    "tokens": "placeholders",
    "trouble": "error",
    "wish": "selected",
}
#: Class of a template's value → its deprecated attribute → the name of the attribute.
ATTRIBUTES: Final = {
    "DigestSettings": {"rhythm": "cadence_description"},
    "FeedListing": {"channel": "definition"},
    "FeedDefinition": {"address": "url", "home": "home_page_url", "archive": "archive_url"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DeprecatedName:
    """A deprecated name in a site's own template."""

    #: Relative to the folder of templates, such as ``web/about.html.j2``.
    template: str
    name: str
    current_name: str
    lines: tuple[int, ...]

    def __str__(self) -> str:
        lines = f"line{'' if len(self.lines) == 1 else 's'} {', '.join(map(str, self.lines))}"
        return f"{self.name} is a deprecated name; write {self.current_name} ({lines})"


class EarlierDefinition:
    """The definition of a feed as ``feed.channel``, in which the kind of a custom feed is called ``channel``."""

    def __init__(self, definition: Any) -> None:
        """Take a feed definition."""
        self._definition = definition

    @property
    def kind(self) -> SimpleNamespace:
        """The kind of label, with the value that it had."""
        kind = self._definition.kind.value
        return SimpleNamespace(value="channel" if kind == "custom" else kind)

    def __getattr__(self, name: str) -> Any:
        """Return another attribute of the definition, under its earlier or its current name."""
        return getattr(self._definition, ATTRIBUTES["FeedDefinition"].get(name, name))


def with_deprecated_variables(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the variables of a template with their deprecated names added."""
    return {old: values[new] for old, new in VARIABLES.items() if new in values} | dict(values)


def deprecated_attribute(value: object, attribute: str) -> str | None:
    """Return the current name of a deprecated attribute of a template's value; None if it is not deprecated."""
    return ATTRIBUTES.get(type(value).__name__, {}).get(attribute)


def deprecated_names(folder: Path) -> list[DeprecatedName]:
    """Return the deprecated names in the templates of a folder, by template and name.

    A template with a syntax error is left out: rendering reports it.
    """
    environment, found = Environment(autoescape=True), []
    for path in sorted(folder.rglob("*.j2")):
        try:
            tree = environment.parse(path.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, TemplateSyntaxError):
            continue
        lines: dict[tuple[str, str], set[int]] = {}
        for line, name, current in (*_variables(tree), *_attributes(tree)):
            lines.setdefault((name, current), set()).add(line)
        template = path.relative_to(folder).as_posix()
        found += [
            DeprecatedName(template=template, name=name, current_name=current, lines=tuple(sorted(numbers)))
            for (name, current), numbers in sorted(lines.items())
        ]
    return found


def _variables(tree: nodes.Template) -> Iterator[tuple[int, str, str]]:
    """Yield line, deprecated name and name of the variables that a template reads and does not set itself."""
    names = [node for node in tree.find_all(nodes.Name) if node.name in VARIABLES]
    own = {node.name for node in names if node.ctx != "load"}
    for node in names:
        if node.name not in own:
            yield node.lineno, node.name, VARIABLES[node.name]


def _attributes(tree: nodes.Template) -> Iterator[tuple[int, str, str]]:
    """Yield line, deprecated name and name of attributes, such as ``feed.channel.address``."""
    for node in tree.find_all(nodes.Getattr):
        owner = node.node
        if node.attr in ("rhythm", "channel"):
            names = ATTRIBUTES["DigestSettings"] | ATTRIBUTES["FeedListing"]
        elif isinstance(owner, nodes.Getattr) and owner.attr in ("channel", "definition"):
            names = ATTRIBUTES["FeedDefinition"]
        else:
            continue
        if node.attr in names:
            yield node.lineno, f".{node.attr}", f".{names[node.attr]}"
