"""Insert or update many rows with one statement."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final, TypeVar

from sqlalchemy import Column, Connection, Dialect, Table, insert, select
from sqlalchemy.sql.base import Executable

#: Below the parameters per statement of SQLite (32,766) and PostgreSQL (65,535).
_BATCH: Final = 5_000

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


def batches(items: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Yield the items in lists that fit into one statement's parameters."""
    listed = list(items)
    return (listed[at : at + _BATCH] for at in range(0, len(listed), _BATCH))


def select_mapping(
    connection: Connection, key: Column[_Key], value: Column[_Value], keys: Iterable[_Key]
) -> dict[_Key, _Value]:
    """Return the values of a column by the key column of the same table, for the keys that exist."""
    values: dict[_Key, _Value] = {}
    for batch in batches(keys):
        values.update(iter(connection.execute(select(key, value).where(key.in_(batch)))))
    return values


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns; nothing for no rows.

    The statement is compiled once, and the rows go to the driver unchanged: all columns hold native types of both
    drivers, and SQLAlchemy's handling of each row takes three times as long as the insert.
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
    """A statement in the form of a driver."""

    text: str
    #: (row + constants) → values in the driver's order; None for named parameters.
    values: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None
    #: Parameters with the same value in every row.
    fixed: Mapping[str, Any]


@lru_cache(maxsize=64)
def _compiled(statement: Any, dialect: Dialect, names: tuple[str, ...]) -> _Compiled:
    compiled = statement.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if name not in names}
    if not compiled.positional:
        return _Compiled(str(compiled), None, fixed)
    all_names = (*names, *fixed)
    return _Compiled(str(compiled), itemgetter(*map(all_names.index, compiled.positiontup)), fixed)


def execute_rows(
    connection: Connection, statement: Executable, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Run a statement for each row, and return the number of rows that it changed.

    Args:
        statement: a module-level constant with at least two parameters: it is compiled once per kind of database.
        names: the names of the parameters, in the order of the values in a row.
    """
    if not rows:
        return 0
    compiled = _compiled(statement, connection.dialect, names)
    if compiled.values is None:
        named = [{**compiled.fixed, **dict(zip(names, row, strict=True))} for row in rows]
        return connection.exec_driver_sql(compiled.text, named).rowcount
    constants = tuple(compiled.fixed.values())
    return connection.exec_driver_sql(compiled.text, [compiled.values(row + constants) for row in rows]).rowcount
