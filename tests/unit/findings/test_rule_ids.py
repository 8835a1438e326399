"""IDs of rules: settings, stored drafts and other programs name them for years."""

from __future__ import annotations

from pathlib import Path

import pytest

from publisher.findings.feed_rules import FEED_RULES
from publisher.findings.mail_rules import MAIL_RULES, stored_finding
from publisher.findings.rule_ids import RULE_ALIASES, current_id
from publisher.findings.silence import ALL_RULES

#: Add the ID of a new rule. Never remove one: a renamed rule keeps its former ID in RULE_ALIASES.
STABLE_IDS = """
    absolute-url atom-alternate atom-author atom-content-type atom-id atom-same-updated date encoding future-date
    history history-link html-closed html-safe json-name json-type json-version kind language link-relation
    media-credit media-group media-number media-type namespace not-modified plain-title repeated required rss-author
    rss-description-first rss-enclosure rss-guid rss-image rss-order rss-text-input rss-version self-link tombstone
    unique-id unknown-element well-formed

    accessibility bulk client-support color-scheme contrast contrast-dark dummy-text future-mail header-line
    header-missing html-size image-alt image-url image-width layout-role link-duplicate link-empty link-text
    link-url mail-direction mail-doctype mail-heading mail-language mail-title message-id one-click overflow
    overflow-measured placeholder-left placeholder-split postal-address preheader scripted style-nesting style-size
    subject-empty subject-length template-code text-complete text-part text-width unsubscribe-header
    unsubscribe-link words-per-image

    absolute-address image-address link-address placeholder token-left token-split
"""


def test_each_id_that_was_ever_used_still_names_a_rule() -> None:
    """A site whose settings or scripts name a rule would stop working if its ID changed."""
    assert {*ALL_RULES, *RULE_ALIASES} == set(STABLE_IDS.split())
    assert [name for name in STABLE_IDS.split() if current_id(name) not in ALL_RULES] == []


def test_no_id_is_used_twice() -> None:
    """Silencing a rule of feeds would otherwise silence another one of messages."""
    assert len(ALL_RULES) == len(FEED_RULES) + len(MAIL_RULES)
    assert RULE_ALIASES.keys().isdisjoint(ALL_RULES)


@pytest.mark.parametrize(("former", "rule_id"), RULE_ALIASES.items())
def test_a_former_id_is_documented(former: str, rule_id: str) -> None:
    """People who look up an ID of an old version find the rule in docs/checks.md."""
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text("utf-8")
    assert f"| `{former}` | `{rule_id}` |" in page


def test_a_draft_that_was_checked_by_an_older_version_can_be_shown() -> None:
    """Editors would get no mail about a stored draft if its findings had IDs that this version does not know."""
    stored = {"rule": "token-left", "message": "address in the HTML", "entry": "", "line": None}
    assert stored_finding(stored).id == "placeholder-left"
