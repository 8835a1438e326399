"""Let a feed reader subscribe, change an article in every way, let it poll again, and compare its entries."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.conftest import NOW, SiteKit
from tests.readers.clients import Client, ShownEntry
from tests.support.http_servers import WebServer

FEATURES = ("title", "authors", "date", "content", "image", "enclosure", "category", "once", "edited")

LEAD = """\
---
title: "{title}"
date: {date}
{slug}
authors: [Ann Lee, Bob Ray]
topic: Trade
tags: [Ports, R&D]
image: {{ url: /i/port.jpg, alt: A port, credit: M. Lens, width: 640, height: 480 }}
enclosure: {{ url: /audio/port.mp3, length: 12345, title: Listen }}
updated: {updated}
---
{body} & <b>bold</b> with a note[^1].

[^1]: A foot note.
"""


def poll_twice(client: Client, form: str, root: Path, web: WebServer) -> tuple[list[ShownEntry], list[ShownEntry]]:
    """Return the entries after the first poll, and after a poll once everything about an article has changed."""
    kit = SiteKit(root / "site")
    base = (kit.root / "publisher.toml").read_text().split("[mail]")[0]
    feeds = f'[feeds]\nurl = "{web.url}/feeds"\n'
    kit.settings('id = "review"\n' + base + feeds)
    kit.write(
        "lead.md",
        LEAD.format(title="Barges & Boats", date="2026-11-20", slug="", updated="2026-11-20T09:00:00Z", body="Text"),
    )
    kit.article("other.md", title="Other", date="2026-11-19")
    kit.publish()
    web.folder = kit.root / "feeds"
    folder = root / "client"
    folder.mkdir()
    url = f"{web.url}/feeds/all.{form}"
    first = client.poll(url, folder)
    # Headline, slug, date, and the site's host and scheme.
    kit.settings('id = "review"\n' + base.replace("https://review.example", "http://moved.example") + feeds)
    kit.write(
        "lead.md",
        LEAD.format(
            title="Ferries & Ships",
            date="2026-11-21T10:00:00Z",
            slug="slug: ships",
            updated="2026-11-22T09:00:00Z",
            body="New text",
        ),
    )
    kit.publish(NOW + timedelta(hours=1))
    return first, client.poll(url, folder)


#: Feature → a check of the first entry after the first poll, and of all entries after the second entry.
CHECKS: dict[str, Callable[[ShownEntry, list[ShownEntry]], bool]] = {
    "title": lambda lead, _: lead.title == "Barges & Boats",
    "authors": lambda lead, _: "Ann Lee" in lead.authors and "Bob Ray" in lead.authors,
    "date": lambda lead, _: bool(lead.date),
    "content": lambda lead, _: "Text &amp; <b>bold</b>" in lead.content or "Text &amp; bold" in lead.content,
    "image": lambda lead, _: "/i/port.jpg" in lead.image or "/i/port.jpg" in lead.content,
    "enclosure": lambda lead, _: lead.enclosure.endswith("/audio/port.mp3"),
    "category": lambda lead, _: {"Trade", "Ports", "R&D"} <= set(lead.categories),
    "once": lambda _, after: len(after) == 2 and len({entry.id for entry in after}) == 2,
    "edited": lambda _, after: "Ferries & Ships" in {entry.title for entry in after},
}


def supported_features(client: Client, form: str, root: Path, web: WebServer) -> dict[str, bool]:
    """Return feature → whether the program shows it."""
    first, after = poll_twice(client, form, root, web)
    lead = next(entry for entry in first if "Barges" in entry.title)
    return {name: CHECKS[name](lead, after) for name in FEATURES}
