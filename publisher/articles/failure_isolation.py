"""Continue without failing items: articles that cannot be rendered, records that cannot be stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TypeVar

from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, ProgrammingError

from publisher.context import Context
from publisher.errors import PublisherError, SettingsError, StageError, StoreError, TemplateError
from publisher.failures import Failure, describe_failure, log_failure
from publisher.model.problems import Problem

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")

#: Errors that no single item causes: they end the run or the job.
_NOT_ABOUT_ITEMS = (SettingsError, StoreError, StageError, OSError)


def render_with_fallback(
    render: Callable[[Sequence[_Item]], _Result], items: Sequence[_Item], *, may_be_empty: bool = False
) -> tuple[_Result, list[tuple[_Item, Exception]]]:
    """Render items together without the failing ones; return the result and the failures.

    An item fails if it cannot be rendered alone. Items are rendered alone only after an error.

    Args:
        render: a function without side effects.
        may_be_empty: whether RENDER accepts an empty list.

    Raises:
        Exception: the error of RENDER, if no item or every item fails.
    """
    try:
        return render(items), []
    except _NOT_ABOUT_ITEMS:
        raise
    except Exception:
        failing = [(item, error) for item in items if (error := _render_error(render, item)) is not None]
        if not failing or (len(failing) == len(items) and not may_be_empty):
            raise
    bad = [item for item, _ in failing]
    return render([item for item in items if item not in bad]), failing


def _render_error(render: Callable[[Sequence[_Item]], object], item: _Item) -> Exception | None:
    try:
        render([item])
    except Exception as error:
        return error
    return None


def failure_problem(context: Context, where: str, doing: str, error: Exception | Failure) -> Problem:
    """Return a failed step as a problem, and write the traceback of an unexpected error into the log.

    Args:
        where: the file, article or digest.
        doing: the step that was not done, as in "it is left out of the sitemap".
    """
    if isinstance(error, PublisherError) and not isinstance(error, TemplateError):
        reason = str(error)
    else:
        failure = error if isinstance(error, Failure) else describe_failure(error)
        reason = str(error) if isinstance(error, TemplateError) else str(failure)
        log_failure(context.site.root, context.now.isoformat(), where, failure)
    return Problem(where=where, is_rejected=True, reason=f"{doing}: {reason}")


def is_data_error(error: Exception) -> bool:
    """Return whether the written values caused a transaction's error, not the database.

    PostgreSQL and SQLite raise these classes for a value that they reject. An unreachable, locked or full
    database raises ``OperationalError``.
    """
    if isinstance(error, PublisherError):
        return isinstance(error.__cause__, DataError | IntegrityError | InterfaceError | ProgrammingError) or (
            # PostgreSQL limits the size of an index row.
            "index row" in str(error)
        )
    return not isinstance(error, OSError)


def split_in_half(results: Mapping[str, Sequence[_Item]]) -> list[dict[str, list[_Item]]] | None:
    """Split records, grouped by file, into two halves; return None for a single record."""
    every = [(name, item) for name, items in results.items() for item in items]
    if len(every) < 2:
        return None
    return [
        {name: [item for _, item in group] for name, group in groupby(half, key=itemgetter(0))}
        for half in (every[: len(every) // 2], every[len(every) // 2 :])
    ]
