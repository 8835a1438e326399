"""Parsers that do not end, crash or fail, for tests of the process that they run in. Importing them is cheap."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from publisher.articles.parsers import ParseResult, ParserOptions
from publisher.articles.parsers.registry import iterate_records, parse_file


def slow_each(root: Path, names: list[str], options: ParserOptions) -> Iterator[tuple[str, list[ParseResult]]]:
    """Parse files; one of them never ends, one kills the process."""
    for name in names:
        if "endless" in name:
            while True:
                pass
        if "deadly" in name:
            os.kill(os.getpid(), signal.SIGSEGV)
        yield name, parse_file(root, name, options)


def slow_stream(root: Path, name: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Parse a file of many records, one of which never ends."""
    for parsed in iterate_records(root, name, options):
        if "Endless" in str(parsed) and "stopped" not in str(parsed):
            while True:
                pass
        yield parsed


def is_first_time(root: Path, name: str) -> bool:
    mark = root.parent / f"{Path(name).name}.seen"
    is_first = not mark.exists()
    mark.touch()
    return is_first


def parse_each_file_killed_once(
    root: Path, names: list[str], options: ParserOptions
) -> Iterator[tuple[str, list[ParseResult]]]:
    """Parse files; the process is killed from outside at the first attempt of one, and after the last one."""
    for name in names:
        if "killed" in name and is_first_time(root, name):
            os.kill(os.getpid(), signal.SIGKILL)
        yield name, parse_file(root, name, options)
    if is_first_time(root, "after-the-last-file"):
        os.kill(os.getpid(), signal.SIGKILL)


def iterate_records_killed_once(root: Path, name: str, options: ParserOptions) -> Iterator[ParseResult]:
    """Parse records; the process is killed from outside after the first one."""
    for number, parsed in enumerate(iterate_records(root, name, options)):
        if number == 1 and is_first_time(root, name):
            os.kill(os.getpid(), signal.SIGKILL)
        yield parsed


def parse_each_file_with_failing_disk(
    root: Path, names: list[str], options: ParserOptions
) -> Iterator[tuple[str, list[ParseResult]]]:
    """Parse files while the disk fails, at the first attempt."""
    from publisher.articles.parsers import registry

    def failing(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    real = registry.open_file_beneath
    for name in names:
        if "disk" in name and is_first_time(root, name):
            registry.open_file_beneath = failing  # type: ignore[assignment]
        parsed = parse_file(root, name, options)
        registry.open_file_beneath = real
        yield name, parsed
