"""Sample issues of every theme."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from publisher.digests.branding import Branding
from publisher.digests.render import RenderedVariant, RenderJob, render_digest
from publisher.digests.story import Notice
from publisher.html.sanitize import paragraphs_to_html
from publisher.mail import Envelope, build_message
from publisher.mail.placeholders import fill_placeholders
from publisher.model.articles import Article, Author, Correction, Image
from publisher.model.digests import Digest
from publisher.model.taxonomy import FacetKind
from publisher.settings.theme import ThemeSettings

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
THEMES = ("magazine", "brief", "letter")
BRANDING = Branding(
    site="The Review",
    base_url="https://review.example",
    description="All about it",
    language="en",
    light=ThemeSettings().light_palette,
    dark=ThemeSettings().dark_palette,
    footer=("Printed on no paper.",),
    postal_address="1 Quay, Bristol",
    has_preferences=True,
    has_web_view=True,
)
DIGEST = Digest(slug="daily", title="The Daily & Co", at_most=25, briefs_after=5, group_by=FacetKind.TOPIC)
ENVELOPE = Envelope(
    sender="The Review <news@review.example>",
    reply_to=None,
    list_name="The Daily & Co",
    list_slug="daily",
    subject="Fourteen cables, and no owner",
    date=NOW,
    message_key="daily.20261123T0700Z",
    unsubscribe=("https://review.example/leave", "mailto:news@review.example?subject=unsubscribe"),
    one_click=True,
    help="https://review.example/",
)
PUBLIC = {
    "address": "the readers of The Daily & Co",
    "unsubscribe": "https://review.example/leave",
    "preferences": "https://review.example/preferences",
    "web_view": "https://review.example/issues/daily/1/",
}
_BODY = """<p>The river carries <a href="/map/%s">less water at gauge %s</a> than it did, and <em>nobody</em> says so aloud.</p>
<h2>What the gauges say</h2><ul><li>Four of nine are dry.</li><li>Two were moved.</li></ul>
<blockquote><p>We measure what is left.</p></blockquote>
<table><thead><tr><th>Year</th><th>Metres</th></tr></thead><tbody><tr><td>2024</td><td>3.1</td></tr></tbody></table>
<figure><img src="/gauge.jpg" alt="A gauge above dry stones" width="1600" height="900"><figcaption>The gauge.</figcaption></figure>"""


def article(number: int, **fields: Any) -> Article:
    """Return an article; every third one has an image."""
    image = Image(url=f"/{number}.jpg", alt=f"Boats {number}", credit="Ana Lima", width=1200, height=675)
    return Article(
        **{
            "title": f"The river gauge that nobody reads, part {number}",
            "date": date(2026, 11, 20),
            "dek": f"A summary of part {number} that says what is in it, and not too much of it",
            "body": _BODY.replace("%s", str(number))
            + paragraphs_to_html([f"Paragraph {number} goes on for a while. " * 12] * 3),
            "topic": ("Water", "Trade", "Security")[number % 3],
            "region": "Asia",
            "authors": (Author(name=f"Ann Lee{number}"), Author(name="Bo Chen")),
            "image": image if number % 3 == 1 else None,
            "id": f"urn:{number}",
            "seq": number,
            "link": f"https://review.example/{number}?a=1&b=2",
            "published": NOW,
            "changed": NOW,
            "corrections": (Correction(at=NOW, note="It was four, not five."),) if number == 2 else (),
            **fields,
        }
    )


def articles(count: int = 8) -> list[Article]:
    """Return articles, one of them in Arabic."""
    arabic = article(4, title="رغيف القاهرة الجديد", dek="كيف غيّرت المخابز خريطة الدعم", language="ar")
    return [arabic if number == 4 else article(number) for number in range(1, count + 1)]


def issue(theme: str = "magazine", some: list[Article] | None = None, **fields: Any) -> RenderedVariant:
    """Return an issue with placeholders; ``fields`` are fields of the digest."""
    job = RenderJob(
        digest=replace(DIGEST, template=theme, **fields),
        articles=articles() if some is None else some,
        branding=BRANDING,
        number=3,
        moment=NOW,
        templates=Path("/nowhere"),
        note='<p class="text ink">Good <strong>morning</strong>, <a class="link accent" href="https://review.example/s">read on</a>.</p>',
        notices=[
            Notice(
                title="An older one",
                link="https://review.example/o",
                date="21 November 2026",
                note="No.",
                direction="ltr",
            ),
            Notice(title="Gone", link=None, date="21 November 2026", note="Made up.", direction="ltr"),
        ],
    )
    return render_digest(job)


def public(variant: RenderedVariant) -> tuple[str, str]:
    """Return the HTML and the plain text with the public values of the placeholders."""
    return fill_placeholders(variant.html, variant.placeholders, PUBLIC, escape=True), fill_placeholders(
        variant.text, variant.placeholders, PUBLIC, escape=False
    )


def message(html: str, text: str, **fields: Any) -> bytes:
    """Return the message; ``fields`` are fields of the envelope."""
    return build_message(replace(ENVELOPE, **fields), text=text, html=html)
