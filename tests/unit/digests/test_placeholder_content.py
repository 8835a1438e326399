"""The content of an issue that its placeholders are hashed from."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from markupsafe import Markup

from publisher.digests.placeholder_content import placeholder_content
from publisher.digests.story import Notice, Story
from publisher.mail.placeholders import Placeholders

STORY = Story(
    title="Barges “Return”",
    link="https://a.example/1",
    number=1,
    kicker="Water",
    byline="By Ann",
    date="20 November 2026",
    dek="It's high",
    excerpt="",
    body=Markup("<p>a</p>"),
    body_text=("a",),
    references=((2, "https://a.example/2"),),
    minutes=1,
    image=None,
    image_alt="",
    image_credit="",
    image_width=600,
    image_height=None,
    language="en",
    direction="ltr",
    is_brief=False,
    corrections=(("21 November 2026", "n"),),
)
NOTICE = Notice(title="T", link=None, date="21 November 2026", note="n", direction="ltr")
STORY_TEXT = (
    "Story(title='Barges “Return”', link='https://a.example/1', number=1, kicker='Water', byline='By Ann', "
    "date='20 November 2026', dek=\"It's high\", excerpt='', body=Markup('<p>a</p>'), body_text=('a',), "
    "references=((2, 'https://a.example/2'),), minutes=1, image=None, image_alt='', image_credit='', image_width=600, "
    "image_height=None, language='en', direction='ltr', is_brief=False, corrections=(('21 November 2026', 'n'),))"
)


def test_the_content_never_changes_its_notation() -> None:
    """Otherwise an unchanged issue would get other bytes with a new version."""
    notice = "Notice(title='T', link=None, date='21 November 2026', note='n', direction='ltr')"
    assert placeholder_content("S", "P", "<p>N</p>", [NOTICE], (STORY,)) == (
        f"('S', 'P', '<p>N</p>', [{notice}], ({STORY_TEXT},))"
    )
    assert placeholder_content("S", "P", "", [], (STORY, STORY)) == f"('S', 'P', '', [], ({STORY_TEXT}, {STORY_TEXT}))"
    assert Placeholders.of(placeholder_content("S", "P", "", [], (STORY,))).hash == "5d42787a7b87"


@pytest.mark.parametrize("record", [STORY, NOTICE], ids=["story", "notice"])
def test_every_field_is_part_of_the_content(record: Any) -> None:
    """Two issues that differ in anything that a template can show have different placeholders."""
    for field in fields(record):
        changed = replace(record, **{field.name: "something else"})
        before, after = (
            placeholder_content("S", "P", "", *(([one], ()) if isinstance(one, Notice) else ([], (one,))))
            for one in (record, changed)
        )
        assert before != after, field.name
