"""(a) A cold full build of all feeds, against Hugo and against plain feedgen.

    python -m bench.build [COUNT …]

Publisher reads text exports into an empty database and stages feeds, a draft issue, the page and the list of feeds. Three
configurations: RSS only; RSS, Atom and JSON; RSS and Atom without any limit. The first two have a feed of everything
(full text, no limit) and of every facet (newest 50). Hugo builds the RSS of all posts on its home page, and nothing
else. Plain feedgen reads the same files with Publisher's parsers and renders the same feeds into files, entry by entry
for each feed, without a database, entry templates or a cache of entries. It stores no IDs and has no second run.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from feedgen.feed import FeedGenerator

from bench.corpus import HUGO_ALL, SETTINGS, make_hugo_site, make_site
from bench.timing import PUBLISH, hugo, machine, median, need_hugo, row, seconds
from publisher.articles.parsers import ParsedRecord, ParserOptions, parse_file
from publisher.model.articles import Record

TIMES = 3


def cold(site: Path) -> float:
    """Return the seconds of a build from an empty database."""
    for name in ("feeds", "outbox"):
        shutil.rmtree(site / name, ignore_errors=True)
    for path in site.glob("publisher.db*"):
        path.unlink()
    return seconds([*PUBLISH, "now", "--site", str(site), "--at", "2026-11-23T07:00"])


def feedgen_feed(path: Path, chosen: list[Record]) -> None:
    """Write RSS and Atom with feedgen only."""
    feed = FeedGenerator()
    feed.id(f"urn:{path.name}")
    feed.title(path.name)
    feed.description(path.name)
    feed.link(href="https://bench.example/")
    for record in chosen:
        entry = feed.add_entry(order="append")
        entry.id(f"urn:{record.title}")
        entry.title(record.title)
        entry.link(href=f"https://bench.example/{record.title}")
        entry.summary(record.dek)
        entry.content(record.body, type="html")
        entry.author([{"name": author.name} for author in record.authors])
        entry.category([{"term": label} for _, label in record.facets()])
        moment = datetime(record.date.year, record.date.month, record.date.day, tzinfo=UTC)
        entry.published(moment)
        entry.updated(moment)
    path.with_suffix(".rss").write_bytes(feed.rss_str())
    path.with_suffix(".atom").write_bytes(feed.atom_str())


def plain_feedgen(articles: Path, out: Path, limit: int | None) -> float:
    """Return the seconds of parsing, and of feedgen for the feed of everything and for every facet."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    began = time.perf_counter()
    options = ParserOptions(zone=ZoneInfo("UTC"))
    records = []
    for name in sorted(path.name for path in articles.iterdir()):
        records += [one.record for one in parse_file(articles, name, options) if isinstance(one, ParsedRecord)]
    records.sort(key=lambda one: one.date, reverse=True)
    facets: dict[str, list[Record]] = {"all": records}
    for record in records:
        for kind, label in record.facets():
            facets.setdefault(f"{kind.value}-{label}", []).append(record)
    feedgen_feed(out / "everything", records)
    for label, members in facets.items():
        feedgen_feed(out / label, members[:limit])
    return time.perf_counter() - began


def main() -> None:
    need_hugo()
    print(f"(a) cold full build; {machine()}")
    for count in [int(argument) for argument in sys.argv[1:]] or [1_000, 10_000]:
        with tempfile.TemporaryDirectory() as folder:
            site = make_site(Path(folder) / "ours", count)
            hugo_site = make_hugo_site(Path(folder) / "hugo", count)
            peer = median(hugo(hugo_site, HUGO_ALL), TIMES)
            out = Path(folder) / "feedgen"

            def ours(settings: str, site: Path = site) -> float:
                (site / "publisher.toml").write_text(SETTINGS.replace("[feeds]\nlimit = 50", settings))
                return median(lambda: cold(site), TIMES)

            def plain(limit: int | None, site: Path = site, out: Path = out) -> float:
                return median(lambda: plain_feedgen(site / "articles", out, limit), TIMES)

            # Features that the peers lack are off: archive pages and precompressed files.
            bare = "[feeds]\narchive = []\ncompress = []\n"
            rss = ours(f'{bare}formats = ["rss"]\nlimit = 50')
            row(f"{count:,} articles, RSS", rss, peer, "Hugo, all in RSS")
            three = ours(f"{bare}limit = 50")
            row(f"{count:,} articles, RSS, Atom, JSON", three, peer, "Hugo, all in RSS")
            row(f"{count:,} articles, RSS, Atom, JSON", three, plain(50), "plain feedgen, RSS, Atom")
            unlimited = ours(f'{bare}formats = ["rss", "atom"]\nlimit = "all"')
            row(f"{count:,} articles, no limits, RSS, Atom", unlimited, plain(None), "plain feedgen, RSS, Atom")
            whole = ours("[feeds]\nlimit = 50")
            row(f"{count:,} articles, with archives and precompression", whole, peer, "Hugo, all in RSS")


if __name__ == "__main__":
    main()
