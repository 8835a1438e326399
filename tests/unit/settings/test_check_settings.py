"""The ``[checks]`` table: which entries of ``silence`` are accepted, and what the errors say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from publisher.errors import SettingsError
from publisher.findings.silence import Silence
from publisher.settings import Site, read_site

_SITE = """
title = "T"
base_url = "https://t.example"
[mail]
sender = "T <news@t.example>"
[digests.morning]
title = "Morning"
[checks]
silence = [{entries}]
"""


def read(folder: Path, *entries: str) -> Site:
    quoted = ", ".join(f'"{entry}"' for entry in entries)
    (folder / "publisher.toml").write_text(_SITE.format(entries=quoted), "utf-8")
    return read_site(folder)


def test_rules_are_silenced_for_the_site_a_newsletter_an_issue_and_an_article(tmp_path: Path) -> None:
    """A site that silences a rule for one article must not lose its findings in all others."""
    site = read(tmp_path, "link-text", "bulk@morning", "bulk@morning/2026-11-23T0700", "html-closed@cables")
    assert site.checks.silences == (
        Silence(rule_id="link-text"),
        Silence(rule_id="bulk", scope="morning"),
        Silence(rule_id="bulk", scope="morning/2026-11-23T0700"),
        Silence(rule_id="html-closed", scope="cables"),
    )
    assert read(tmp_path).checks.silences == ()


def test_a_former_id_is_read_as_the_current_one(tmp_path: Path) -> None:
    """Settings that were written for an older version would silence nothing after an update."""
    assert read(tmp_path, "image-address@cables").checks.silence == ("image-url@cables",)


def test_an_article_may_be_named_by_its_url_or_id(tmp_path: Path) -> None:
    """Two articles whose URLs end alike could not be told apart otherwise."""
    entries = ("image-alt@https://t.example/2026/11/cables", "image-alt@urn:uuid:1", "image-alt@tag:t.example,2026:1/2")
    assert read(tmp_path, *entries).checks.silence == entries


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("alt-image", "checks.silence.0: there is no rule 'alt-image'; did you mean"),
        ("one-click", "checks.silence.0: one-click cannot be silenced: Gmail and Yahoo require it"),
        ("one-click@morning", "checks.silence.0: one-click cannot be silenced"),
        ("dummy-text", "checks.silence.0: dummy-text can be silenced for an article or an issue only"),
        ("dummy-text@morning", "checks.silence: dummy-text@morning: dummy-text can be silenced for an article"),
        ("bulk@mornign/2026-11-23T0700", "there is no newsletter 'mornign'; the newsletters are: morning"),
        ("bulk@morning/next", "the name of a draft is the slot that it will be sent at"),
        ("html-closed@morning", "html-closed is a rule for feeds"),
        ("html-closed@morning/2026-11-23T0700", "html-closed is a rule for feeds"),
    ],
)
def test_an_entry_that_cannot_apply_is_an_error_with_its_fix(tmp_path: Path, entry: str, message: str) -> None:
    """An operator would believe that a rule is silenced, or that subscribers are protected, and be wrong."""
    with pytest.raises(SettingsError, match=re.escape(message)):
        read(tmp_path, entry)


def test_all_wrong_entries_are_listed_at_once(tmp_path: Path) -> None:
    """An operator would have to run the command once for each mistake."""
    with pytest.raises(SettingsError, match="has 2 errors"):
        read(tmp_path, "zzz", "one-click", "link-text")
