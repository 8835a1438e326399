"""Shorten an issue until its HTML fits the size limit: Gmail clips messages at 102 KB. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

from publisher.digests.story import Extent
from publisher.mail.placeholders import placeholders_in
from publisher.model.digests import MAX_HTML_KIB

MAX_HTML_BYTES: Final = MAX_HTML_KIB * 1024
#: Bytes by which a value, a signed URL, may be longer than its placeholder.
_PLACEHOLDER_GROWTH_BYTES: Final = 200

_Rendered = TypeVar("_Rendered")


def delivery_size(html: str) -> int:
    """Return the maximum size of a delivery's HTML, in bytes, when its placeholders are filled.

    Lines of a message end with CRLF, so each line break counts twice.
    """
    return len(html.encode()) + html.count("\n") + _PLACEHOLDER_GROWTH_BYTES * len(placeholders_in(html))


def fit_to_size(
    extents: Sequence[Extent], render: Callable[[Sequence[Extent]], _Rendered], fits: Callable[[_Rendered], bool]
) -> _Rendered | None:
    """Return the first rendering that fits, with as few cuts as possible.

    Stories are shortened from the last to the first: full texts to excerpts, then to headlines. If that is not
    sufficient, the last stories are omitted. The stories that are left are shown in the same way without the omitted ones.

    Args:
        extents: how much of each story is shown if everything fits.
        render: renders the first stories, each to the extent that it is given.
        fits: whether a rendering is small enough.

    Returns:
        None if not even one story fits.
    """

    @lru_cache(maxsize=2)
    def attempt(cuts: int) -> tuple[_Rendered, bool]:
        rendered = render(_shorten(extents, cuts))
        return rendered, fits(rendered)

    rendered, is_small_enough = attempt(0)
    if is_small_enough:
        return rendered
    cuts = _smallest(lambda count: attempt(count)[1], sum(extents))
    if cuts is not None:
        return attempt(cuts)[0]
    headlines = [Extent.HEADLINE] * len(extents)
    # Omit the smallest number of stories that makes the issue fit.
    left_out = _smallest(lambda count: fits(render(headlines[: len(headlines) - count])), len(headlines) - 1)
    # The rest may have room for more than headlines. The stories that are left give the same result by themselves.
    return None if left_out is None else fit_to_size(extents[: len(extents) - left_out], render, fits)


def _shorten(extents: Sequence[Extent], cuts: int) -> list[Extent]:
    """Shorten by CUTS steps: first all full texts to excerpts, the last first, then all to titles."""
    shortened = list(extents)
    for least in (Extent.EXCERPT, Extent.HEADLINE):
        for index in reversed(range(len(shortened))):
            if cuts and shortened[index] > least:
                shortened[index] = Extent(shortened[index] - 1)
                cuts -= 1
    return shortened


def _smallest(holds: Callable[[int], bool], most: int) -> int | None:
    """Return the smallest number from 1 to MOST for which the monotonic function HOLDS is true, or None."""
    if most < 1 or not holds(most):
        return None
    return bisect_left(range(most), True, lo=1, key=holds)
