"""The runner holds blocked issues back, and goes on as soon as the settings are right."""

from __future__ import annotations

from publisher.runner.jobs import Jobs
from tests.conftest import MailKit
from tests.integration.runner.test_jobs import Desk
from tests.support.sample_site import replace_placeholders
from tests.support.smtp import Server


def publish_and_mail(jobs: Jobs) -> None:
    jobs.articles_changed()
    jobs.publish()
    jobs.mail()


def test_a_blocked_issue_is_retried_at_once_after_a_settings_change(mail_kit: MailKit) -> None:
    """Its back-off ends with the settings that caused it; each placeholder value is logged once an attempt."""
    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        desk = Desk(kit)
        for _ in range(3):
            desk.jobs.mail()
        assert len(desk.said("not sent")) == 1
        fixes = [line["fix"].partition(":")[0] for line in desk.said("placeholder value")]
        assert fixes == ["base_url", "mail.sender", "mail.postal_address"]
        assert server.accepted == []
        replace_placeholders(kit)
        desk.jobs.current = (kit.site, desk.db)
        publish_and_mail(desk.jobs)
        desk.db.close()
        assert server.recipients == ["reader0@posteo.de"]
