"""Generate publisher/digests/preflight/clients.json from the data of the npm package caniemail (MIT licence).

npm install --prefix tests/mail/node --no-audit --no-fund --no-package-lock
python -m tests.mail.clients
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NODE = Path(__file__).parent / "node" / "node_modules"
DATA = NODE / "caniemail" / "data" / "caniemail.json"
TARGET = Path(__file__).parents[2] / "publisher" / "digests" / "preflight" / "clients.json"
#: Mail clients that an issue must support; other clients render like one of them.
CLIENTS = ("gmail", "outlook", "apple-mail", "yahoo", "thunderbird")

#: Feature → its properties, for features that are not named after their property.
PROPERTIES = {
    "css-left-right-top-bottom": ["left", "right", "top", "bottom"],
    "css-sytem-ui": [],
    "css-intrinsic-size": [],
    "css-modern-color": [],
    "css-column-layout-properties": ["columns", "column-gap", "column-rule", "column-span"],
    "css-grid-template": ["grid-template", "grid-template-columns", "grid-template-rows", "grid-template-areas"],
}
VALUES = {"css-display-flex": "display:flex", "css-display-grid": "display:grid", "css-display-none": "display:none"}
FUNCTIONS = {
    "css-function-clamp": "clamp",
    "css-function-light-dark": "light-dark",
    "css-function-max": "max",
    "css-function-min": "min",
    "css-conic-gradient": "conic-gradient",
    "css-linear-gradient": "linear-gradient",
    "css-radial-gradient": "radial-gradient",
    "css-rgb": "rgb",
    "css-rgba": "rgba",
    "css-unit-calc": "calc",
    "css-variables": "var",
}
ELEMENTS = {
    "html-h1-h6": ["h1", "h2", "h3", "h4", "h5", "h6"],
    "html-lists": ["ul", "ol", "dl"],
    "html-semantics": ["article", "aside", "details", "figcaption", "figure", "footer", "header", "main", "mark", "nav", "section", "summary", "time"],
    "html-image-maps": ["map", "area"],
    "html-strike": ["strike"],
}  # fmt: skip
ATTRIBUTES = {
    "align", "aria-describedby", "aria-hidden", "aria-label", "aria-labelledby", "aria-live", "background",
    "cellpadding", "cellspacing", "dir", "height", "hidden", "lang", "popover", "required", "role", "srcset",
    "target", "valign", "width",
}  # fmt: skip
UNITS = {"percent": "%"}
NOT_PROPERTIES = ("at-", "pseudo-", "selector-", "function-", "unit-")


def unsupported_clients(stats: dict[str, Any]) -> list[str]:
    """Return the mail clients whose newest tested version does not support the feature."""
    unsupported = []
    for client in CLIENTS:
        for platform, versions in stats.get(client, {}).items():
            newest = list(versions.values())[-1] if versions else ""
            if newest.startswith("n"):
                unsupported.append(f"{client} ({platform})")
    return unsupported


def client_tables(data: dict[str, Any]) -> dict[str, Any]:
    """Return the tables that the preflight reads."""
    tables: dict[str, Any] = {
        "source": "https://www.caniemail.com/ (MIT)",
        "updated": data["last_update_date"],
        "unknown": {},
        "properties": {},
        "values": {value: name for name, value in VALUES.items()},
        "functions": {value: name for name, value in FUNCTIONS.items()},
        "units": {},
        "elements": {},
        "attributes": {},
    }
    for feature in data["data"]:
        name = feature["slug"]
        kind, _, rest = name.partition("-")
        clients = unsupported_clients(feature["stats"])
        if clients:
            tables["unknown"][name] = clients
        if name in PROPERTIES:
            tables["properties"].update(dict.fromkeys(PROPERTIES[name], name))
        elif rest.startswith("unit-") and name not in FUNCTIONS:
            tables["units"][UNITS.get(rest[5:], rest[5:])] = name
        elif kind == "css" and name not in VALUES and name not in FUNCTIONS and not rest.startswith(NOT_PROPERTIES):
            tables["properties"][rest] = name
        elif kind == "html" and rest in ATTRIBUTES:
            tables["attributes"][rest] = name
        elif kind == "html":
            tables["elements"].update(dict.fromkeys(ELEMENTS.get(name, [rest]), name))
    return tables


def main() -> None:
    """Write the file."""
    TARGET.write_text(json.dumps(client_tables(json.loads(DATA.read_text())), indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
