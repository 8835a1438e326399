"""The progress of long work on standard error."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from typing import Final, Self

import click

#: Progress is shown after this time.
_QUIET_SECONDS: Final = 2.0
#: Interval of progress lines without a terminal.
LINE_SECONDS: Final = 5.0
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


class ProgressDisplay:
    """The base of progress on standard error: a line with a bar on a terminal, plain lines otherwise."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, terminal: bool | None = None) -> None:
        self._clock = clock
        self._terminal = sys.stderr.isatty() if terminal is None else terminal
        self._started = self._printed_at = clock()
        #: The label of the line on the terminal, and when it was drawn.
        self._label = ""
        self._drawn_at = float("-inf")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Erase the line on the terminal if there is one."""
        if self._drawn_at > float("-inf"):
            click.echo(_ERASE, nl=False, err=True, color=True)

    def draw(self, label: str, done: int, total: int, text: str) -> None:
        """Replace the line on the terminal, unless one with this label was drawn a moment ago.

        A total of 0 is unknown, and shows no bar.
        """
        now = self._clock()
        if label == self._label and now - self._drawn_at < _REDRAW_SECONDS:
            return
        self._label, self._drawn_at = label, now
        # A line that wraps cannot be erased.
        width = shutil.get_terminal_size().columns - 1
        before = f"{label} " if label else ""
        bar = _bar(min(done / total, 1.0), width - len(before) - len(text)) if total else ""
        click.echo(f"{_ERASE}{f'{before}{bar}{text}'[:width]}", nl=False, err=True, color=True)


class ProgressLine(ProgressDisplay):
    """Progress of long work. Work that is done within two seconds shows nothing."""

    def __call__(self, label: str, done: int, total: int) -> None:
        """Show that ``done`` of ``total`` items are done; 0 is an unknown total."""
        now = self._clock()
        if now - self._started < _QUIET_SECONDS:
            return
        count = f"{done:,}" + (f" of {total:,}" if total else "")
        if self._terminal:
            self.draw(label, done, total, count)
        elif now - self._printed_at >= LINE_SECONDS or (done == total and self._printed_at > self._started):
            self._printed_at = now
            click.echo(f"{label}: {count}", err=True)
