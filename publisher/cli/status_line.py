"""One line of a terminal that shows the progress of the work and is erased at its end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Final

import click

__all__ = ["StatusLine", "progress_bar"]

_BAR_WIDTH: Final = 30
#: The line is written again after this time at the earliest.
_REDRAW_SECONDS: Final = 0.1
_ERASE: Final = "\r\x1b[2K"


def progress_bar(done: int, total: int) -> str:
    """Return ``[######----] 60%``; an empty text for an unknown total, which is 0."""
    if total <= 0:
        return ""
    share = min(done / total, 1.0)
    filled = int(share * _BAR_WIDTH)
    return f"[{'#' * filled}{'-' * (_BAR_WIDTH - filled)}] {share:4.0%}"


class StatusLine:
    """The last line of standard error on a terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written_at = float("-inf")
        self._label = ""

    def show(self, label: str, text: str) -> None:
        """Replace the line, unless the same label was written a moment ago."""
        now = self._clock()
        if label == self._label and now - self._written_at < _REDRAW_SECONDS:
            return
        self._label, self._written_at = label, now
        # A line that wraps cannot be erased.
        width = shutil.get_terminal_size().columns - 1
        click.echo(f"{_ERASE}{f'{label} {text}'.strip()[:width]}", nl=False, err=True, color=True)

    def close(self) -> None:
        """Erase the line if there is one."""
        if self._written_at > float("-inf"):
            click.echo(_ERASE, nl=False, err=True, color=True)
