"""One line of a terminal that shows the progress of the work and is erased at its end."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Final

import click

#: The widest and the narrowest bar; a terminal that has no room for it gets none.
_MAX_BAR: Final = 30
_MIN_BAR: Final = 5
#: A line with the same label is written again after this time at the earliest.
_REDRAW_SECONDS: Final = 0.1
_ERASE: Final = "\r\x1b[2K"


def _bar(share: float, room: int) -> str:
    """Return ``[######----]  60% `` in at most ROOM columns; an empty text if they are too few."""
    width = min(room - len("[] 100% "), _MAX_BAR)
    if width < _MIN_BAR:
        return ""
    filled = int(share * width)
    return f"[{'#' * filled}{'-' * (width - filled)}] {share:4.0%} "


class StatusLine:
    """The last line of standard error on a terminal."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._written_at = float("-inf")
        self._label = ""

    def show(self, label: str, done: int, total: int, text: str) -> None:
        """Replace the line, unless a line with this label was written a moment ago.

        A total of 0 is unknown, and shows no bar.
        """
        now = self._clock()
        if label == self._label and now - self._written_at < _REDRAW_SECONDS:
            return
        self._label, self._written_at = label, now
        # A line that wraps cannot be erased.
        width = shutil.get_terminal_size().columns - 1
        before = f"{label} " if label else ""
        bar = _bar(min(done / total, 1.0), width - len(before) - len(text)) if total else ""
        click.echo(f"{_ERASE}{f'{before}{bar}{text}'[:width]}", nl=False, err=True, color=True)

    def close(self) -> None:
        """Erase the line if there is one."""
        if self._written_at > float("-inf"):
            click.echo(_ERASE, nl=False, err=True, color=True)
