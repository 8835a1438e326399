"""Settings that follow ``publisher.toml`` while a long task runs."""

from __future__ import annotations

from contextlib import suppress

from publisher.errors import PublisherError
from publisher.settings.read import SETTINGS_FILE, read_site
from publisher.settings.site import Site


class RereadSettings:
    """The settings of a task, read again when the file has changed. A file with errors changes nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._signature = self._file_signature()

    def current(self) -> Site:
        """Return the newest valid settings."""
        signature = self._file_signature()
        if signature != self._signature:
            self._signature = signature
            with suppress(PublisherError):
                self._site = read_site(self._site.root)
        return self._site

    def _file_signature(self) -> tuple[int, int, int] | None:
        try:
            status = (self._site.root / SETTINGS_FILE).stat()
        except OSError:
            return None
        return status.st_ino, status.st_size, status.st_mtime_ns
