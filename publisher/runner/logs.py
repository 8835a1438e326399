"""The runner's log: one line an event, ``key=value`` or JSON."""

from __future__ import annotations

import logging
from typing import Any, TextIO

import structlog

__all__ = ["Log", "make_log"]

#: What is written to: ``log.info("event", key=value)``.
Log = structlog.typing.FilteringBoundLogger


def _one_line(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Keep what others have said on one line, without anything that a terminal obeys."""
    return {key: _plain(value) if isinstance(value, str) else value for key, value in event.items()}


def _plain(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def make_log(stream: TextIO, *, as_json: bool = False) -> Log:
    """Return a log that writes to ``stream``; libraries' warnings go there too."""
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
        theirs = logging.getLogger(name)
        theirs.handlers = [handler]
        theirs.propagate = False
    log: Log = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )
    return log
