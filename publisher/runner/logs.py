"""The log of the runner and the web server: one line per event, ``key=value`` or JSON."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from publisher.html.text import printable

#: Usage: ``log.info("event", key=value)``.
Log = structlog.typing.FilteringBoundLogger


def _one_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Remove line breaks and control characters from text of other parties."""
    return {key: _plain(value) if isinstance(value, str) else value for key, value in event.items()}


def _plain(text: str) -> str:
    return " ".join(printable(text).split())


def make_log(stream: TextIO, *, as_json: bool = False) -> Log:
    """Return a log that writes to ``stream``, together with warnings of libraries."""
    first = ["at", "level", "event"]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.processors.LogfmtRenderer(key_order=first, drop_missing=True, bool_as_flag=False)
    )
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _one_line,
    ]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.setLevel(logging.WARNING)
    for name in ("publisher", "apscheduler", "watchfiles", "uvicorn"):
        library_log = logging.getLogger(name)
        library_log.handlers = [handler]
        library_log.propagate = False
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return log


def utc_text(moment: datetime) -> str:
    """Return a time to the minute in UTC, as in ``2026-11-23T07:00Z``."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%MZ}"
