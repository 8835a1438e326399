"""What stands on an issue's envelope and foot: for everybody, and with the gaps of a reader's copy."""

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

__all__ = [
    "bare_address",
    "delivery_envelope",
    "delivery_values",
    "public_envelope",
    "public_values",
    "return_path",
    "with_query",
]


def bare_address(sender: str) -> str:
    """Return the address of ``The Review <news@example.org>``."""
    return sender.rpartition("<")[2].rstrip("> ")


def _mail_settings(site: Site) -> MailSettings:
    if site.mail is None:
        raise SettingsError("mail.sender: is needed to make issues, and missing")
    return site.mail


def return_path(site: Site, token: str) -> str:
    """Return the envelope sender of a delivery (VERP) with its return path token."""
    mail = _mail_settings(site)
    return mail.bounces.replace("{copy}", token) if mail.bounces else bare_address(mail.sender)


def _personal_url(url: str, copy: str) -> str:
    """Return an address of the settings with a copy's pass in it; without one where that is empty."""
    if "{copy}" in url:
        return url.replace("{copy}", copy)
    if not copy or not url.startswith("http"):
        return url
    return with_query(url, "copy", copy)


def with_query(url: str, name: str, value: str) -> str:
    """Return an address with one more field; the value stands in it as it is."""
    page, hash_mark, fragment = url.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{name}={value}{hash_mark}{fragment}"


def _unsubscribe_urls(site: Site, digest: Digest, copy: str) -> tuple[str, ...]:
    """Return where a reader leaves the list: the site's page, if it has one, and a mail."""
    mail = _mail_settings(site)
    words = f"unsubscribe {copy or digest.slug}"
    # A mark of a gap stays as it is.
    by_mail = f"mailto:{bare_address(mail.sender)}?subject={quote(words, safe=copy)}"
    own = _personal_url(mail.unsubscribe, copy) if mail.unsubscribe else None
    return (own, by_mail) if own and own.startswith("http") else (own or by_mail,)


def _web_view_url(site: Site, digest: Digest, name: str) -> str | None:
    pattern = _mail_settings(site).web_view
    return pattern.replace("{digest}", digest.slug).replace("{issue}", quote(name)) if pattern else None


def _placeholder_values(site: Site, digest: Digest, name: str, *, address: str, copy: str) -> dict[str, str]:
    return {
        "address": address,
        "unsubscribe": _unsubscribe_urls(site, digest, copy)[0],
        "preferences": _personal_url(_mail_settings(site).preferences or "", copy),
        "web_view": _web_view_url(site, digest, name) or "",
    }


def public_values(site: Site, digest: Digest, name: str) -> dict[str, str]:
    """Return what stands in place of an issue's tokens for everybody."""
    return _placeholder_values(site, digest, name, address=f"the readers of {digest.title}", copy="")


def delivery_values(site: Site, digest: Digest, name: str) -> dict[str, str]:
    """Return what stands in place of an issue's tokens in a reader's copy, with the gaps."""
    from publisher.mail.message_template import ADDRESS_SLOT, DELIVERY_SLOT

    return _placeholder_values(site, digest, name, address=ADDRESS_SLOT, copy=DELIVERY_SLOT)


def public_envelope(site: Site, digest: Digest, *, subject: str, slot: datetime, number: int) -> Envelope:
    """Return what stands on the copy that is for everybody to look at."""
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
    """Return what stands on a reader's copy, with the gaps."""
    from publisher.mail.message_template import DELIVERY_SLOT

    envelope = public_envelope(site, digest, subject=subject, slot=slot, number=number)
    return replace(envelope, message_key=DELIVERY_SLOT, unsubscribe=_unsubscribe_urls(site, digest, DELIVERY_SLOT))
