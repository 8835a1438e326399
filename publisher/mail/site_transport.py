"""The transport of a site's settings."""

from __future__ import annotations

from publisher.errors import SettingsError
from publisher.mail.smtp_connection import Relay
from publisher.mail.smtp_transport import SmtpTransport
from publisher.mail.transport import Transport
from publisher.settings import Site


def make_transport(site: Site) -> Transport:
    """Return the transport of the settings.

    Raises:
        SettingsError: there is none, or a password cannot be read.
    """
    if site.delivery.transport == "maildir":
        from publisher.mail.maildir import MaildirTransport

        return MaildirTransport(folder=site.maildir)
    if site.smtp is None:
        raise SettingsError(
            'no mail server is configured: name one under [smtp], or write messages into a Maildir with transport = "maildir" '
            "under [delivery]"
        )
    return SmtpTransport(
        relays=[
            Relay(
                host=relay.host,
                port=relay.port,
                security=relay.security,
                username=relay.username,
                password=relay.password.reveal(site.root) if relay.password else None,
                ca_file=str(site.root / relay.ca_file) if relay.ca_file else None,
                weight=relay.weight,
            )
            for relay in site.smtp.all_relays
        ]
    )
