"""(c) A digest of 25 articles, rendered and inlined, against premailer's defaults and juice; 10 and 60, against premailer.

    npm install --prefix tests/mail/node --no-audit --no-fund --no-package-lock
    python -m bench.digest

All inline the same page of each theme. Cold is the first page of a process, imports not counted. The
bytes are compared with those of plain premailer with our options. Times are processor times, except those of juice.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bench.corpus import posts
from bench.timing import machine, median, row
from publisher.digests import render as render_module
from publisher.digests.branding import Branding
from publisher.digests.inline import OPTIONS
from publisher.digests.preflight.message import check_message
from publisher.digests.render import RenderedVariant, RenderJob, render_digest
from publisher.mail import Envelope, build_message
from publisher.model.articles import Article, Author
from publisher.model.digests import Digest
from publisher.settings.theme import ThemeSettings

MOMENT = datetime(2026, 11, 23, 7, tzinfo=UTC)
BRANDING = Branding(
    site="The Bench",
    base_url="https://bench.example",
    description="Measured",
    language="en",
    light=ThemeSettings().light_palette,
    dark=ThemeSettings().dark_palette,
    postal_address="1 Bench Street",
)
ENVELOPE = Envelope(
    sender="The Bench <news@bench.example>",
    reply_to=None,
    list_name="The Daily",
    list_slug="daily",
    subject="Measured",
    date=MOMENT,
    message_key="daily.1",
    unsubscribe=("https://bench.example/leave",),
)
#: One inliner in a process of its own: prints cold and warm seconds, then the resulting page.
PROGRAM = """
import statistics, sys, time
{imports}
page = sys.stdin.read()
def timed():
    began = time.process_time()
    result = {call}
    return time.process_time() - began, result
cold, result = timed()
warm = statistics.median(timed()[0] for _ in range(30))
print(cold, warm)
sys.stdout.write(result)
"""
DEFAULTS = PROGRAM.format(imports="from premailer import Premailer", call="Premailer(page).transform()")
OURS = PROGRAM.format(imports="from publisher.digests.inline import inline_css", call="inline_css(page)")
PLAIN = PROGRAM.format(
    imports="from premailer import Premailer\noptions = eval(sys.argv[1])",
    call="Premailer(page, **options).transform(pretty_print=False)",
)
NODE = Path(__file__).parents[1] / "tests" / "mail" / "node"


def articles(count: int) -> list[Article]:
    """Return articles for a digest."""
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
        for number, post in enumerate(posts(count))
    ]


def timed(function: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    began = time.process_time()
    function()
    return time.process_time() - began


def program(source: str, page: str, *arguments: str) -> tuple[float, float, str]:
    """Return the cold and warm seconds of a program for the page, and its result."""
    shown = subprocess.run(
        [sys.executable, "-c", source, *arguments], input=page, capture_output=True, text=True, check=True
    ).stdout
    figures, _, made = shown.partition("\n")
    cold, warm = map(float, figures.split())
    return cold, warm, made


def juice(page: str) -> tuple[float, float]:
    """Return the cold and warm seconds of juice for the page."""
    if not (NODE / "node_modules").exists():
        sys.exit("this benchmark compares with juice: npm install --prefix tests/mail/node")
    shown = subprocess.run(["node", "juice.mjs"], cwd=NODE, input=page, capture_output=True, text=True, check=True)
    times = json.loads(shown.stdout)
    return times["cold"] / 1000, times["warm"] / 1000


def prepare(theme: str, count: int) -> tuple[Callable[[], RenderedVariant], str]:
    """Return a function that renders a digest, and its page before the style sheets are inlined."""
    from publisher.templating.environment import render_template

    pages: list[str] = []

    def record_page(folder: Path, name: str, values: object) -> str:
        page: str = render_template(folder, name, values)  # type: ignore[arg-type]
        pages.append(page)
        return page

    def render_issue() -> RenderedVariant:
        digest = Digest(slug="d", title="The Daily", template=theme, at_most=count, briefs_after=count)
        return render_digest(
            RenderJob(
                digest=digest, articles=chosen, branding=BRANDING, number=1, moment=MOMENT, templates=Path("/nowhere")
            )
        )

    chosen = articles(count)
    render_module.render_template = record_page  # type: ignore[attr-defined]
    render_issue()
    render_module.render_template = render_template  # type: ignore[attr-defined]
    return render_issue, next(page for page in pages if "<!DOCTYPE" in page)


def compare(theme: str) -> None:
    """Print the times for the page of one theme, of Publisher and its peers."""
    render_issue, page = prepare(theme, 25)
    cold, warm, made = program(OURS, page)
    default_cold, default_warm, _ = program(DEFAULTS, page)
    juice_cold, juice_warm = juice(page)
    same = made == program(PLAIN, page, repr(OPTIONS))[2]
    print(f"{theme}: a page of {len(page) // 1024} KB; bytes are {'identical' if same else 'DIFFERENT'}")
    row("  inlining, warm", warm, default_warm, "premailer")
    row("", warm, juice_warm, "juice")
    row("  inlining, cold", cold, default_cold, "premailer")
    row("", cold, juice_cold, "juice")
    row("  templates, inlining and plain text, warm", median(lambda: timed(render_issue), 30))
    variant = render_issue()
    # Each time another text: the findings of a text are cached.
    messages = iter(
        [build_message(ENVELOPE, text=f"{variant.text}\n{number}\n", html=variant.html) for number in range(11)]
    )
    check_message(next(messages))
    row("  preflight, warm", median(lambda: timed(lambda: check_message(next(messages))), 10))


def compare_with_premailer(theme: str, count: int) -> None:
    """Print the time of a digest with our inliner, and with premailer and the same options in its place."""
    render_issue, page = prepare(theme, count)
    (_, warm, made), (_, plain, expected) = program(OURS, page), program(PLAIN, page, repr(OPTIONS))
    whole = median(lambda: timed(render_issue), 10)
    print(f"{theme}, {count} articles: bytes are {'identical' if made == expected else 'DIFFERENT'}")
    row("  inlining, warm", warm, plain, "premailer alone")
    row("  templates, inlining and plain text, warm", whole, whole - warm + plain, "premailer alone")


def main() -> None:
    print(f"(c) a digest of 25 articles; {machine()}")
    for theme in ("magazine", "brief", "letter"):
        compare(theme)
    for count in (10, 60):
        for theme in ("magazine", "brief", "letter"):
            compare_with_premailer(theme, count)


if __name__ == "__main__":
    main()
