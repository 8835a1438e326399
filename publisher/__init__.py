"""A self-hosted publisher of RSS, Atom and JSON feeds and of email newsletters.

``Publisher`` is the public API; the command ``publish`` uses it too. The package never changes the files in a site's
articles folder.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from publisher.version import __version__

if TYPE_CHECKING:
    from publisher.api import Publisher as Publisher
    from publisher.subscribers.store import Subscriber as Subscriber
    from publisher.subscriptions.import_list import ImportResult as ImportResult
    from publisher.subscriptions.review import DoubtfulSuppression as DoubtfulSuppression
    from publisher.subscriptions.review import UnclearState as UnclearState

#: Public name → the module that defines it. It is imported on first use, so that commands start fast.
_MODULES = {
    "DoubtfulSuppression": "publisher.subscriptions.review",
    "ImportResult": "publisher.subscriptions.import_list",
    "Publisher": "publisher.api",
    "Subscriber": "publisher.subscribers.store",
    "UnclearState": "publisher.subscriptions.review",
}

__all__ = ["DoubtfulSuppression", "ImportResult", "Publisher", "Subscriber", "UnclearState", "__version__"]


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return value
