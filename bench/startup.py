"""(d) Start-up: ``publish --help``, and ``publish now`` with nothing new on 10,000 articles.

python -m bench.startup
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.corpus import make_site
from bench.timing import PUBLISH, machine, median, row, seconds


def main() -> None:
    print(f"(d) start-up; {machine()}")
    peer = median(lambda: seconds([sys.executable, "-c", "import click"]), 11)
    row("publish --help", median(lambda: seconds([*PUBLISH, "--help"]), 11), peer, "python -c 'import click'")
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(Path(folder) / "ours", 10_000)
        command = [*PUBLISH, "now", "--site", str(site), "--at", "2026-11-23T07:00"]
        seconds(command)
        seconds(command)
        row("publish now, nothing new, 10,000 articles", median(lambda: seconds(command), 11))


if __name__ == "__main__":
    main()
