"""Content-Security-Policy (https://www.w3.org/TR/CSP3/) and HSTS (RFC 6797) headers."""

from __future__ import annotations

import base64
import hashlib

from publisher.settings import Site


def content_security_policy(text: str, *, pictures: bool = False, inline_style: bool = False) -> str:
    """Return a Content-Security-Policy that allows a page's styles and the site's script.

    Args:
        pictures: whether it shows pictures and recordings of other servers.
        inline_style: whether it has style attributes.
    """
    hashes = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in _styles(text)]
    styles = "'unsafe-inline'" if inline_style else " ".join(f"'sha256-{digest}'" for digest in hashes) or "'none'"
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
    """Return the Strict-Transport-Security header; empty for a site without https.

    Browsers ignore it in a response over http, for example behind a proxy that terminates TLS.
    """
    days = site.web.hsts_days
    return f"max-age={days * 86_400}" if days and site.base_url.startswith("https://") else ""
