"""Every error that the publisher raises on purpose.

::

    PublisherError                 exit status 3: the run failed
    ├── SettingsError              exit status 2: publisher.toml or the command line is wrong
    │   └── SendingBlocked         placeholder values would reach real people
    ├── StoreError                 the database cannot be used
    │   ├── SchemaTooNew           a newer publisher has been at this database
    │   ├── StoreBusy              others hold the site or the database, and did not finish in time
    │   └── SlotLost               another runner has taken a slot over
    ├── StageError                 a file cannot be written into feeds/ or outbox/
    ├── TemplateError              a template is missing or broken
    ├── BrowserMissing             there is no Chromium to look with, or nothing to drive it
    ├── RemoteError                another server does not answer, or not as it should
    └── InvalidRecord              one record is set aside by name; the others go on

Libraries' errors are translated into these where they enter. A message says what, where
and what to do about it, in one sentence that a person can act on.
"""

from collections.abc import Sequence

__all__ = [
    "BrowserMissing",
    "InvalidRecord",
    "PublisherError",
    "RemoteError",
    "SchemaTooNew",
    "SendingBlocked",
    "SettingsError",
    "SlotLost",
    "StageError",
    "StoreBusy",
    "StoreError",
    "TemplateError",
]


class PublisherError(Exception):
    """The root of the tree. ``exit_status`` is what the command line ends with."""

    exit_status = 3


class SettingsError(PublisherError):
    """The settings or the command line cannot be used; nothing was done."""

    exit_status = 2


class SendingBlocked(SettingsError):
    """Placeholder values would reach real people. ``blockers`` names each one with its fix; nothing was sent."""

    def __init__(self, summary: str, blockers: Sequence[object]) -> None:
        super().__init__(f"{summary}:\n" + "\n".join(f"  {one}" for one in blockers))
        self.blockers = tuple(str(one) for one in blockers)


class StoreError(PublisherError):
    """The database cannot be opened, read or written."""


class SchemaTooNew(StoreError):
    """The database was upgraded by a newer publisher than this one."""


class StoreBusy(StoreError):
    """Another run holds the site, or another process the database, and did not finish within the time allowed."""


class SlotLost(StoreError):
    """A slot that was begun is another runner's: this one was asleep for too long. Nothing of its work is kept."""


class StageError(PublisherError):
    """A file cannot be staged. What was staged before is still there, whole."""


class TemplateError(PublisherError):
    """A template is missing, does not parse, or asks for a name that is not there."""


class BrowserMissing(PublisherError):
    """There is no Chromium, or no Playwright to drive it."""


class RemoteError(PublisherError):
    """Another server does not answer, or answers without an end; ``is_final`` where it is no use to ask again."""

    def __init__(self, words: str, *, is_final: bool = False) -> None:
        super().__init__(words)
        self.is_final = is_final


class InvalidRecord(PublisherError):
    """One record cannot become an article. ``where`` is its file (and line), ``reason`` why."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason
