"""Many rows at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, Dialect, Table, insert
from sqlalchemy.sql.base import Executable

__all__ = ["execute_rows", "insert_rows", "pages"]

#: SQLite takes 32,766 parameters a statement, PostgreSQL 65,535; short of both.
_PAGE: Final = 5_000

_Item = TypeVar("_Item")


def pages(items: Iterable[_Item]) -> Iterator[list[_Item]]:
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


@lru_cache(maxsize=64)
def _compiled(
    statement: Any, dialect: Dialect, names: tuple[str, ...]
) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
    """Return a statement's text, the order of its parameters where they have no names, and those that are constant."""
    compiled = statement.compile(dialect=dialect)
    fixed = {name: value for name, value in compiled.params.items() if name not in names}
    return str(compiled), tuple(compiled.positiontup or ()) if compiled.positional else None, fixed


def execute_rows(
    connection: Connection, statement: Executable, names: tuple[str, ...], rows: Sequence[tuple[Any, ...]]
) -> int:
    """Run a statement of a module for each row, and return how many rows of the table it met in all.

    Args:
        connection: to the store.
        statement: compiled once for each kind of database, so it has to live as long as the program.
        names: of its parameters, in the order of the values in a row.
        rows: nothing is done for none.
    """
    if not rows:
        return 0
    text, order, fixed = _compiled(statement, connection.dialect, names)
    if order is None:
        named = [{**fixed, **dict(zip(names, row, strict=True))} for row in rows]
        return connection.exec_driver_sql(text, named).rowcount
    if order != names:
        places = [names.index(name) if name in names else len(names) + list(fixed).index(name) for name in order]
        constants = tuple(fixed.values())
        rows = [tuple((row + constants)[place] for place in places) for row in rows]
    return connection.exec_driver_sql(text, list(rows)).rowcount
