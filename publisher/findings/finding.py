"""Rules of checks, and findings: violations of a rule, with place and fix."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from publisher.model.result import Result


class Severity(StrEnum):
    """Whether a finding blocks an issue from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A requirement for feeds or messages. IDs are stable."""

    #: Its key in the table of rules, which ``rules_by_id`` copies.
    id: str = ""
    #: The requirement, in one sentence.
    requirement: str
    #: How to fix a violation.
    fix: str
    #: URL of the specification or documentation behind the rule.
    source: str
    severity: Severity = Severity.ERROR
    #: Why the rule cannot be silenced; empty if it can.
    protects: str = ""
    #: True if the rule can be silenced for single articles and issues all the same.
    has_exceptions: bool = False

    @property
    def heading(self) -> str:
        """Return the severity and the ID, as in ``error one-click``."""
        return f"{self.severity} {self.id}"


def make_finding(
    rules: Mapping[str, Rule],
    rule_id: str,
    message: str,
    *,
    entry: str = "",
    line: int | None = None,
    article: tuple[str, ...] = (),
) -> Finding:
    """Return a violation of the rule with this ID."""
    return Finding(rule=rules[rule_id], message=message, entry=entry, line=line, article=article)


def rules_by_id(rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """Return a table of rules in which each rule has its ID."""
    return {rule_id: replace(rule, id=rule_id) for rule_id, rule in rules.items()}


def article_names(article_id: str, url: str) -> tuple[str, ...]:
    """Return the names of an article in settings: its ID, its URL, and the last part of the URL."""
    last_part = url.rstrip("/").rpartition("/")[2]
    return tuple(name for name in (article_id, url, last_part) if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding(Result):
    """A violation of a rule in a feed or a message."""

    rule: Rule
    #: The violation, with the offending value.
    message: str
    #: The title or number of a feed entry, or an element of a message; empty for the whole document.
    entry: str = ""
    #: Line number in the file, or in the HTML of the message, if known.
    line: int | None = None
    #: The names of the article that it is about, if that is known; see :func:`article_names`.
    article: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the ID of the rule."""
        return self.rule.id

    @property
    def is_error(self) -> bool:
        """Return whether the finding blocks an issue from being sent."""
        return self.rule.severity is Severity.ERROR

    @property
    def violation(self) -> str:
        """Return the message, after the entry if there is one."""
        return f"{self.entry}: {self.message}" if self.entry else self.message

    def lines(self) -> list[str]:
        """Return the finding as lines of text, with what the rule requires apart from the violation."""
        return [
            self.rule.heading,
            f"  required: {self.rule.requirement}",
            f"  found: {self.violation}",
            f"  fix: {self.rule.fix}",
        ]

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
