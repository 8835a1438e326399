"""Find files with personal data or secrets that other users of the machine may read."""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from publisher.delivery.senders import LOCK_FOLDER
from publisher.failures import LOG_FILE
from publisher.mail.mailboxes import UNREADABLE_FOLDER
from publisher.model.result import Result
from publisher.schedule.processes import RUNNERS_FOLDER
from publisher.settings import Site
from publisher.signing.site_key import KEY_FILE
from publisher.storage.failures import database_path
from publisher.storage.process_lock import LOCK_FILE


@dataclass(frozen=True, slots=True, kw_only=True)
class ExposedPath(Result):
    """A file or folder that other users may read."""

    path: Path
    mode: int

    @property
    def fix(self) -> str:
        """The command that removes the permission."""
        option = "-R " if self.path.is_dir() else ""
        return f"chmod {option}o-rwx {shlex.quote(str(self.path))}"

    def as_dict(self) -> dict[str, Any]:
        """Return the path for JSON output."""
        return {"path": str(self.path), "mode": f"{self.mode:04o}", "fix": self.fix}


def find_exposed_paths(site: Site) -> list[ExposedPath]:
    """Return the private files and folders that users other than owner and group may read.

    Group permissions are not reported: a service often shares its group with a backup. Nothing is reported below a
    folder that other users cannot enter.
    """
    exposed = []
    for path in _private(site):
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
            is_hidden = any(not parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
        except OSError:
            continue
        if mode & 0o007 and not is_hidden:
            exposed.append(ExposedPath(path=path, mode=mode))
    return exposed


def log_exposed_paths(site: Site, log: Any) -> None:
    """Log each private file that other users may read, with the command that fixes it."""
    for exposed in find_exposed_paths(site):
        log.warning("private file is readable", **exposed.as_dict())


def _private(site: Site) -> Iterator[Path]:
    database = database_path(site.database_url)
    if database is not None:
        yield from (database.with_name(f"{database.name}{suffix}") for suffix in ("", "-wal", "-shm"))
    names = (KEY_FILE, LOCK_FILE, LOG_FILE, f"{LOG_FILE}.1", RUNNERS_FOLDER, LOCK_FOLDER, UNREADABLE_FOLDER)
    yield from (site.root / name for name in names)
    yield site.outbox_dir
    if not site.maildir.is_relative_to(site.outbox_dir):
        yield site.maildir
