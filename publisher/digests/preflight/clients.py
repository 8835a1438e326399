"""Check for HTML and CSS features that mail clients do not support."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from importlib import resources
from typing import Any, Final

from publisher.digests.preflight.stories import article_of, element_finding
from publisher.digests.preflight.style import declarations
from publisher.findings import Finding

#: Feature → its fallback in clients that do not support it. docs/checks.md shows the same table.
FALLBACKS: Final = {
    "css-border-radius": "corners are square",
    "css-max-height": "the preheader is hidden by display:none and mso-hide as well",
    "css-overflow": "the preheader is hidden by display:none and mso-hide as well",
    "css-overflow-wrap": "word-wrap has the same effect",
    "css-word-wrap": "overflow-wrap has the same effect",
    "css-display-none": "the preheader is visible, in the colours of the page",
    "css-border-spacing": "cellspacing has the same effect",
    "css-height": "width and height are also attributes",
    "css-white-space": "code is wrapped like text",
    "css-table-layout": "long words are still broken",
    "html-aria-hidden": "decoration is read out",
    "html-aria-label": "the text of the link is read out",
    "html-role": "a layout table is announced",
    "html-bdi": "a name has the direction of its line",
    "html-semantics": "shown as generic blocks",
    "html-abbr": "shown without its title",
    "html-body": "the outermost table has the colours and the language too",
    "html-doctype": "the mail client uses its own",
    "html-style": "all rules are inlined too, except for dark mode and phones",
    "html-meta-color-scheme": "the mail client chooses the colours",
    "html-wbr": "the word is not broken there",
}


@lru_cache(1)
def _support_data() -> dict[str, Any]:
    """Return the support data of caniemail.com; ``python -m tests.mail.clients`` creates the file."""
    text = resources.files("publisher.digests.preflight").joinpath("clients.json").read_text("utf-8")
    data: dict[str, Any] = json.loads(text)
    return data


def _features(element: Any) -> set[str]:
    """Return the features that an element uses, by their names at caniemail.com."""
    data = _support_data()
    tag: str = element.tag
    features = {data["elements"][tag]} if tag in data["elements"] else set()
    features |= {data["attributes"][name] for name in element.attrib if name in data["attributes"]}
    for name, value in declarations(element.get("style") or ""):
        if name in data["properties"]:
            features.add(data["properties"][name])
        lowered = value.lower()
        features |= {
            feature
            for key, feature in data["values"].items()
            if key.startswith(name + ":") and lowered.startswith(key.partition(":")[2])
        }
        features |= {feature for call, feature in data["functions"].items() if f"{call}(" in lowered}
        features |= {data["units"][unit] for unit in re.findall(r"\d(%|[a-z]+)\b", lowered) if unit in data["units"]}
    return features


def check_clients(root: Any) -> list[Finding]:
    """Return a finding for each unsupported feature without a fallback, once outside of marked stories and in each."""
    unsupported = _support_data()["unknown"]
    findings: dict[tuple[str, tuple[str, ...]], Finding] = {}
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        for feature in sorted(_features(element)):
            if feature in FALLBACKS or feature not in unsupported or (feature, article_of(element)) in findings:
                continue
            message = f"{feature} is not supported by {', '.join(unsupported[feature])}"
            findings[feature, article_of(element)] = element_finding("client-support", element, message)
    return list(findings.values())
