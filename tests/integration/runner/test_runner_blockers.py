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


def test_a_blocked_issue_is_retried_at_once_after_a_settings_change(mail_kit: MailKit) -> None:
    """Its pause ends with the settings that caused it; each placeholder value is logged once an attempt."""
    kit = mail_kit
    kit.add_subscribers(1, domain="posteo.de")
    kit.draft("one")
    with Server() as server:
        kit.mail(server.port)
        harness = JobHarness(kit)
        for _ in range(3):
            harness.jobs.mail()
        assert len(harness.logged("not sent")) == 1
        fixes = [line["fix"].partition(":")[0] for line in harness.logged("placeholder value")]
        assert fixes == ["base_url", "mail.sender", "mail.postal_address"]
        assert server.accepted == []
        replace_placeholders(kit)
        harness.jobs.current = (kit.site, harness.db)
        publish_and_mail(harness.jobs)
        harness.db.close()
        assert server.recipients == ["reader0@posteo.de"]
