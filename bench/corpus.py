"""Articles for the benchmarks: the same ones for Publisher and its peers, on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

WORDS = [
    "river",
    "harbour",
    "treaty",
    "grain",
    "ministry",
    "border",
    "convoy",
    "harvest",
    "council",
    "signal",
    "railway",
    "desert",
    "monsoon",
    "market",
    "envoy",
    "pipeline",
    "election",
    "drought",
    "ferry",
    "archive",
    "delta",
    "summit",
    "cable",
    "tariff",
    "province",
    "garrison",
    "reactor",
    "budget",
    "the",
    "of",
    "and",
    "to",
    "in",
    "a",
    "that",
    "for",
    "on",
    "with",
    "as",
    "by",
    "from",
    "at",
    "it",
    "is",
    "was",
    "were",
    "has",
    "had",
    "not",
    "but",
    "which",
    "their",
    "its",
]
TOPICS = [f"Topic {name}" for name in ("Trade", "Water", "Energy", "Security", "Cities", "Courts", "Money", "Science")]
REGIONS = ["Africa", "Arctic", "Europe", "South Asia", "East Asia", "Oceania", "Middle East", "North America"]
BRANDS = ["The Ledger", "Field Notes", "Briefs", "The Desk"]
TAGS = [
    f"{first} {second}"
    for first in ("Blue", "East", "Grand", "Inner", "Lower", "North", "Old", "South", "Upper", "West")
    for second in (
        "Canal",
        "Dam",
        "Forum",
        "Gulf",
        "Line",
        "Pact",
        "Plain",
        "Port",
        "Range",
        "Strait",
        "Union",
        "Valley",
    )
]
AUTHORS = [
    f"{first} {last}"
    for first in ("Ada", "Ben", "Chi", "Dov", "Eva", "Fay", "Gus", "Ida")
    for last in ("Moreau", "Okafor", "Petrov", "Quist", "Rahman", "Silva", "Tanaka")
]


@dataclass(frozen=True)
class Post:
    """One article of the corpus."""

    name: str
    title: str
    day: date
    dek: str
    paragraphs: tuple[str, ...]
    topic: str
    region: str
    brand: str
    tags: tuple[str, ...]
    author: str


def posts(count: int, words: int = 700) -> Iterator[Post]:
    """Yield ``count`` posts of ``words`` words; the same ones in each run."""
    for number in range(count):
        dice = random.Random(number)  # noqa: S311
        text = dice.choices(WORDS, k=words)
        paragraphs = tuple(" ".join(text[at : at + 100]).capitalize() + "." for at in range(0, words, 100))
        yield Post(
            name=f"post-{number:06}",
            title=" ".join(dice.choices(WORDS, k=6)).title() + f" {number}",
            day=date(2026, 11, 1) - timedelta(days=number % 3650),
            dek=" ".join(dice.choices(WORDS, k=14)).capitalize(),
            paragraphs=paragraphs,
            topic=dice.choice(TOPICS),
            region=dice.choice(REGIONS),
            brand=dice.choice(BRANDS),
            tags=tuple(dice.sample(TAGS, k=3)),
            author=dice.choice(AUTHORS),
        )


def text_export(post: Post) -> str:
    """Return the post as a text export."""
    labels = f"Topic: {post.topic} Region: {post.region} Blog Brand: {post.brand} Tags: {''.join(post.tags)}"
    head = f"{post.title}\n\n{post.day:%B} {post.day.day}, {post.day.year} {labels}\n\n{post.title}\n\n{post.dek}\n\n"
    foot = f"\n\n{post.author} is a writer for The Bench.\n\nImageArchive\n"
    return head + "\n\n".join(post.paragraphs) + foot


def hugo_post(post: Post) -> str:
    """Return the post as a Hugo page."""
    tags = ", ".join(f'"{tag}"' for tag in post.tags)
    return (
        f'---\ntitle: "{post.title}"\ndate: {post.day.isoformat()}\nsummary: "{post.dek}"\ntopics: ["{post.topic}"]\n'
        f'regions: ["{post.region}"]\nbrands: ["{post.brand}"]\ntags: [{tags}]\nauthors: ["{post.author}"]\n---\n'
        + "\n\n".join(post.paragraphs)
        + "\n"
    )


SETTINGS = """\
title = "The Bench"
base_url = "https://bench.example"
zone = "UTC"
[feeds]
limit = 50
[feeds.channels.everything]
title = "Everything"
limit = "all"
[mail]
sender = "bench@bench.example"
[digests.daily]
title = "The Daily"
"""

#: RSS of all posts on the home page, with the full text, and nothing else.
HUGO_SETTINGS = """\
baseURL = "https://bench.example/"
title = "The Bench"
{kinds}
[services.rss]
limit = {limit}
[outputs]
home = ["RSS"]
page = []
{outputs}
"""
HUGO_ALL = HUGO_SETTINGS.format(
    kinds='disableKinds = ["section", "taxonomy", "term", "sitemap", "robotsTXT", "404"]', limit=-1, outputs=""
)
HUGO_FACETS = HUGO_SETTINGS.format(
    kinds='disableKinds = ["section", "sitemap", "robotsTXT", "404"]',
    limit=50,
    outputs='term = ["RSS"]\ntaxonomy = []\n[taxonomies]\ntopic = "topics"\nregion = "regions"\nbrand = "brands"\ntag = "tags"\n'
    'author = "authors"',
)
HUGO_TEMPLATE = """\
<?xml version="1.0" encoding="utf-8" standalone="yes"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>{{ .Site.Title }}</title><link>{{ .Permalink }}</link><description>{{ .Site.Title }}</description>
{{- $pages := where .Site.RegularPages "Kind" "page" -}}
{{- if eq .Kind "term" }}{{ $pages = .Pages }}{{ end -}}
{{- $limit := .Site.Config.Services.RSS.Limit -}}
{{- if ge $limit 1 }}{{ $pages = $pages | first $limit }}{{ end }}
{{ range $pages }}<item><title>{{ .Title }}</title><link>{{ .Permalink }}</link>
<pubDate>{{ .Date.Format "Mon, 02 Jan 2006 15:04:05 -0700" }}</pubDate><guid>{{ .Permalink }}</guid>
<description>{{ .Summary | html }}</description>
<content:encoded>{{ .Content | html }}</content:encoded></item>
{{ end }}</channel></rss>
"""


def make_site(folder: Path, count: int) -> Path:
    """Write a site of Publisher with ``count`` articles."""
    articles = folder / "articles"
    articles.mkdir(parents=True)
    (folder / "publisher.toml").write_text(SETTINGS)
    for post in posts(count):
        (articles / f"{post.name}.txt").write_text(text_export(post))
    return folder


def make_hugo_site(folder: Path, count: int) -> Path:
    """Write a Hugo site with the same articles, without settings."""
    content = folder / "content"
    content.mkdir(parents=True)
    (folder / "layouts" / "_default").mkdir(parents=True)
    (folder / "layouts" / "_default" / "rss.xml").write_text(HUGO_TEMPLATE)
    for post in posts(count):
        (content / f"{post.name}.md").write_text(hugo_post(post))
    return folder
