"""Scale the number of examples of a property test with the Hypothesis profile."""

from __future__ import annotations

from hypothesis import settings


def examples(count: int) -> int:
    """Return ``count`` in the profile ``ci``, and the same share of it that the profile in force has (at least 3)."""
    return max(3, count * settings.default.max_examples // settings.get_profile("ci").max_examples)
