"""Unexpected errors: a short reference to print, and the traceback for the log."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: In the folder of publisher.toml, with mode 0600, because a traceback may quote an article.
LOG_FILE: Final = ".publish.errors.log"
#: A log larger than this becomes ``.publish.errors.log.1``.
_MAX_LOG_BYTES: Final = 1_000_000
_MAX_TRACEBACK: Final = 20_000

_log = logging.getLogger("publisher.failures")
# Without a handler of its own, logging prints to standard error.
logging.getLogger("publisher").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An unexpected error."""

    #: The same for errors that were raised at the same place in the code.
    reference: str
    #: The type and message of the error, on one line.
    summary: str
    traceback: str

    def __str__(self) -> str:
        """Return the summary, the reference and the name of the log file."""
        return f"{self.summary} (reference {self.reference} in {LOG_FILE})"


def describe_failure(error: BaseException) -> Failure:
    """Return the reference, the summary and the traceback of an error."""
    frames = traceback.extract_tb(error.__traceback__)[-50:]
    place = "\n".join(f"{Path(frame.filename).name} {frame.name}" for frame in frames)
    words = " ".join(str(error).split())[:200]
    name = type(error).__name__
    return Failure(
        reference=hashlib.sha256(f"{name}\n{place}".encode()).hexdigest()[:8],
        summary=f"{name}: {words}" if words else name,
        traceback="".join(traceback.format_exception(error, limit=-50))[-_MAX_TRACEBACK:],
    )


def log_failure(root: Path, at: str, where: str, failure: Failure) -> None:
    """Write a failure to the log of the process and to the log file of the site.

    Args:
        at: the time of the run, ISO 8601.
        where: the file, article or digest that failed.
    """
    _log.error("%s: %s\n%s", where, failure, failure.traceback)
    text = f"{at} {failure.reference} {where}\n{failure.traceback}\n"
    path = root / LOG_FILE
    # A log that cannot be written must not stop the run.
    with contextlib.suppress(OSError):
        if path.exists() and path.stat().st_size > _MAX_LOG_BYTES:
            path.replace(path.with_name(LOG_FILE + ".1"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
