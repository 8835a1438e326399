"""Settings of delivery: relays, speed, DKIM, retries, bounces."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator

from publisher.model.delivery import UncertainPolicy
from publisher.settings import validators
from publisher.settings.field_types import Host, SettingsTable, Text
from publisher.settings.secrets import Secret


class RelaySettings(SettingsTable):
    """An SMTP relay."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    #: ``starttls`` and ``tls`` check the server's certificate; ``none`` is for a relay on this machine.
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    #: Its share of the connections, relative to the others.
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    #: A file with the certificates to trust instead of the system's, relative to the site.
    ca_file: Text | None = None

    @model_validator(mode="after")
    def _check_login(self) -> RelaySettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password are needed together; add the other one or remove both")
        if self.username is not None and self.security == "none":
            raise ValueError('security = "none" sends the password in plain text; use starttls or tls')
        return self


class SmtpSettings(RelaySettings):
    """The first relay, and others beside it."""

    #: Further relays. One that fails is paused, and its share goes to the others.
    relays: tuple[RelaySettings, ...] = ()

    @property
    def all_relays(self) -> tuple[RelaySettings, ...]:
        """All relays, this one first."""
        return (self, *self.relays)


class DomainSettings(SettingsTable):
    """Throttling of one recipient domain."""

    #: Messages per second; None for no limit.
    per_second: Annotated[float, Field(gt=0, le=100_000)] | None = None
    #: Concurrent messages; None for as many as there are connections.
    at_once: Annotated[int, Field(ge=1, le=1000)] | None = None


class WarmUpSettings(SettingsTable):
    """Daily limits while the reputation of a new sender builds up."""

    #: The first day, in the site's time zone.
    start: date
    #: Messages on that day.
    first: Annotated[int, Field(ge=1)] = 500
    #: Growth factor per day.
    growth: Annotated[float, Field(ge=1, le=10)] = 1.5


class DkimSettings(SettingsTable):
    """A signing key (RFC 6376, RFC 8463)."""

    #: The selector of its DNS record: SELECTOR._domainkey.DOMAIN.
    selector: Annotated[str, AfterValidator(validators.slug)]
    #: The private key, PEM: RSA or Ed25519.
    key: Secret
    #: The signing domain; the sender's by default.
    domain: Host | None = None


class DeliverySettings(SettingsTable):
    """How messages are sent."""

    #: ``maildir`` writes each message into a folder that mail clients open.
    transport: Literal["smtp", "maildir"] = "smtp"
    #: That folder, relative to the site.
    maildir: Text = "outbox/maildir"
    #: Connections at a time, over all relays.
    connections: Annotated[int, Field(ge=1, le=200)] = 10
    #: What to do with messages of which it is unknown whether they were accepted.
    uncertain: UncertainPolicy = UncertainPolicy.HOLD
    #: Days of retries after temporary rejections.
    retry_days: Annotated[int, Field(ge=1, le=10)] = 4
    #: An address is suppressed after soft bounces of this many issues within thirty days.
    soft_bounces: Annotated[int, Field(ge=1, le=100)] = 5
    #: Throttling of domains without settings of their own.
    each_domain: DomainSettings = DomainSettings()
    #: Domain → throttling.
    domains: dict[str, DomainSettings] = Field(default_factory=dict)
    warm_up: WarmUpSettings | None = None

    @field_validator("domains")
    @classmethod
    def _normalise_domains(cls, value: dict[str, DomainSettings]) -> dict[str, DomainSettings]:
        return {validators.host(name): one for name, one in value.items()}

    def domain(self, name: str) -> DomainSettings:
        """Return the throttling of a domain."""
        return self.domains.get(name, self.each_domain)


class ImapSettings(SettingsTable):
    """An IMAP mailbox."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    #: ``tls`` and ``starttls`` check the server's certificate; ``none`` is for a server on this machine.
    security: Literal["tls", "starttls", "none"] = "tls"
    username: Text
    password: Secret
    folder: Annotated[
        str, validators.matching(re.compile(r'[^"\\\r\n]+'), "must be a name without quotation marks and backslashes")
    ] = "INBOX"
    #: A file with the certificates to trust instead of the system's, relative to the site.
    ca_file: Text | None = None


class BounceSettings(SettingsTable):
    """The mailbox for bounces."""

    #: A Maildir or an mbox on this machine, relative to the site.
    path: Text | None = None
    imap: ImapSettings | None = None
    #: Minutes between the checks of ``publish run``.
    every_minutes: Annotated[int, Field(ge=1, le=1440)] = 10

    @model_validator(mode="after")
    def _check_one_mailbox(self) -> BounceSettings:
        if self.path is not None and self.imap is not None:
            raise ValueError("give path or imap, not both")
        return self
