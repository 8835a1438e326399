"""What a check reports: the rule that is broken, where, and how to fix it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

__all__ = ["Finding", "Rule", "Severity", "rules_by_id"]


class Severity(StrEnum):
    """Whether a finding blocks an issue from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A requirement for feeds or messages. IDs are stable."""

    id: str
    #: What is required, in one sentence.
    requirement: str
    #: How to fix a violation.
    fix: str
    #: The URL of the specification or documentation that the rule is from.
    source: str
    severity: Severity = Severity.ERROR


def rules_by_id(rules: Iterable[Rule]) -> dict[str, Rule]:
    """Return ID → rule, in the given order."""
    return {rule.id: rule for rule in rules}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A violation of a rule in a feed or a message."""

    rule: Rule
    #: What was found, with the offending value.
    message: str
    #: A feed entry, by its title or number, or an element of a message; empty for the document as a whole.
    entry: str = ""
    #: The line in the file or in the message's HTML, if known.
    line: int | None = None

    @property
    def id(self) -> str:
        """The ID of the rule."""
        return self.rule.id

    @property
    def is_error(self) -> bool:
        """Return whether the finding blocks an issue from being sent."""
        return self.rule.severity is Severity.ERROR

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as ``publish check --json`` prints it."""
        return {
            "severity": self.rule.severity.value,
            "entry": self.entry,
            "line": self.line,
            "rule": self.id,
            "message": self.message,
            "fix": self.rule.fix,
            "source": self.rule.source,
        }
