"""Findings carry the article whose story they are in."""

from __future__ import annotations

import pytest

from publisher.digests.preflight.html_part import check_html

FIRST, SECOND = "https://a.example/2026/first", "https://a.example/2026/second"
STORIES = {FIRST: ("first",), SECOND: ("second",)}
ALT = '<img src="https://a.example/{}.png" width="9">'


def page(*parts: str) -> str:
    rows = "".join(f"<tr><td>{part}</td></tr>" for part in parts)
    return (
        f"<html><body><p><a href='https://a.example/u'>Unsubscribe</a></p><table>{rows}</table>"
        "<p><a href='https://a.example/u'>Unsubscribe</a></p><address>1 Street</address></body></html>"
    )


def owners(source: str, rule: str = "image-alt") -> list[tuple[str, ...]]:
    return [found.article for found in check_html(source, STORIES) if found.id == rule]


def story(url: str, more: str = "") -> str:
    return f'<h2><a href="{url}">Title</a></h2>{more}'


def test_a_finding_in_a_story_has_its_article() -> None:
    """Silencing a rule for one article would otherwise hide the fault of the article beside it."""
    source = page(story(FIRST, ALT.format(1)), story(SECOND, ALT.format(2)))
    assert owners(source) == [("first",), ("second",)]


def test_a_picture_in_a_row_of_its_own_belongs_to_the_article_that_it_links_to() -> None:
    """The lead of the magazine theme has its picture above its text."""
    picture = f'<a href="{FIRST}">{ALT.format(1)}</a>'
    assert owners(page(picture, story(FIRST), story(SECOND))) == [("first",)]


@pytest.mark.parametrize("head", ["<h1>The Review</h1>", "<a href='https://a.example/u'>Unsubscribe</a>"])
def test_the_head_of_an_issue_belongs_to_no_article(head: str) -> None:
    """An issue of one article would otherwise hide faults of the template with those of the article."""
    source = page(f"{head}{ALT.format(0)}", story(FIRST, ALT.format(1)))
    assert owners(source) == [(), ("first",)]
    assert owners(source.replace("<body>", f"<body>{ALT.format(9)}")) == [(), (), ("first",)]


def test_a_fault_in_two_stories_is_found_in_both() -> None:
    """Faults that are reported once an issue would be hidden by the silence for the first article."""
    faint, flex = '<p style="color:#cccccc; background-color:#ffffff">faint</p>', '<p style="display:flex">x</p>'
    source = page(story(FIRST, faint + flex), story(SECOND, faint + flex))
    assert owners(source, "contrast") == owners(source, "client-support") == [("first",), ("second",)]


def test_a_fault_in_many_stories_is_reported_once_where_no_setting_names_an_article() -> None:
    """An editor would get the same fault of the template once for each article."""
    faint = '<p style="color:#cccccc; background-color:#ffffff">faint</p>'
    source = page(story(FIRST, faint), story(SECOND, faint))
    unnamed = {FIRST: (), SECOND: ()}
    assert [found.article for found in check_html(source, unnamed) if found.id == "contrast"] == [()]
    named = {FIRST: (), SECOND: ("second",)}
    assert [found.article for found in check_html(source, named) if found.id == "contrast"] == [(), ("second",)]
