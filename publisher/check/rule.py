"""What a rule is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Rule", "Severity"]


class Severity(StrEnum):
    """Whether a finding keeps an issue from being sent."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a feed or a mail must keep to."""

    #: What is to be so, in one sentence.
    says: str
    #: What to do where it is not.
    cure: str
    #: Where it is written.
    source: str
    severity: Severity = Severity.ERROR
