"""What time it is, for what runs by itself; a test's clock may go faster."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """The clock of this machine."""

    def now(self) -> datetime:
        """Return what time it is, in UTC."""
        return datetime.now(UTC)

    def seconds(self, span: timedelta) -> float:
        """Return how many seconds to wait until this clock has moved on by ``span``."""
        return span.total_seconds()
