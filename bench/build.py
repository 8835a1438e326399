"""(a) A cold full build of all feeds, against Hugo and against plain feedgen.

    python -m bench.build [COUNT …]

Ours stages RSS, Atom and JSON of everything (full text, no limit) and of every facet (newest 50), an issue,
the page and the list of feeds, from text exports, into an empty store. "RSS only" stages RSS alone. Hugo builds
the RSS of all posts on its home page, and nothing else. Plain feedgen builds RSS and Atom for the same feeds from
records that are in memory already, entry by entry, as one would without our cache.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from feedgen.feed import FeedGenerator

from bench.corpus import HUGO_ALL, SETTINGS, Post, make_hugo_site, make_site, posts
from bench.timing import PUBLISH, hugo, machine, median, need_hugo, row, seconds


def cold(site: Path) -> float:
    """Return how long a build from nothing takes."""
    for name in ("feeds", "outbox"):
        shutil.rmtree(site / name, ignore_errors=True)
    for path in site.glob("publisher.db*"):
        path.unlink()
    return seconds([*PUBLISH, "now", "--site", str(site), "--at", "2026-11-23T07:00"])


def feedgen_feed(title: str, chosen: list[Post]) -> tuple[bytes, bytes]:
    """Return RSS and Atom by feedgen alone."""
    feed = FeedGenerator()
    feed.id(f"urn:{title}")
    feed.title(title)
    feed.description(title)
    feed.link(href="https://bench.example/")
    for post in chosen:
        entry = feed.add_entry(order="append")
        entry.id(f"urn:{post.name}")
        entry.title(post.title)
        entry.link(href=f"https://bench.example/{post.name}")
        entry.summary(post.dek)
        entry.content("\n".join(f"<p>{text}</p>" for text in post.paragraphs), type="html")
        entry.author({"name": post.author})
        entry.category([{"term": label} for label in (post.topic, post.region, post.brand, *post.tags)])
        moment = datetime(post.day.year, post.day.month, post.day.day, tzinfo=UTC)
        entry.published(moment)
        entry.updated(moment)
    return feed.rss_str(), feed.atom_str()


def plain_feedgen(corpus: list[Post]) -> float:
    """Return how long feedgen takes for everything and for every facet, newest 50."""
    began = time.perf_counter()
    facets: dict[str, list[Post]] = {}
    for post in sorted(corpus, key=lambda one: one.day, reverse=True):
        for label in (post.topic, post.region, post.brand, *post.tags, post.author, "all"):
            facets.setdefault(label, []).append(post)
    feedgen_feed("everything", facets["all"])
    for label, members in facets.items():
        feedgen_feed(label, members[:50])
    return time.perf_counter() - began


def main() -> None:
    need_hugo()
    print(f"(a) cold full build; {machine()}")
    for count in [int(one) for one in sys.argv[1:]] or [1_000, 10_000]:
        with tempfile.TemporaryDirectory() as folder:
            site = make_site(Path(folder) / "ours", count)
            other = make_hugo_site(Path(folder) / "hugo", count)
            times = 3
            ours = median(lambda: cold(site), times)  # noqa: B023
            (site / "publisher.toml").write_text(SETTINGS.replace("[feeds]", '[feeds]\nformats = ["rss"]', 1))
            rss = median(lambda: cold(site), times)  # noqa: B023
            peer = median(hugo(other, HUGO_ALL), times)
            feedgen = plain_feedgen(list(posts(count)))
            row(f"{count:,} articles, RSS only, with every facet", rss, peer, "Hugo, all in RSS")
            row(f"{count:,} articles, three formats, with every facet", ours, peer, "Hugo, all in RSS")
            row(f"{count:,} articles, three formats, with every facet", ours, feedgen, "plain feedgen, two formats")


if __name__ == "__main__":
    main()
