"""The settings of delivery: through which servers, how fast, what is signed, what becomes of doubtful copies."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator

from publisher.model.delivery import UncertainPolicy
from publisher.settings import checks
from publisher.settings.kinds import Host, SettingsTable, Text
from publisher.settings.secrets import Secret

__all__ = [
    "BounceSettings",
    "DeliverySettings",
    "DkimSettings",
    "DomainSettings",
    "ImapSettings",
    "RelaySettings",
    "SmtpSettings",
    "WarmUpSettings",
]


class RelaySettings(SettingsTable):
    """A server that takes mail for the world."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 587
    #: ``starttls`` and ``tls`` check the server's certificate; ``none`` is for a relay on this machine.
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = None
    password: Secret | None = None
    #: Its share of the connections, against that of the others.
    weight: Annotated[int, Field(ge=1, le=1000)] = 1
    #: A file with the certificates to trust instead of the system's, relative to the site.
    ca_file: Text | None = None

    @model_validator(mode="after")
    def _both(self) -> RelaySettings:
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password come together, or not at all")
        if self.username is not None and self.security == "none":
            raise ValueError('security = "none" would show the password to everybody; use starttls or tls')
        return self

    @property
    def name(self) -> str:
        """What it is called in reports."""
        return f"{self.host}:{self.port}"


class SmtpSettings(RelaySettings):
    """The relay that takes the mail, and others beside it."""

    #: Further relays. One that fails is left alone for a while, and its share goes to the others.
    relays: tuple[RelaySettings, ...] = ()

    @property
    def all_relays(self) -> tuple[RelaySettings, ...]:
        """Every relay, this one first."""
        return (self, *self.relays)


class DomainSettings(SettingsTable):
    """How fast readers of one domain get their copies."""

    #: Copies a second; None for as fast as it goes.
    per_second: Annotated[float, Field(gt=0, le=100_000)] | None = None
    #: Copies under way at a time; None for as many as there are connections.
    at_once: Annotated[int, Field(ge=1, le=1000)] | None = None


class WarmUpSettings(SettingsTable):
    """How many copies leave on each day, while receivers learn to know a new sender."""

    #: The first day, on the newsroom's clock.
    start: date
    #: Copies on that day.
    first: Annotated[int, Field(ge=1)] = 500
    #: Each day so many times as many as on the one before.
    growth: Annotated[float, Field(ge=1, le=10)] = 1.5


class DkimSettings(SettingsTable):
    """A key that signs (RFC 6376, RFC 8463)."""

    #: The name of its record in the DNS: SELECTOR._domainkey.DOMAIN.
    selector: Annotated[str, AfterValidator(checks.slug)]
    #: The private key, PEM: RSA or Ed25519.
    key: Secret
    #: The domain that signs; the sender's by default.
    domain: Host | None = None


class DeliverySettings(SettingsTable):
    """How copies leave."""

    #: ``maildir`` writes each reader's copy into a folder that mail programs open.
    transport: Literal["smtp", "maildir"] = "smtp"
    #: That folder, relative to the site.
    maildir: Text = "outbox/maildir"
    #: Connections at a time, over all relays.
    connections: Annotated[int, Field(ge=1, le=200)] = 10
    #: What becomes of copies of which nobody knows whether they were taken.
    uncertain: UncertainPolicy = UncertainPolicy.HOLD
    #: Days that a copy which is refused for now is tried again.
    retry_days: Annotated[int, Field(ge=1, le=10)] = 4
    #: A reader whose copies of so many issues came back within thirty days gets no more.
    soft_bounces: Annotated[int, Field(ge=1, le=100)] = 5
    #: How fast readers of a domain get their copies, where no other limit is said.
    each_domain: DomainSettings = DomainSettings()
    #: Domain → how fast.
    domains: dict[str, DomainSettings] = Field(default_factory=dict)
    warm_up: WarmUpSettings | None = None

    @field_validator("domains")
    @classmethod
    def _as_delivered(cls, value: dict[str, DomainSettings]) -> dict[str, DomainSettings]:
        return {checks.host(name): one for name, one in value.items()}

    def domain(self, name: str) -> DomainSettings:
        """How fast readers of the domain get their copies."""
        return self.domains.get(name, self.each_domain)


class ImapSettings(SettingsTable):
    """A mailbox on a server."""

    host: Text
    port: Annotated[int, Field(ge=1, le=65535)] = 993
    #: ``tls`` and ``starttls`` check the server's certificate; ``none`` is for a server on this machine.
    security: Literal["tls", "starttls", "none"] = "tls"
    username: Text
    password: Secret
    folder: Annotated[str, StringConstraints(pattern=r'^[^"\\\r\n]+$')] = "INBOX"
    #: A file with the certificates to trust instead of the system's, relative to the site.
    ca_file: Text | None = None


class BounceSettings(SettingsTable):
    """The mailbox that mail comes back to."""

    #: A Maildir or an mbox on this machine, relative to the site.
    path: Text | None = None
    imap: ImapSettings | None = None
    #: Minutes after which ``publish run`` looks into it again.
    every_minutes: Annotated[int, Field(ge=1, le=1440)] = 10

    @model_validator(mode="after")
    def _one(self) -> BounceSettings:
        if self.path is not None and self.imap is not None:
            raise ValueError("give path or imap, not both")
        return self
