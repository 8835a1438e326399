"""Former IDs of rules. An ID is stable: a renamed rule keeps its former ID as an alias."""

from __future__ import annotations

from typing import Final

#: Former ID → ID.
RULE_ALIASES: Final = {
    "absolute-address": "absolute-url",
    "image-address": "image-url",
    "link-address": "link-url",
    "placeholder": "dummy-text",
    "token-left": "placeholder-left",
    "token-split": "placeholder-split",
}


def current_id(rule_id: str) -> str:
    """Return the ID of a rule that may be called by a former one."""
    return RULE_ALIASES.get(rule_id, rule_id)
