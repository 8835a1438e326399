"""How much of an article an issue shows, by its layout: `publisher.digests.story`."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from publisher.digests.branding import Branding
from publisher.digests.story import BRIEF, LEAD, STORY, Extent, Layout, make_story
from publisher.html.colour import Palette
from publisher.model.articles import Article, Image

_COLOURS = Palette(
    page="#ffffff",
    card="#ffffff",
    ink="#000000",
    soft="#000000",
    muted="#000000",
    rule="#000000",
    accent="#000000",
)
BRANDING = Branding(
    site="Review", base_url="https://review.example", description="", language="en", light=_COLOURS, dark=_COLOURS
)
FULL, EXCERPT, HEADLINE = Extent.FULL, Extent.EXCERPT, Extent.HEADLINE


def article(dek: str | None) -> Article:
    return Article(
        seq=1,
        id="urn:uuid:1",
        link="https://review.example/a",
        title="Title",
        date=datetime(2026, 11, 23, tzinfo=UTC),
        dek=dek,
        body="<p>" + "word " * 300 + "</p>",
        published=datetime(2026, 11, 23, tzinfo=UTC),
        changed=datetime(2026, 11, 23, tzinfo=UTC),
        image=Image(url="/a.jpg", width=1200, height=600),
    )


@pytest.mark.parametrize(
    ("layout", "extent", "dek_words", "shown"),
    [
        # words of the dek and of the excerpt that are shown, and whether the full text is
        (LEAD, FULL, 100, (90, 0, True)),
        (STORY, FULL, 100, (90, 0, True)),
        (BRIEF, FULL, 100, (24, 0, False)),
        (BRIEF, FULL, 0, (0, 24, False)),
        (LEAD, EXCERPT, 100, (90, 70, False)),
        (LEAD, EXCERPT, 0, (0, 70, False)),
        (STORY, EXCERPT, 100, (90, 0, False)),
        (STORY, EXCERPT, 0, (0, 32, False)),
        (LEAD, HEADLINE, 100, (0, 0, False)),
        (BRIEF, HEADLINE, 0, (0, 0, False)),
    ],
)
def test_a_layout_shows_so_much_of_an_article(
    layout: Layout, extent: Extent, dek_words: int, shown: tuple[int, int, bool]
) -> None:
    """An issue that shows more than its layout allows is clipped by Gmail."""
    source = article("dek " * dek_words if dek_words else None)
    story = make_story(source, number=1, layout=layout, extent=extent, branding=BRANDING, utm=())
    assert (len(story.dek.split()), len(story.excerpt.split()), bool(story.body)) == shown
    assert story.is_brief is (layout is BRIEF)


@pytest.mark.parametrize(("layout", "size"), [(LEAD, (600, 300)), (STORY, (160, 80)), (BRIEF, (160, 80))])
def test_the_image_of_the_lead_is_as_wide_as_the_issue(layout: Layout, size: tuple[int, int]) -> None:
    """The others are beside the text; the height follows the picture."""
    story = make_story(article(None), number=1, layout=layout, extent=EXCERPT, branding=BRANDING, utm=())
    assert (story.image_width, story.image_height) == size
