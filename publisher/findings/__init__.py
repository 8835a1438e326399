"""The rules of checks, and findings: violations of a rule, with place and fix.

Pure: it never reads a feed or a message, and never stores or prints a finding.
"""

from publisher.findings.finding import Finding, Rule, Severity, article_names, make_finding, rules_by_id

__all__ = ["Finding", "Rule", "Severity", "article_names", "make_finding", "rules_by_id"]
