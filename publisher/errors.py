"""Exceptions that the publisher raises.

::

    PublisherError                 exit status 3: the run failed
    ├── SettingsError              exit status 2: publisher.toml or the command line is invalid
    │   ├── ExtraMissing           a package of an extra of pyproject.toml is not installed
    │   ├── SendingBlocked         placeholder values would reach real people
    │   └── IssueHeld              an approved issue must not be sent as it is
    ├── StoreError                 the database cannot be opened, read or written
    │   ├── SchemaTooNew           the database was upgraded by a newer publisher
    │   ├── StoreBusy              another run or process held a lock until the timeout
    │   └── SlotLost               another runner took over a claimed slot
    ├── StageError                 a file cannot be written to feeds/ or outbox/
    ├── TemplateError              a template is missing or invalid
    ├── BrowserMissing             Chromium or Playwright is not installed
    ├── RemoteError                another server did not answer, or sent an invalid answer
    └── InvalidRecord              one record is rejected; the run continues

Modules that use a library translate its exceptions into these. A message names the thing,
the problem and the fix.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class PublisherError(Exception):
    """Base class. ``exit_status`` is the exit status of the command line."""

    exit_status = 3


class SettingsError(PublisherError):
    """The settings or the command line are invalid; nothing was changed."""

    exit_status = 2


class ExtraMissing(SettingsError):
    """A package of an extra is not installed."""


@contextmanager
def extra_needed(extra: str, thing: str) -> Iterator[None]:
    """Report a package that cannot be imported inside the block.

    Args:
        extra: the extra of ``pyproject.toml`` that has the package.
        thing: what needs it, for the message.

    Raises:
        ExtraMissing: a package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "publisher":
            raise
        package = error.name.partition(".")[0]
        raise ExtraMissing(
            f"{thing} needs the package {package}, which is not installed. Run: pip install 'publisher[{extra}]'"
        ) from error


class SendingBlocked(SettingsError):
    """Placeholder values would reach real people. ``blockers`` has each with its fix."""

    def __init__(self, summary: str, blockers: Sequence[object]) -> None:
        super().__init__(f"{summary}:\n" + "\n".join(f"  {blocker}" for blocker in blockers))
        self.blockers = tuple(str(blocker) for blocker in blockers)


class IssueHeld(SettingsError):
    """An approved issue must not be sent as it is, with the reason and the fix."""


class StoreError(PublisherError):
    """The database cannot be opened, read or written."""


class SchemaTooNew(StoreError):
    """The database was upgraded by a newer version of the publisher."""


class StoreBusy(StoreError):
    """Another run locked the site, or another process the database, until the timeout."""


class SlotLost(StoreError):
    """The lease of a claimed slot expired, and another runner took it over."""


class StageError(PublisherError):
    """A file cannot be staged. The files that were staged before are unchanged."""


class TemplateError(PublisherError):
    """A template is missing, has a syntax error, or uses an undefined name."""


class BrowserMissing(PublisherError):
    """Chromium or Playwright is not installed, or does not start."""


class RemoteError(PublisherError):
    """Another server did not answer correctly; ``is_final`` if a retry cannot help."""

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class InvalidRecord(PublisherError):
    """One record cannot become an article. ``where`` is its file and line."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason
