"""A run that is killed between the approval of an issue and the opening of its send."""

from __future__ import annotations

from datetime import timedelta

import pytest

from publisher.pipeline import due_issues
from tests.conftest import NOW, MailKit
from tests.support.smtp import Server


@pytest.mark.postgresql
def test_the_next_run_opens_an_automatic_issue_that_a_killed_run_approved(
    any_mail_kit: MailKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a site where nothing but ``publish now`` runs, nobody goes without the issue."""
    kit = any_mail_kit
    kit.add_subscribers(2)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with Server() as server:
        kit.mail(server.port, send="auto")
        kit.articles("one")
        with monkeypatch.context() as patch:
            patch.setattr(due_issues, "open_issue", killed)
            with pytest.raises(KeyboardInterrupt):
                kit.publish(NOW)
        assert server.accepted == [] and kit.newest_issue().is_waiting
        report = kit.publish(NOW + timedelta(minutes=1))
        assert [issue.digest for issue in report.opened] == ["daily"]
        assert len(server.accepted) == 2
        kit.publish(NOW + timedelta(minutes=2))
        assert len(server.accepted) == 2
