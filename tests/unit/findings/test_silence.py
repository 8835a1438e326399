"""Silenced rules: the syntax of the setting, rules that cannot be silenced, and which findings are left out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from publisher.findings import Finding, Rule, article_names
from publisher.findings.silence import ALL_RULES, Silence, parse_silence, silenced_phrase, split_silenced

PROTECTED = [rule for rule in ALL_RULES.values() if rule.protects]


def finding(rule_id: str, article: tuple[str, ...] = ()) -> Finding:
    return Finding(rule=ALL_RULES[rule_id], message="x", article=article)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("link-text", Silence(rule_id="link-text")),
        (" link-text @ morning ", Silence(rule_id="link-text", scope="morning")),
        ("subject-length@morning/2026-11-23T0700", Silence(rule_id="subject-length", scope="morning/2026-11-23T0700")),
        (
            "image-alt@https://a.example/@news/cables",
            Silence(rule_id="image-alt", scope="https://a.example/@news/cables"),
        ),
        ("image-address", Silence(rule_id="image-url")),
        ("placeholder@lorem-ipsum", Silence(rule_id="dummy-text", scope="lorem-ipsum")),
        ("template-code@morning/2026-11-23T0700", Silence(rule_id="template-code", scope="morning/2026-11-23T0700")),
    ],
)
def test_a_rule_is_silenced_for_the_site_or_behind_an_at_sign_for_less(text: str, expected: Silence) -> None:
    """An operator who silences one article must not silence the whole site by a space, an old ID or an @ in a URL."""
    assert parse_silence(text) == expected
    assert parse_silence(str(expected)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image-alts", "there is no rule 'image-alts'; did you mean image-alt,"),
        ("IMAGE-ALT", "there is no rule 'IMAGE-ALT'"),
        ("alt-missing@morning", "did you mean header-missing (which cannot be silenced: without these headers"),
        ("one-clik", "there is no rule 'one-clik'; did you mean one-click (which cannot be silenced: Gmail and Yahoo"),
        ("zzz", "docs/checks.md lists all IDs"),
        ("", "docs/checks.md lists all IDs"),
        ("image-alt@", "image-alt@ needs a newsletter, an issue or an article"),
        ("dummy-text", "dummy-text can be silenced for an article or an issue only"),
    ],
)
def test_a_wrong_entry_is_named_with_its_fix(text: str, message: str) -> None:
    """A misspelled ID would silence nothing, without a word."""
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_silence(text)


@pytest.mark.parametrize("rule", PROTECTED, ids=lambda rule: rule.id)
def test_a_rule_that_protects_subscribers_cannot_be_silenced_for_the_site(rule: Rule) -> None:
    """Subscribers would get mail that they cannot unsubscribe from, or that laws forbid."""
    for text in (rule.id, *([] if rule.has_exceptions else [f"{rule.id}@morning", f"{rule.id}@morning/1"])):
        with pytest.raises(ValueError, match=re.escape(rule.protects)):
            parse_silence(text)


def test_the_rules_that_cannot_be_silenced_are_pinned_and_documented() -> None:
    """Removing the protection of a rule by mistake would expose every subscriber of every site."""
    assert {rule.id for rule in PROTECTED} == {
        *("unsubscribe-link", "unsubscribe-header", "one-click", "postal-address", "header-missing"),
        *("placeholder-left", "placeholder-split", "scripted", "text-part", "template-code", "dummy-text"),
        *("well-formed", "kind", "html-safe", "unique-id"),
    }
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text("utf-8")
    for rule in PROTECTED:
        limit = "an article or an issue" if rule.has_exceptions else "nothing"
        assert f"| `{rule.id}` | {limit} | {rule.protects} |" in page


CABLES = article_names("urn:uuid:1", "https://a.example/2026/11/arctic-cables/")


@pytest.mark.parametrize(
    ("scope", "is_silenced"),
    [
        ("", True),
        ("morning", True),
        ("morning/2026-11-23T0700", True),
        ("arctic-cables", True),
        ("urn:uuid:1", True),
        ("https://a.example/2026/11/arctic-cables/", True),
        ("evening", False),
        ("morning/2026-11-30T0700", False),
        ("cables", False),
        ("2026", False),
    ],
)
def test_a_finding_is_left_out_in_the_scope_of_its_silence(scope: str, is_silenced: bool) -> None:
    """A silence that reached further would hide faults of other articles and newsletters from editors."""
    about = finding("image-alt", CABLES)
    silences = [Silence(rule_id="image-alt", scope=scope)]
    counted, silenced = split_silenced([about], silences, ("morning", "morning/2026-11-23T0700"))
    assert (counted, silenced) == (((), (about,)) if is_silenced else ((about,), ()))


def test_findings_of_other_rules_and_other_articles_count() -> None:
    """Errors that no setting names still block the approval of an issue."""
    mine, other, elsewhere = finding("image-alt", CABLES), finding("contrast", CABLES), finding("image-alt")
    silences = [Silence(rule_id="image-alt", scope="arctic-cables")]
    assert split_silenced([elsewhere, mine, other], silences, ("morning",)) == ((elsewhere, other), (mine,))
    assert split_silenced([mine], ()) == ((mine,), ())


def test_silenced_findings_are_counted_and_named() -> None:
    """An editor sees that something was left out, and by which rule."""
    assert silenced_phrase(["image-alt"]) == "1 finding silenced: image-alt"
    assert silenced_phrase(["image-alt", "link-text", "image-alt"]) == "3 findings silenced: image-alt (2), link-text"
