"""Stories are cut until an issue fits its size limit: the last first, and no more than necessary."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.digests.size_limit import delivery_size, fit_to_size
from publisher.digests.story import Extent

FULL, EXCERPT, HEADLINE = Extent.FULL, Extent.EXCERPT, Extent.HEADLINE
#: The size of a story in each extent.
SIZES = {FULL: 10, EXCERPT: 4, HEADLINE: 1}


def size(extents: Sequence[Extent]) -> int:
    return sum(SIZES[extent] for extent in extents)


def fitted(extents: Sequence[Extent], limit: int) -> list[Extent] | None:
    return fit_to_size(extents, list, lambda chosen: size(chosen) <= limit)


@pytest.mark.parametrize(
    ("extents", "limit", "expected"),
    [
        pytest.param([FULL, FULL], 20, [FULL, FULL], id="everything fits"),
        pytest.param([FULL, FULL], 19, [FULL, EXCERPT], id="the last story becomes an excerpt"),
        pytest.param([FULL, FULL], 8, [EXCERPT, EXCERPT], id="all full texts go before an excerpt does"),
        pytest.param([FULL, EXCERPT, FULL], 12, [EXCERPT, EXCERPT, EXCERPT], id="a shorter story between"),
        pytest.param([FULL, FULL], 7, [EXCERPT, HEADLINE], id="then the last excerpt becomes a headline"),
        pytest.param([EXCERPT, EXCERPT, EXCERPT], 3, [HEADLINE] * 3, id="headlines only"),
        pytest.param([EXCERPT, EXCERPT, EXCERPT], 2, [HEADLINE] * 2, id="the last story waits"),
        pytest.param([EXCERPT], 1, [HEADLINE], id="one headline"),
        pytest.param([EXCERPT, FULL], 0, None, id="not even one headline fits"),
    ],
)
def test_stories_are_cut_from_the_last_one_on(extents: list[Extent], limit: int, expected: list[Extent] | None) -> None:
    """Subscribers would lose the lead, or more of the text than Gmail's limit requires."""
    assert fitted(extents, limit) == expected


@given(st.lists(st.sampled_from([EXCERPT, FULL]), min_size=1, max_size=12), st.integers(0, 130))
def test_no_issue_that_fits_is_cut_and_none_exceeds_the_limit(extents: list[Extent], limit: int) -> None:
    """Gmail would clip the issue and hide its unsubscribe link, or a story would be cut for no reason."""
    chosen = fitted(extents, limit)
    if chosen is None:
        assert limit < SIZES[HEADLINE]
        return
    assert size(chosen) <= limit
    assert (chosen == extents) is (size(extents) <= limit)
    assert all(cut <= requested for cut, requested in zip(chosen, extents, strict=False))
    # A headline waits only if all headlines together are too large.
    assert len(chosen) == len(extents) or len(chosen) == limit // SIZES[HEADLINE]
    # An approval renders only the stories that the draft has.
    assert fitted(extents[: len(chosen)], limit) == chosen


def test_a_placeholder_counts_as_long_as_the_value_that_replaces_it() -> None:
    """An issue that fits with placeholders would exceed the limit with the links of a subscriber."""
    assert delivery_size("é") == 2
    assert delivery_size("a\nb\n") == 6
    assert delivery_size("@@unsubscribe.0123456789ab@@") >= 200


def test_the_room_of_an_omitted_story_is_used_as_it_is_without_that_story() -> None:
    """An approval renders only the stories that the draft has, and must give the same bytes."""
    sizes = {FULL: 10, EXCERPT: 4, HEADLINE: 3}

    def fit(extents: Sequence[Extent]) -> list[Extent] | None:
        return fit_to_size(extents, list, lambda chosen: sum(sizes[extent] for extent in chosen) <= 8)

    assert fit([EXCERPT] * 3) == fit([EXCERPT] * 2) == [EXCERPT, EXCERPT]
    assert fit([FULL, FULL, FULL, FULL]) == fit([FULL, FULL]) == [EXCERPT, EXCERPT]
