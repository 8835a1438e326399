"""What a check finds: which rule, where, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from publisher.check.feedrules import FEED_RULES
from publisher.check.mailrules import MAIL_RULES
from publisher.check.rule import Rule, Severity

__all__ = ["RULES", "Finding"]

#: Name of a rule → the rule.
RULES: Final[dict[str, Rule]] = {**FEED_RULES, **MAIL_RULES}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A rule that a feed or a mail breaks."""

    #: A key of :data:`RULES`.
    rule: str
    #: What was found, with the value.
    what: str
    #: A feed's entry, by its title or its number, or an element of a mail; empty where it is the whole.
    entry: str = ""
    #: The line in the file, or in a mail's HTML, where that is known.
    line: int | None = None

    @property
    def cure(self) -> str:
        """What to do about it."""
        return RULES[self.rule].cure

    @property
    def source(self) -> str:
        """Where the rule is written."""
        return RULES[self.rule].source

    @property
    def is_error(self) -> bool:
        """Tell whether it keeps an issue from being sent."""
        return RULES[self.rule].severity is Severity.ERROR

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as ``publish check --json`` prints it."""
        return {
            "severity": RULES[self.rule].severity.value,
            "entry": self.entry,
            "line": self.line,
            "rule": self.rule,
            "what": self.what,
            "cure": self.cure,
            "source": self.source,
        }
