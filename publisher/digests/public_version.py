"""The public version of an issue: links for every visitor in place of the links of one subscriber. Pure.

The personal links of a delivery lead to one subscriber's pages. A visitor of the web page gets a link to subscribe, to
all issues, and to the plain text in their place.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from publisher.mail.placeholders import Placeholders, fill_placeholders, placeholders_in
from publisher.model.digests import IssueVariant
from publisher.settings import Site

#: The start tag of a link, and a placeholder as its target.
_LINK_START: Final = re.compile(r"<a\b([^<>]*)>")
_TARGET: Final = re.compile(r'\shref="@@(unsubscribe|preferences|web_view)\.([0-9a-f]{12})@@')
#: Attributes that name or describe the target.
_OLD_ATTRIBUTE: Final = re.compile(r'\s(?:href|aria-label|title)="[^"]*"')
#: The sentence of the built-in templates about the recipient.
_RECIPIENT: Final = re.compile(r"This issue went to @@address\.([0-9a-f]{12})@@,\s+because you subscribed to ")


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicLink:
    """A link for every visitor."""

    label: str
    url: str


def public_links(site: Site, digest: str, name: str) -> dict[str, PublicLink]:
    """Return placeholder → the link that replaces it in the public version of an issue."""
    archive = f"{site.newsletters_url}/{digest}/"
    subscribe = PublicLink(label="Subscribe", url=f"{site.newsletters_url}/join?digest={digest}")
    if not site.accepts_subscriptions:
        subscribe = PublicLink(label="Feeds", url=f"{site.feeds_url}/")
    return {
        "unsubscribe": subscribe,
        "preferences": PublicLink(label="All issues", url=archive),
        "web_view": PublicLink(label="View as text", url=f"{archive}{quote(name)}/message.txt"),
    }


def public_html(variant: IssueVariant, title: str, links: Mapping[str, PublicLink]) -> tuple[str, frozenset[str]]:
    """Return the HTML of a variant for the web, and the placeholders whose links it has.

    Args:
        variant: the issue, with placeholders.
        links: placeholder → link, as ``public_links`` returns them.
    """
    source, parts, shown, end = variant.html.decode(), [], set(), 0
    for match in _LINK_START.finditer(source):
        target = _TARGET.search(match[1])
        close = source.find("</a", match.end()) if target is not None else -1
        if target is None or target[2] != variant.placeholder_hash or close < 0 or match.start() < end:
            continue
        link, attributes = links[target[1]], _OLD_ATTRIBUTE.sub("", match[1])
        parts += [
            source[end : match.start()],
            f'<a{attributes} href="{html.escape(link.url)}">{html.escape(link.label)}',
        ]
        shown.add(target[1])
        end = close
    text = "".join([*parts, source[end:]])
    return _filled(text, variant, title, links, escape=True), frozenset(shown)


def public_text(variant: IssueVariant, title: str, links: Mapping[str, PublicLink], web_view: str) -> str:
    """Return the plain text of a variant for the web; arguments as for ``public_html``, and the URL of its page."""
    links = {**links, "web_view": PublicLink(label="View in browser", url=web_view)}
    lines = [_public_line(line, variant, links) for line in variant.text.decode().split("\n")]
    return _filled("\n".join(lines), variant, title, links, escape=False)


def _public_line(line: str, variant: IssueVariant, links: Mapping[str, PublicLink]) -> str:
    if variant.placeholder_hash and variant.placeholder_hash in line:
        for name in placeholders_in(line):
            if name in links:
                return f"{links[name].label}: {links[name].url}"
    return line


def _filled(text: str, variant: IssueVariant, title: str, links: Mapping[str, PublicLink], *, escape: bool) -> str:
    """Return the text without a sentence that speaks to one subscriber, and with its placeholders filled."""
    text = _RECIPIENT.sub("This issue went to the subscribers of ", text)
    values = {"address": f"the subscribers of {title}", **{name: link.url for name, link in links.items()}}
    return fill_placeholders(text, Placeholders(hash=variant.placeholder_hash), values, escape=escape)
