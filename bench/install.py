"""(n) The first command of the README: its time with a warm package cache, and the size of the environment.

python -m bench.install: without extras, then with all of them, each in a new copy of the repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.timing import machine

ROOT = Path(__file__).parent.parent


def megabytes(path: Path) -> float:
    """Return the size of a file or a folder on the disk."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_blocks * 512 for file in files) / 1e6


def install(target: str, folder: Path) -> Path:
    """Install into a new environment, print what it costs, and return its folder of packages."""
    subprocess.run(["git", "clone", "--quiet", ROOT, folder], check=True)
    command = f"{sys.executable} -m venv .venv && .venv/bin/pip install -q -e '{target}' -c constraints.txt"
    before, began = os.times(), time.monotonic()
    subprocess.run(["bash", "-c", command], cwd=folder, check=True)
    after, seconds = os.times(), time.monotonic() - began
    spent = after.children_user + after.children_system - before.children_user - before.children_system
    print(f"  {target:<10} {seconds:6.1f} s, {spent:5.1f} s of processor time, {megabytes(folder / '.venv'):5.0f} MB")
    (packages,) = folder.glob(".venv/lib/python*/site-packages")
    return packages


def main() -> None:
    """Measure and print."""
    print(f"(n) installation; {machine()}")
    with tempfile.TemporaryDirectory() as name:
        packages = install(".", Path(name) / "first")
        sizes = sorted(((megabytes(path), path.name) for path in packages.iterdir()), reverse=True)
        print("  the largest: " + ", ".join(f"{name} {size:.0f}" for size, name in sizes[:10]))
        install(".[all]", Path(name) / "all")


if __name__ == "__main__":
    main()
