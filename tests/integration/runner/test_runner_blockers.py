"""The runner retries blocked issues when the settings change."""

from __future__ import annotations

from publisher.runner.jobs import Jobs
from tests.conftest import MailKit
from tests.integration.runner.test_jobs import JobHarness
from tests.support.sample_site import replace_placeholders
from tests.support.smtp import Server


def publish_and_mail(jobs: Jobs) -> None:
    jobs.articles_changed()
    jobs.publish()
    jobs.mail()


def test_a_blocked_issue_opens_after_a_settings_change(mail_kit: MailKit) -> None:
    """Each placeholder value is logged once; the automatic issue is made again once they are gone."""
    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.article("one.md", "One")
    with Server() as server:
        kit.mail(server.port)
        harness = JobHarness(kit)
        for _ in range(3):
            publish_and_mail(harness.jobs)
        fixes = [line["fix"].partition(":")[0] for line in harness.logged("placeholder value")]
        assert fixes == ["base_url", "mail.sender", "mail.postal_address"]
        assert server.accepted == []
        replace_placeholders(kit)
        harness.jobs.current = (kit.site, harness.db)
        publish_and_mail(harness.jobs)
        harness.db.close()
        assert server.recipients == ["reader0@posteo.de"]
