"""Watch articles/ for changes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from publisher.runner.logs import Log

#: Milliseconds between two checks, and for which changes are collected into one call.
_STEP_MS, _DEBOUNCE_MS = 100, 400
#: Pause after a folder could not be watched.
_RETRY_SECONDS = 30.0


class FileWatcher:
    """A thread that watches a folder and its subfolders, and calls a function after changes."""

    def __init__(self, folder: Path, on_change: Callable[[], None], log: Log) -> None:
        self.folder = folder
        self._on_change = on_change
        self._log = log
        self._is_stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread."""
        self._is_stopped.set()
        self._thread.join(5)

    def _run(self) -> None:
        from watchfiles import watch

        while not self._is_stopped.is_set():
            try:
                for _ in watch(
                    self.folder,
                    watch_filter=None,
                    debounce=_DEBOUNCE_MS,
                    step=_STEP_MS,
                    stop_event=self._is_stopped,
                    raise_interrupt=False,
                ):
                    self._on_change()
            except Exception as error:
                # The publish job reads articles/ at its next scheduled run as well.
                self._log.warning(
                    "folder not watched", folder=str(self.folder), reason=str(error), retry_in=int(_RETRY_SECONDS)
                )
                self._is_stopped.wait(_RETRY_SECONDS)
