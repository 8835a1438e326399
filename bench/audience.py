"""Many subscribers: import of a list, opening of a send, and the memory that sending takes.

python -m bench.audience [SUBSCRIBERS]: the sink is smtp-sink (Debian: postfix, which is not started).
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.delivery import sink, write_settings
from bench.timing import machine

_MEASURED = (
    "import resource, sys, time; from datetime import UTC, datetime; from pathlib import Path;"
    "from publisher.settings import read_site; site = read_site(Path(sys.argv[1])); began = time.perf_counter();"
    "{work};"
    "print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
)
_IMPORT = (
    "from publisher import Publisher;"
    "result = Publisher(site).subscribers.import_list(Path(sys.argv[1]) / 'subscribers.csv'); assert not result.rejected"
)
_OPEN = (
    "from publisher import Publisher; from publisher.clock import FixedClock;"
    "publisher = Publisher(site, clock=FixedClock(datetime(2026, 11, 23, 7, tzinfo=UTC)));"
)
_PUBLISH = f"{_OPEN} publisher.publish()"
_APPROVE = f"{_OPEN} assert publisher.digests.approve('daily').opened"
_SEND = "from publisher import Publisher; Publisher(site).issues.send('daily', limit=10_000)"


def measure(folder: Path, work: str) -> tuple[float, float]:
    """Run Python code in a process of its own; return its seconds and its megabytes."""
    command = [sys.executable, "-c", _MEASURED.replace("{work}", work), str(folder)]
    process = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, megabytes = (float(word) for word in process.stdout.split())
    return seconds, megabytes


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    if shutil.which("smtp-sink") is None:
        sys.exit("this benchmark sends to smtp-sink: apt-get install postfix (it need not be started)")
    print(machine())
    with tempfile.TemporaryDirectory() as name, sink() as port:
        folder = Path(name) / "site"
        (folder / "articles").mkdir(parents=True)
        write_settings(folder, port=1, connections=1, keys=())
        for number in range(6):
            text = f"Paragraph {number} of a text that says nothing. " * 40
            (folder / "articles" / f"{number}.md").write_text(
                f'---\ntitle: "Story {number}"\ndate: 2026-11-20\n---\n{text}\n'
            )
        with (folder / "subscribers.csv").open("w") as file:
            file.write("address,zone,digests\n")
            file.writelines(
                f"subscriber{number}@mail{number % 50}.example.org,Europe/London,daily\n" for number in range(count)
            )
        seconds, megabytes = measure(folder, _IMPORT)
        print(
            f"{count:,} subscribers imported: {seconds:.1f} s, {count / seconds:,.0f} per second, {megabytes:.0f} MB",
            flush=True,
        )
        write_settings(folder, port=port, connections=10, keys=())
        seconds, megabytes = measure(folder, _PUBLISH)
        print(f"draft rendered: {seconds:.1f} s, {megabytes:.0f} MB", flush=True)
        before = size(folder)
        seconds, megabytes = measure(folder, _APPROVE)
        each = (size(folder) - before) / count
        print(
            f"send opened, {count:,} deliveries queued: {seconds:.1f} s, {each:.0f} bytes each, {megabytes:.0f} MB",
            flush=True,
        )
        began = time.perf_counter()
        _, megabytes = measure(folder, _SEND)
        print(f"10,000 of them sent: {time.perf_counter() - began:.1f} s, {megabytes:.0f} MB", flush=True)


def size(folder: Path) -> int:
    """Return the bytes of the database after a checkpoint of its log."""
    with sqlite3.connect(folder / "publisher.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return (folder / "publisher.db").stat().st_size


if __name__ == "__main__":
    main()
