"""The list of issues, of all digests or one."""

from __future__ import annotations

import pytest

from publisher.errors import SettingsError
from tests.conftest import MailKit
from tests.support.use_cases import list_issues


def test_the_list_has_the_issues_of_one_digest(any_mail_kit: MailKit) -> None:
    """A digest that was removed from the settings is listed as long as it has issues."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    kit.mail(1, send="review")
    kit.issue("one")
    assert [box.row.digest for box in list_issues(kit.site, "daily")] == ["daily"]
    settings = kit.root / "publisher.toml"
    settings.write_text(settings.read_text().replace("[digests.daily]", "[digests.evening]"))
    assert [box.row.digest for box in list_issues(kit.site, "daily")] == ["daily"]
    assert list_issues(kit.site, "evening") == []


def test_an_unknown_digest_is_an_error(any_mail_kit: MailKit) -> None:
    """A misspelt name is an error that lists the names in the settings."""
    kit = any_mail_kit
    kit.add_subscribers(1)
    kit.mail(1, send="review")
    kit.issue("one")
    with pytest.raises(SettingsError, match=r"there is no digest 'dialy'\. publisher\.toml has: daily"):
        list_issues(kit.site, "dialy")
