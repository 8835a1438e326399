"""Settings that follow ``publisher.toml`` while a long task runs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from publisher.errors import PublisherError
from publisher.settings.read import SETTINGS_FILE, read_site
from publisher.settings.site import Site


def settings_signature(root: Path) -> tuple[int, int, int] | None:
    """Return a value that changes with the settings file of a site; None if there is no such file."""
    try:
        status = (root / SETTINGS_FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class RereadSettings:
    """The settings of a task, read again when the file has changed. A file with errors changes nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._signature = settings_signature(site.root)

    def current(self) -> Site:
        """Return the newest valid settings."""
        signature = settings_signature(self._site.root)
        if signature != self._signature:
            self._signature = signature
            with suppress(PublisherError):
                self._site = read_site(self._site.root)
        return self._site
