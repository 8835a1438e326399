"""(c) A digest of 25 articles, inlined, against premailer alone.

    python -m bench.digest

Both inline the same page with the same options in the same process, warm. The bytes are compared.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.corpus import posts
from bench.timing import machine, median, row
from publisher.config.theme import ThemeSettings
from publisher.model import Article, Author, Digest
from publisher.render import digest as module
from publisher.render.digest import Letterhead, render_digest

MOMENT = datetime(2026, 11, 23, 7, tzinfo=UTC)
LETTERHEAD = Letterhead(
    site="The Bench",
    base_url="https://bench.example",
    description="Measured",
    language="en",
    light=ThemeSettings().light_palette,
    dark=ThemeSettings().dark_palette,
    postal_address="1 Bench Street",
)
#: premailer as it comes, in a process of its own, where our caches are not in its way.
PLAIN = """
import statistics, sys, time
from premailer import Premailer
page = sys.stdin.read()
options = eval(sys.argv[1])
for _ in range(3):
    result = Premailer(page, **options).transform(pretty_print=False)
times = []
for _ in range(15):
    began = time.perf_counter()
    Premailer(page, **options).transform(pretty_print=False)
    times.append(time.perf_counter() - began)
print(statistics.median(times))
sys.stdout.write(result)
"""


def articles() -> list[Article]:
    """Return 25 articles."""
    return [
        Article(
            title=post.title,
            date=post.day,
            dek=post.dek,
            body="".join(f"<p>{text}</p>" for text in post.paragraphs),
            topic=post.topic,
            region=post.region,
            authors=(Author(name=post.author),),
            id=f"urn:{post.name}",
            seq=number,
            link=f"https://bench.example/{post.name}",
            published=MOMENT,
            changed=MOMENT,
        )
        for number, post in enumerate(posts(25))
    ]


def timed(function: Callable[[], object]) -> float:
    """Return how long one call takes."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began


def main() -> None:
    print(f"(c) a digest of 25 articles; {machine()}")
    from publisher.render.templates import render

    pages: list[str] = []

    def spy(folder: Path, name: str, values: object) -> str:
        page: str = render(folder, name, values)  # type: ignore[arg-type]
        pages.append(page)
        return page

    def whole() -> object:
        return render_digest(
            Digest(slug="d", title="The Daily"), chosen, LETTERHEAD, number=1, moment=MOMENT, templates=Path("/nowhere")
        )

    chosen = articles()
    module.render = spy  # type: ignore[attr-defined]
    first = timed(whole)
    module.render = render  # type: ignore[attr-defined]
    page = next(one for one in pages if one.startswith("<!DOCTYPE"))
    from publisher.render.inline import OPTIONS, inline

    ours = median(lambda: timed(lambda: inline(page)), 30)
    command = [sys.executable, "-c", PLAIN, repr(OPTIONS)]
    shown = subprocess.run(command, input=page, capture_output=True, text=True, check=True).stdout
    peer_text, _, peer_page = shown.partition("\n")
    row(f"inlining a page of {len(page) // 1024} KB, warm", ours, float(peer_text), "premailer")
    print(f"bytes are {'identical' if inline(page) == peer_page else 'DIFFERENT'}")
    row("templates, inlining and plain text, warm", median(lambda: timed(whole), 30))
    row("templates, inlining and plain text, the first in a process", first)


if __name__ == "__main__":
    main()
