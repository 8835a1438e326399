"""Run commands and functions, measure their time, and print rows of results."""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PUBLISH = [sys.executable, "-m", "publisher"]


def seconds(command: list[str], *, cwd: Path | None = None) -> float:
    """Return the seconds of a command, which must succeed."""
    began = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - began


def median(measure: Callable[[], float], times: int) -> float:
    """Return the median of several measurements."""
    return statistics.median(measure() for _ in range(times))


def hugo(site: Path, settings: str) -> Callable[[], float]:
    """Return a function that measures a full build by Hugo with these settings."""

    def measure() -> float:
        (site / "config.toml").write_text(settings)
        shutil.rmtree(site / "public", ignore_errors=True)
        shutil.rmtree(site / "resources", ignore_errors=True)
        return seconds(["hugo", "--quiet", "--source", str(site), "--destination", str(site / "public")])

    return measure


def need_hugo() -> None:
    """End with an error if Hugo is not installed."""
    if shutil.which("hugo") is None:
        sys.exit("this benchmark compares with Hugo: apt-get install hugo")


def machine() -> str:
    """Return a description of the machine."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}"


def row(name: str, value: float, peer: float | None = None, peer_name: str = "") -> None:
    """Print a row: the seconds of Publisher, and those of the peer with their ratio."""
    ratio = f"   {peer_name} {peer:8.4f} s   {peer / value:6.2f}×" if peer is not None else ""
    print(f"{name:<58}{value:8.4f} s{ratio}", flush=True)
