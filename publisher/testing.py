"""For tests of programs that use ``publisher``: a fixed clock."""

from publisher.clock import FixedClock

__all__ = ["FixedClock"]
