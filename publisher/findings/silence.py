"""Silenced rules: which findings the settings of a site leave out of errors and warnings."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from publisher.findings.feed_rules import FEED_RULES
from publisher.findings.finding import Finding, Rule
from publisher.findings.mail_rules import MAIL_RULES
from publisher.findings.rule_ids import current_id

#: Rule ID → rule, for feeds and for messages.
ALL_RULES: Final = {**FEED_RULES, **MAIL_RULES}
#: NEWSLETTER/ISSUE; URLs and IDs of articles have a colon.
_ISSUE_SCOPE: Final = re.compile(r"([^/:]+)/([^/:]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A rule whose findings are left out, and where."""

    rule_id: str
    #: A newsletter, ``NEWSLETTER/ISSUE``, or a name of an article; empty for the whole site.
    scope: str = ""

    @property
    def rule(self) -> Rule:
        """Return the rule."""
        return ALL_RULES[self.rule_id]

    def __str__(self) -> str:
        return f"{self.rule_id}@{self.scope}" if self.scope else self.rule_id


def parse_silence(text: str) -> Silence:
    """Return the rule and the scope of a text ``ID`` or ``ID@SCOPE``.

    Raises:
        ValueError: there is no such rule, it cannot be silenced, or the scope is empty.
    """
    name, at, scope = (part.strip() for part in text.partition("@"))
    rule = ALL_RULES.get(current_id(name))
    if rule is None:
        close = difflib.get_close_matches(name, ALL_RULES, n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(map(_suggestion, close))}?" if close else "docs/checks.md lists all IDs"
        raise ValueError(f"there is no rule {name!r}; {hint}")
    if at and not scope:
        raise ValueError(f"{name}@ needs a newsletter, an issue or an article after the @, as in {name}@morning")
    if rule.protects and not rule.has_exceptions:
        raise ValueError(
            f"{rule.id} cannot be silenced: {rule.protects}. Correct what it finds, or allow one issue with "
            "'publish check ISSUE --force REASON'"
        )
    if rule.has_exceptions and not scope:
        raise ValueError(
            f"{rule.id} can be silenced for an article or an issue only: {rule.protects}. Name it, as in "
            f"{rule.id}@ARTICLE"
        )
    return Silence(rule_id=rule.id, scope=scope)


def _suggestion(rule_id: str) -> str:
    rule = ALL_RULES[rule_id]
    is_fixed = rule.protects and not rule.has_exceptions
    return f"{rule_id} (which cannot be silenced: {rule.protects})" if is_fixed else rule_id


def check_scope(silence: Silence, newsletters: Collection[str]) -> None:
    """Check the scope of a silence against the newsletters of a site.

    Raises:
        ValueError: the newsletter does not exist, or the rule cannot be silenced for it.
    """
    rule, scope = silence.rule, silence.scope
    issue = _ISSUE_SCOPE.fullmatch(scope)
    if issue is not None and issue[1] not in newsletters:
        known = f"the newsletters are: {', '.join(newsletters)}" if newsletters else "there are no newsletters"
        raise ValueError(
            f"{silence}: there is no newsletter {issue[1]!r}; {known}. For an article, give its ID, its URL, or the last "
            "part of the URL"
        )
    if issue is not None and issue[2] == "next":
        raise ValueError(
            f"{silence}: the name of a draft is the slot that it will be sent at. Give that, as in "
            f"{rule.id}@{issue[1]}/2026-11-23T0700, or silence the rule for all issues with {rule.id}@{issue[1]}"
        )
    if (issue is not None or scope in newsletters) and rule.id not in MAIL_RULES:
        raise ValueError(
            f"{silence}: {rule.id} is a rule for feeds. Silence it for the site with {rule.id}, or for one article"
        )
    if rule.has_exceptions and scope in newsletters:
        raise ValueError(
            f"{silence}: {rule.id} can be silenced for an article or an issue only: {rule.protects}. Name one, as in "
            f"{rule.id}@{scope}/2026-11-23T0700"
        )


def issue_scopes(newsletter: str, name: str) -> tuple[str, str]:
    """Return the scopes that an issue, or a draft with the name that it would get, belongs to."""
    return newsletter, f"{newsletter}/{name}"


def split_silenced(
    findings: Iterable[Finding], silences: Sequence[Silence], scopes: Collection[str] = ()
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return findings that count, and silenced ones; SCOPES are their newsletter and issue."""
    counted: list[Finding] = []
    silenced: list[Finding] = []
    for finding in findings:
        is_silenced = any(
            silence.rule_id == finding.id and silence.scope in ("", *scopes, *finding.article) for silence in silences
        )
        (silenced if is_silenced else counted).append(finding)
    return tuple(counted), tuple(silenced)


def count_rules(rule_ids: Sequence[str]) -> str:
    """Return rules with the number of their findings: ``image-alt (2), link-text``."""
    return ", ".join(f"{rule} ({count})" if count > 1 else rule for rule, count in Counter(rule_ids).items())


def silenced_phrase(rule_ids: Sequence[str]) -> str:
    """Return how many findings are silenced, and their rules: ``2 findings silenced: image-alt, link-text``."""
    return f"{len(rule_ids):,} finding{'' if len(rule_ids) == 1 else 's'} silenced: {count_rules(rule_ids)}"
