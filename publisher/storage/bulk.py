"""Many rows at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.sql.base import Executable

__all__ = ["batches", "execute_rows", "insert_rows"]

#: SQLite takes 32,766 parameters a statement, PostgreSQL 65,535; short of both.
_PAGE: Final = 5_000

_Item = TypeVar("_Item")


def batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yield the items in lists that fit into one statement's parameters."""
    every = list(items)
    return (every[at : at + _PAGE] for at in range(0, len(every), _PAGE))


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all name the same columns; nothing for no rows.

    The statement is compiled once and the rows go to the driver as they are: all our columns
    hold what both drivers take natively, and SQLAlchemy's own handling of each row takes three
    times as long as the insert.
    """
    if not rows:
        return
    names = list(rows[0])
    compiled = insert(table).compile(dialect=connection.dialect, column_keys=names)
    if compiled.positional:
        order = compiled.positiontup or names
        connection.exec_driver_sql(str(compiled), [tuple(row[name] for name in order) for row in rows])
    else:
        connection.exec_driver_sql(str(compiled), [dict(row) for row in rows])


@dataclass(frozen=True, slots=True)
class _Compiled:
    """A statement as a driver takes it."""

    text: str
    #: (row + constants) → the values in the driver's order; None where parameters have names.
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
    #: Parameters that are the same in every row.
    fixed: Mapping[str, Any]


@lru_cache(maxsize=64)
def _compiled(statement: Any, dialect: Dialect, names: tuple[str, ...]) -> _Compiled:
    compiled = statement.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if name not in names}
    if not compiled.positional:
        return _Compiled(str(compiled), None, fixed)
    every = (*names, *fixed)
    return _Compiled(str(compiled), itemgetter(*map(every.index, compiled.positiontup)), fixed)


def execute_rows(
    connection: Connection, statement: Executable, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Run a statement of a module for each row, and return how many rows of the table it met in all.

    Args:
        connection: to the store.
        statement: compiled once for each kind of database, so it has to live as long as the program; it
            has two parameters at least.
        names: of its parameters, in the order of the values in a row.
        rows: nothing is done for none.
    """
    if not rows:
        return 0
    found = _compiled(statement, connection.dialect, names)
    if found.values is None:
        named = [{**found.fixed, **dict(zip(names, row, strict=True))} for row in rows]
        return connection.exec_driver_sql(found.text, named).rowcount
    constants = tuple(found.fixed.values())
    return connection.exec_driver_sql(found.text, [found.values(row + constants) for row in rows]).rowcount
