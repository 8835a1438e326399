"""Check feeds against the rules of the W3C feed validator and of feed readers. Pure.

:data:`publisher.findings.feed_rules.FEED_RULES` lists the rules with their sources; each format has a module
with its checks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from html import unescape
from typing import Any, Final

from lxml import etree

from publisher.feeds.checks import atom, jsonfeed, rss
from publisher.feeds.namespaces import ATOM, CONTENT, DC, HISTORY, MEDIA, TOMBSTONES
from publisher.findings import Finding, article_names
from publisher.findings.feed_rules import finding
from publisher.model.feeds import FeedFormat
from publisher.model.media_types import FEED_TYPES

#: Format → allowed media types.
MEDIA_TYPES: Final = {
    **{form: (kind,) for form, kind in FEED_TYPES.items()},
    FeedFormat.JSON: (FEED_TYPES[FeedFormat.JSON], "application/json"),
}
#: Creating a parser takes as long as parsing an entry.
_PARSER: Final = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=True)
#: Namespaces that feed readers and validators support.
_KNOWN_NAMESPACES: Final = frozenset(
    [
        ATOM,
        CONTENT,
        DC,
        MEDIA,
        HISTORY,
        TOMBSTONES,
        "http://www.w3.org/1999/xhtml",
        "http://www.w3.org/XML/1998/namespace",
        "http://purl.org/dc/terms/",
        "http://purl.org/rss/1.0/modules/slash/",
        "http://purl.org/rss/1.0/modules/syndication/",
        "http://purl.org/syndication/thread/1.0",
        "http://wellformedweb.org/CommentAPI/",
        "http://www.georss.org/georss",
        "http://www.itunes.com/dtds/podcast-1.0.dtd",
        "http://www.w3.org/2003/01/geo/wgs84_pos#",
    ]
)


def check_feed(data: bytes, *, url: str | None = None, now: datetime | None = None) -> list[Finding]:
    """Return the violations of a feed of any format.

    Args:
        url: the URL of the feed; None if unknown.
        now: the current time; None to skip the check for future dates.
    """
    if data.lstrip()[:1] in (b"{", b"["):
        return list(_json_findings(data, url, now))
    root = _parse(data)
    if isinstance(root, Finding):
        return [root]
    return [*_xml_findings(data, root), *_root_findings(data, root, url, now)]


def check_entry(form: FeedFormat, entry: bytes) -> list[Finding]:
    """Return the violations of one rendered entry.

    Args:
        entry: ``<item>…</item>``, ``<entry>…</entry>`` or a JSON object, with its body. Its dates may be in the future.
    """
    if form is FeedFormat.JSON:
        try:
            item = json.loads(entry)
        except ValueError as error:
            return [finding("well-formed", str(error))]
        return list(jsonfeed.item_findings(item, None))
    root = _parse(_ENTRY_WRAPPERS[form] + entry + b"</x>")
    if isinstance(root, Finding):
        return [root]
    if form is FeedFormat.RSS:
        return [*rss.item_findings(root[0], None), *rss.raw_title_findings(entry)]
    return list(atom.entry_findings(root[0], None, feed_has_author=True))


_ENTRY_WRAPPERS: Final = {
    FeedFormat.RSS: f'<x xmlns:content="{CONTENT}" xmlns:dc="{DC}" xmlns:media="{MEDIA}">'.encode(),
    FeedFormat.ATOM: f'<x xmlns="{ATOM}" xmlns:media="{MEDIA}">'.encode(),
}


def detect_format(data: bytes) -> FeedFormat | None:
    """Return the format of a document, or None if it is not a feed."""
    if data.lstrip()[:1] == b"{":
        return FeedFormat.JSON
    root = _parse(data)
    if isinstance(root, Finding):
        return None
    return {"rss": FeedFormat.RSS, f"{{{ATOM}}}feed": FeedFormat.ATOM}.get(root.tag)


def previous_page_url(data: bytes) -> str | None:
    """Return the URL of a feed's ``prev-archive`` link (``next_url`` in JSON Feed), or None."""
    if data.lstrip()[:1] == b"{":
        next_url: str | None = json.loads(data).get("next_url")
        return next_url
    root = _parse(data)
    if isinstance(root, Finding):
        return None
    links = root.iter(f"{{{ATOM}}}link")
    return next((link.get("href") for link in links if link.get("rel") == "prev-archive"), None)


def _parse(data: bytes) -> Any:
    """Return the root element, or a finding if the XML is invalid. External entities are not loaded."""
    try:
        return etree.fromstring(data, _PARSER)
    except etree.XMLSyntaxError as error:
        return finding("well-formed", error.msg or "not XML", line=error.lineno)


def _xml_findings(data: bytes, root: Any) -> Iterator[Finding]:
    declared = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([^\"']*)[\"']", data)
    if declared is not None and declared[1].lower() != b"utf-8":
        yield finding("encoding", f"encoding {declared[1].decode('ascii', 'replace')}", line=1)
    for namespace in sorted({uri for uri in root.nsmap.values() if uri and uri not in _KNOWN_NAMESPACES}):
        yield finding("namespace", namespace, line=root.sourceline)


def _root_findings(data: bytes, root: Any, url: str | None, now: datetime | None) -> Iterator[Finding]:
    if root.tag == "rss":
        if root.get("version") != "2.0":
            yield finding("rss-version", f"version {root.get('version')!r}", line=root.sourceline)
        channel = root.find("channel")
        if channel is None:
            yield finding("required", "no channel", line=root.sourceline)
            return
        yield from rss.channel_findings(channel, url, now)
        items = channel.findall("item")
        names_by_title: dict[str, tuple[str, ...]] = {}
        for item in items:
            names = article_names((item.findtext("guid") or "").strip(), (item.findtext("link") or "").strip())
            names_by_title[rss.item_name(item)] = names
            yield from _of_entry(rss.item_findings(item, now), rss.item_name(item), names)
        for markup in rss.raw_title_findings(data):
            yield replace(markup, article=names_by_title.get(unescape(markup.entry), ()))
        yield from _repeated_values("unique-id", ((item.findtext("guid") or "", rss.item_name(item)) for item in items))
        yield from _history_findings(channel)
    elif root.tag == f"{{{ATOM}}}feed":
        yield from atom.feed_findings(root, url, now)
        entries = root.findall(f"{{{ATOM}}}entry")
        has_author = root.find(f"{{{ATOM}}}author") is not None
        for entry in entries:
            names = article_names(*atom.id_and_link(entry))
            findings = atom.entry_findings(entry, now, feed_has_author=has_author)
            yield from _of_entry(findings, atom.entry_name(entry), names)
        for rule, tag in (("unique-id", "id"), ("atom-same-updated", "updated")):
            name = f"{{{ATOM}}}{tag}"
            yield from _repeated_values(
                rule, ((entry.findtext(name) or "", atom.entry_name(entry)) for entry in entries)
            )
        yield from _history_findings(root)
        if entries and root.find(f"{{{TOMBSTONES}}}deleted-entry") is not None:
            yield finding("tombstone", "a deleted-entry among entries", line=root.sourceline)
    else:
        yield finding("kind", f"<{root.tag}>", line=root.sourceline)


def _of_entry(findings: Iterable[Finding], entry: str, names: tuple[str, ...]) -> Iterator[Finding]:
    """Yield the findings of an entry with its name, and the names of its article."""
    return (replace(finding, entry=entry, article=names) for finding in findings)


def _repeated_values(rule: str, values: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    seen: set[str] = set()
    for value, name in values:
        if value and value in seen:
            yield finding(rule, value[:120], entry=name)
        seen.add(value)


def _history_findings(parent: Any) -> Iterator[Finding]:
    rels = {link.get("rel") for link in parent.findall(f"{{{ATOM}}}link")}
    is_archive = parent.find(f"{{{HISTORY}}}archive") is not None
    if is_archive and "current" not in rels:
        yield finding("history", "an archive page without rel=current", line=parent.sourceline)
    if not is_archive and "current" in rels:
        yield finding("history", "rel=current, and no fh:archive", line=parent.sourceline)
    if is_archive and "hub" in rels:
        yield finding("history", "an archive page with a hub", line=parent.sourceline)


def _json_findings(data: bytes, url: str | None, now: datetime | None) -> Iterator[Finding]:
    try:
        feed = json.loads(data)
    except ValueError as error:
        yield finding("well-formed", str(error))
        return
    if not isinstance(feed, dict):
        yield finding("kind", "not an object")
        return
    yield from jsonfeed.feed_findings(feed, url)
    items = feed["items"] if isinstance(feed.get("items"), list) else []
    for item in items:
        values = item if isinstance(item, dict) else {}
        names = article_names(str(values.get("id") or ""), str(values.get("url") or ""))
        yield from _of_entry(jsonfeed.item_findings(item, now), jsonfeed.item_name(item), names)
    ids = ((str(item.get("id") or ""), jsonfeed.item_name(item)) for item in items if isinstance(item, dict))
    yield from _repeated_values("unique-id", ids)
