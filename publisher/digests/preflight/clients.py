"""What mail programs do not know, and whether an issue gets by without it."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from publisher.digests.preflight.rules import finding
from publisher.digests.preflight.style import declarations
from publisher.findings import Finding

__all__ = ["FALLBACKS", "check_clients"]

#: Feature → why an issue is whole where a program does not know it. docs/checks.md shows the same table.
FALLBACKS: Final = {
    "css-border-radius": "corners are square",
    "css-max-height": "the preheader is hidden by display:none and mso-hide as well",
    "css-overflow": "the preheader is hidden by display:none and mso-hide as well",
    "css-overflow-wrap": "word-wrap says the same",
    "css-word-wrap": "overflow-wrap says the same",
    "css-display-none": "the preheader is shown, in the page's own colours",
    "css-border-spacing": "cellspacing says the same",
    "css-height": "width and height are said as attributes too",
    "css-white-space": "code is wrapped as text is",
    "css-table-layout": "long words are broken all the same",
    "html-aria-hidden": "something decorative is read out",
    "html-aria-label": "the link's own words are read out",
    "html-role": "a layout table is announced",
    "html-bdi": "a name stands in the direction of its line",
    "html-semantics": "shown as boxes",
    "html-abbr": "shown without its title",
    "html-body": "the colours and the language are said on the outermost table too",
    "html-doctype": "the program has its own",
    "html-style": "what is in style sheets is said inline as well, but for dark mode and phones",
    "html-meta-color-scheme": "the program colours as it likes",
    "html-wbr": "the word is not broken there",
}


@lru_cache(1)
def _support_data() -> dict[str, Any]:
    """Return what is unknown to whom: made by ``python -m tests.mail.clients`` of the data of caniemail.com."""
    text = resources.files("publisher.digests.preflight").joinpath("clients.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _features(element: Any) -> set[str]:
    """Return the features that an element needs, by their names at caniemail.com."""
    data = _support_data()
    tag: str = element.tag
    found = {data["elements"][tag]} if tag in data["elements"] else set()
    found |= {data["attributes"][name] for name in element.attrib if name in data["attributes"]}
    for name, value in declarations(element.get("style") or ""):
        if name in data["properties"]:
            found.add(data["properties"][name])
        lowered = value.lower()
        found |= {
            feature
            for key, feature in data["values"].items()
            if key.startswith(name + ":") and lowered.startswith(key.partition(":")[2])
        }
        found |= {feature for call, feature in data["functions"].items() if f"{call}(" in lowered}
        found |= {data["units"][unit] for unit in re.findall(r"\d(%|[a-z]+)\b", lowered) if unit in data["units"]}
    return found


def check_clients(root: Any) -> list[Finding]:
    """Return what a named program does not know, and nothing stands in for: each feature once."""
    unknown_to = _support_data()["unknown"]
    found: dict[str, Finding] = {}
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        for feature in sorted(_features(element)):
            if feature in FALLBACKS or feature in found or feature not in unknown_to:
                continue
            found[feature] = finding(
                "client-support",
                f"{feature} is unknown to {', '.join(unknown_to[feature])}",
                entry=f"<{element.tag}>",
                line=element.sourceline,
            )
    return list(found.values())
