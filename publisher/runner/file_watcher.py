"""Looks out for changes in articles/, and tells of them at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from publisher.runner.logs import Log

__all__ = ["FileWatcher"]

#: Milliseconds between two looks, and for which changes that come together are taken together.
_STEP, _TOGETHER = 100, 400
#: Seconds after which a folder that cannot be watched is tried again.
_AGAIN = 30.0


class FileWatcher:
    """A thread that watches one folder and what is below it."""

    def __init__(self, folder: Path, on_change: Callable[[], None], log: Log) -> None:
        self.folder = folder
        self._on_change = on_change
        self._log = log
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()
        self._thread.join(5)

    def _run(self) -> None:
        from watchfiles import watch

        while not self._is_over.is_set():
            try:
                for _ in watch(
                    self.folder,
                    watch_filter=None,
                    debounce=_TOGETHER,
                    step=_STEP,
                    stop_event=self._is_over,
                    raise_interrupt=False,
                ):
                    self._on_change()
            except Exception as error:
                # Changes are found by the cadence too, only later.
                self._log.warning(
                    "folder not watched", folder=str(self.folder), reason=str(error), retry_in=int(_AGAIN)
                )
                self._is_over.wait(_AGAIN)
