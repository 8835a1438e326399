"""Envelope and placeholder values of an issue: for the public version, and with slots for deliveries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from publisher.errors import SettingsError
from publisher.model.digests import Digest
from publisher.settings import Site

if TYPE_CHECKING:
    from publisher.mail import Envelope
    from publisher.settings.mail import MailSettings


def _mail_settings(site: Site) -> MailSettings:
    if site.mail is None:
        raise SettingsError("mail.sender is missing, and required for issues. Set it in publisher.toml")
    return site.mail


def return_path(site: Site, token: str) -> str:
    """Return the envelope sender of a delivery (VERP) with its return path token."""
    mail = _mail_settings(site)
    return mail.bounces.replace("{copy}", token) if mail.bounces else mail.sender_address


def _personal_url(url: str, token: str) -> str:
    """Return a URL of the settings with the token of a delivery, or without one if TOKEN is empty."""
    if "{copy}" in url:
        return url.replace("{copy}", token)
    if not token or not url.startswith("http"):
        return url
    return with_query(url, "copy", token)


def with_query(url: str, name: str, value: str) -> str:
    """Return a URL with one more query parameter; VALUE is not escaped."""
    page, hash_mark, fragment = url.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{name}={value}{hash_mark}{fragment}"


def _unsubscribe_urls(site: Site, digest: Digest, token: str) -> tuple[str, ...]:
    """Return the unsubscribe URLs: the site's page, if there is one, and a mailto: URL."""
    mail = _mail_settings(site)
    words = f"unsubscribe {token or digest.slug}"
    # Do not escape the slot of a token.
    by_mail = f"mailto:{mail.sender_address}?subject={quote(words, safe=token)}"
    own = _personal_url(mail.unsubscribe, token) if mail.unsubscribe else None
    return (own, by_mail) if own and own.startswith("http") else (own or by_mail,)


def _web_view_url(site: Site, digest: Digest, name: str) -> str | None:
    pattern = _mail_settings(site).web_view
    return pattern.replace("{digest}", digest.slug).replace("{issue}", quote(name)) if pattern else None


def _placeholder_values(site: Site, digest: Digest, name: str, *, address: str, token: str) -> dict[str, str]:
    return {
        "address": address,
        "unsubscribe": _unsubscribe_urls(site, digest, token)[0],
        "preferences": _personal_url(_mail_settings(site).preferences or "", token),
        "web_view": _web_view_url(site, digest, name) or "",
    }


def public_values(site: Site, digest: Digest, name: str) -> dict[str, str]:
    """Return the values of an issue's placeholders in its public version."""
    return _placeholder_values(site, digest, name, address=f"the readers of {digest.title}", token="")


def delivery_values(site: Site, digest: Digest, name: str) -> dict[str, str]:
    """Return the values of an issue's placeholders in deliveries, with slots."""
    from publisher.mail.message_template import ADDRESS_SLOT, DELIVERY_SLOT

    return _placeholder_values(site, digest, name, address=ADDRESS_SLOT, token=DELIVERY_SLOT)


def sample_values(site: Site, digest: Digest, name: str) -> dict[str, str]:
    """Return the values of an issue's placeholders in test messages and drafts, with slots.

    The site's own web view gets the token too, because it may not be public yet.
    """
    from publisher.mail.message_template import DELIVERY_SLOT

    values = delivery_values(site, digest, name)
    if values["web_view"].startswith(f"{site.base_url}/"):
        values["web_view"] = with_query(values["web_view"], "copy", DELIVERY_SLOT)
    return values


def public_envelope(site: Site, digest: Digest, *, subject: str, slot: datetime, number: int) -> Envelope:
    """Return the envelope of the public version."""
    from publisher.mail import Envelope

    mail = _mail_settings(site)
    archive = _web_view_url(site, digest, "")
    return Envelope(
        sender=mail.sender,
        reply_to=mail.reply_to,
        list_name=digest.title,
        list_slug=digest.slug,
        subject=subject,
        date=slot.astimezone(site.tz),
        message_key=f"{digest.slug}.{slot.astimezone(UTC):%Y%m%dT%H%M}Z",
        unsubscribe=_unsubscribe_urls(site, digest, ""),
        one_click=mail.one_click,
        help=f"{site.base_url}/",
        archive=archive.rstrip("/") + "/" if archive else None,
        feedback_id=f"{number}:{digest.slug}:newsletter",
    )


def delivery_envelope(site: Site, digest: Digest, *, subject: str, slot: datetime, number: int) -> Envelope:
    """Return the envelope of deliveries, with slots."""
    from publisher.mail.message_template import DELIVERY_SLOT

    envelope = public_envelope(site, digest, subject=subject, slot=slot, number=number)
    return replace(envelope, message_key=DELIVERY_SLOT, unsubscribe=_unsubscribe_urls(site, digest, DELIVERY_SLOT))
