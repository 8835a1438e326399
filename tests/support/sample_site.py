"""Sites with and without the placeholder values of a new site."""

from __future__ import annotations

from publisher.digests.readiness import _SITE_TEMPLATE
from tests.conftest import MailKit
from tests.support.smtp import Server
from tests.support.use_cases import deliver


def replace_placeholders(kit: MailKit) -> None:
    """Replace the placeholder values in the settings of a test's site."""
    path = kit.root / "publisher.toml"
    text = path.read_text("utf-8").replace("review.example", "review.co.uk")
    path.write_text(text.replace("[mail]\n", '[mail]\npostal_address = "The Review, London"\n'), "utf-8")


def write_sample(kit: MailKit) -> None:
    """Write the sample article of a new site."""
    kit.write("welcome.md", (_SITE_TEMPLATE / "welcome.md").read_bytes())


def furnish_with_sample(kit: MailKit) -> None:
    """Give a site real settings, a real subscriber and the sample article, which is then its only placeholder."""
    replace_placeholders(kit)
    kit.add_subscribers(1, domain="posteo.de")
    write_sample(kit)


def delivered(kit: MailKit) -> int:
    """Send the newest issue to an SMTP server, and return how many messages it accepted."""
    with Server() as server:
        kit.mail(server.port)
        return deliver(kit.site, "daily").counts.accepted
