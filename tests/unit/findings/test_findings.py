"""Findings as text: what a rule requires apart from the violation."""

from __future__ import annotations

import pytest

from publisher.cli.check import lines
from publisher.findings import Finding, Rule, make_finding
from publisher.findings.feed_rules import FEED_RULES
from publisher.findings.mail_rules import MAIL_RULES
from publisher.pipeline.check import CheckedFile, CheckResult


def test_a_missing_header_is_not_run_together_with_its_requirement() -> None:
    """The requirement, the violation and the fix have a label and a line each."""
    finding = make_finding(MAIL_RULES, "one-click", "it is missing", entry="List-Unsubscribe-Post")
    rule = MAIL_RULES["one-click"]
    assert finding.lines() == [
        "warning one-click",
        f"  required: {rule.requirement}",
        "  found: List-Unsubscribe-Post: it is missing",
        f"  fix: {rule.fix}",
    ]


@pytest.mark.parametrize("rule", [*MAIL_RULES.values(), *FEED_RULES.values()], ids=lambda rule: rule.id)
def test_each_rule_is_printed_apart_from_its_violations(rule: Rule) -> None:
    """``publish check`` prints the requirement once, then each violation with its place."""
    findings = (Finding(rule=rule, message="first"), Finding(rule=rule, message="second", entry="One", line=7))
    report = CheckResult(feeds=1, faulty=[CheckedFile(name="all.rss", findings=findings)])
    assert lines(report)[:6] == [
        f"{rule.severity} {rule.id}",
        f"  required: {rule.requirement}",
        "  found in all.rss: first",
        "  found in all.rss:7: One: second",
        f"  fix: {rule.fix}",
        f"  source: {rule.source}",
    ]
    for finding in findings:
        heading, required, found, fix = finding.lines()
        assert heading == f"{rule.severity} {rule.id}"
        assert required.endswith(rule.requirement) and finding.message not in required
        assert found == f"  found: {finding.violation}" and fix == f"  fix: {rule.fix}"


def test_json_of_a_finding_keeps_its_keys() -> None:
    """Programs read the message and the entry under their own keys."""
    finding = make_finding(MAIL_RULES, "one-click", "it is missing", entry="List-Unsubscribe-Post")
    rule = MAIL_RULES["one-click"]
    assert finding.as_dict() == {
        "severity": "warning",
        "entry": "List-Unsubscribe-Post",
        "line": None,
        "rule": "one-click",
        "message": "it is missing",
        "fix": rule.fix,
        "source": rule.source,
    }
