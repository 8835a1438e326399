"""What a page may load and run (https://www.w3.org/TR/CSP3/)."""

from __future__ import annotations

import base64
import hashlib

from publisher.settings import Site

__all__ = ["content_security_policy", "strict_transport"]


def content_security_policy(text: str, *, pictures: bool = False, inline_style: bool = False) -> str:
    """Return a page's Content-Security-Policy: nothing but its own style and a script of ours, if it has one.

    Args:
        text: the page.
        pictures: whether it shows pictures and recordings of other servers.
        inline_style: whether it has style attributes.
    """
    marks = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in _styles(text)]
    styles = "'unsafe-inline'" if inline_style else " ".join(f"'sha256-{mark}'" for mark in marks) or "'none'"
    media = "img-src 'self' http: https: data:; media-src 'self' http: https:" if pictures else "img-src 'self'"
    script = "; script-src 'self'" if "<script src=" in text else ""
    return (
        f"default-src 'none'; style-src {styles}; {media}{script}; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )


def _styles(text: str) -> list[str]:
    parts = [part.partition("</style>") for part in text.split("<style>")[1:]]
    return [style for style, end, _ in parts if end]


def strict_transport(site: Site) -> str:
    """Return what browsers are told about https (RFC 6797); empty where the site is not there.

    Browsers pass it over where it comes by http, as behind a server that speaks TLS for us.
    """
    days = site.web.hsts_days
    return f"max-age={days * 86_400}" if days and site.base_url.startswith("https://") else ""
