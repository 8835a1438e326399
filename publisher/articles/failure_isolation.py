"""Go on without the items that fail: articles that cannot be rendered, records that cannot be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError

from publisher.errors import PublisherError, SettingsError, StageError, StoreError, TemplateError
from publisher.failures import Failure, describe_failure, log_failure
from publisher.model.problems import Problem
from publisher.model.report import PublishResult
from publisher.settings import Site

__all__ = ["is_data_error", "render_with_fallback", "report_failure", "split_in_half"]

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: Errors that have another cause than one item: they end the run, or the job, as before.
_NOT_ABOUT_ITEMS = (SettingsError, StoreError, StageError, OSError)


def render_with_fallback(
    render: Callable[[Sequence[_Item]], _Result], items: Sequence[_Item], *, may_be_empty: bool = False
) -> tuple[_Result, list[tuple[_Item, Exception]]]:
    """Return what is rendered of the items, and those that were left out because they fail, with the error.

    An item fails if it cannot be rendered alone. Rendering is only repeated where it failed.

    Args:
        render: the renderer; without side effects.
        items: what it renders together.
        may_be_empty: whether it can render no item at all.

    Raises:
        Exception: the renderer's own, where no item or every item fails.
    """
    try:
        return render(items), []
    except _NOT_ABOUT_ITEMS:
        raise
    except Exception:
        failing = [(item, error) for item in items if (error := _error_of(render, item)) is not None]
        if not failing or (len(failing) == len(items) and not may_be_empty):
            raise
    bad = [item for item, _ in failing]
    return render([item for item in items if item not in bad]), failing


def _error_of(render: Callable[[Sequence[_Item]], object], item: _Item) -> Exception | None:
    try:
        render([item])
    except Exception as error:
        return error
    return None


def report_failure(report: PublishResult, site: Site, where: str, doing: str, error: Exception | Failure) -> None:
    """Add a problem to the report, and the traceback of an unexpected error to the log.

    Args:
        report: the run's.
        site: the settings.
        where: the file, article or digest.
        doing: what was not done, as in "it is left out of the sitemap".
        error: why.
    """
    if isinstance(error, PublisherError) and not isinstance(error, TemplateError):
        reason = str(error)
    else:
        failure = error if isinstance(error, Failure) else describe_failure(error)
        reason = str(error) if isinstance(error, TemplateError) else str(failure)
        log_failure(site.root, report.at, where, failure)
    report.rejected.append(Problem(where=where, is_rejected=True, reason=f"{doing}: {reason}"))


def is_data_error(error: Exception) -> bool:
    """Tell whether an error of a transaction is about what was written, not about the database.

    PostgreSQL and SQLite report a value that they cannot take in these classes; a database that is away, locked
    or full is an ``OperationalError``.
    """
    if isinstance(error, PublisherError):
        return isinstance(error.__cause__, DataError | IntegrityError | InterfaceError | ProgrammingError) or (
            # An index row has a greatest size.
            "index row" in str(error)
        )
    return not isinstance(error, OSError)


def split_in_half(results: Mapping[str, Sequence[_Item]]) -> list[dict[str, list[_Item]]] | None:
    """Return file → records in two parts of about the same size, or None where there is only one record."""
    every = [(name, item) for name, items in results.items() for item in items]
    if len(every) < 2:
        return None
    parts = []
    for part in (every[: len(every) // 2], every[len(every) // 2 :]):
        found: dict[str, list[_Item]] = {}
        for name, item in part:
            found.setdefault(name, []).append(item)
        parts.append(found)
    return parts
