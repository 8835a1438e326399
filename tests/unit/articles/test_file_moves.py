"""Former names of files that were moved into or out of a drafts folder."""

from __future__ import annotations

import pytest

from publisher.articles.moves import FileMoves


@pytest.mark.parametrize(
    ("gone", "name", "expected"),
    [
        (["one.md"], "_drafts/one.md", ["one.md"]),
        (["_posts/2026-01-05-one.md"], "_drafts/one.md", ["_posts/2026-01-05-one.md"]),
        (["_drafts/one.md"], "_posts/2026-01-05-one.markdown", ["_drafts/one.md"]),
        (["a/one.md", "b/one.md"], "a/_drafts/one.md", ["a/one.md"]),
        (["a/one.md", "b/one.md"], "_drafts/one.md", ["a/one.md", "b/one.md"]),
        (["boats/index.md", "cars/index.md"], "_drafts/boats/index.md", ["boats/index.md"]),
        (["cars/index.md"], "_drafts/boats/index.md", ["boats/index.md", "_posts/boats/index.md"]),
        (["one.md"], "two/one.md", []),
        (["one.md"], "_drafts/two.md", ["two.md", "_posts/two.md"]),
        ([], "a/_drafts/b/two.md", ["a/b/two.md", "a/_posts/b/two.md"]),
        ([], "two.md", []),
    ],
)
def test_the_former_name_of_a_file_is_found(gone: list[str], name: str, expected: list[str]) -> None:
    """State folders, dates and suffixes are ignored; the longest common path wins."""
    assert FileMoves(gone).before(name) == expected
