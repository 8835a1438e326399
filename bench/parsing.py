"""(k) One new article: parsing in a forked process, in a new program, and in the process of `publish now` itself.

python -m bench.parsing [RUNS]: the three alternate, so that other load affects all of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

from bench.corpus import hugo_post, make_site, posts
from bench.timing import machine

#: Way of parsing → the lines that make `publish now` use it.
_WAYS = {
    "in the same process, without limits": """
TimedWorker.fork = lambda self: False
TimedWorker.start = lambda self: None
TimedWorker.iterate = lambda self, function, *arguments: timed_worker._resolve(function)(*arguments)
""",
    "in a forked process": "",
    "in a new program": "timed_worker.has_one_thread = lambda: False",
}
_PROGRAM = """
from publisher.workers import timed_worker
from publisher.cli import main
from publisher.workers.timed_worker import TimedWorker
{way}
main()
"""


def run(way: str, site: Path) -> tuple[float, float]:
    """Return the processor time and the wall-clock time of `publish now`, in seconds."""
    program = _PROGRAM.format(way=_WAYS[way])
    command = [sys.executable, "-c", program, "now", "--site", str(site), "--at", "2026-11-23T07:00", "--feeds-only"]
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"publish now ended with status {process.returncode}")
    return usage.ru_utime + usage.ru_stime, wall


def main() -> None:
    """Measure and print."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    print(f"(k) one new article; {machine()}; minimum of {runs} runs")
    # Modules are compiled once, as in an installed package.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as name:
        os.environ["PYTHONPYCACHEPREFIX"] = f"{name}/modules"
        sites = {way: make_site(Path(name) / str(number), 20) for number, way in enumerate(_WAYS)}
        for way, site in sites.items():
            run(way, site)
        times: dict[str, list[tuple[float, float]]] = {way: [] for way in _WAYS}
        for post in list(posts(20 + runs))[20:]:
            for way, site in sites.items():
                (site / "articles" / f"{post.name}.md").write_text(hugo_post(replace(post, day=date(2026, 11, 22))))
                times[way].append(run(way, site))
    base = [min(column) for column in zip(*times["in the same process, without limits"], strict=True)]
    for way, measured in times.items():
        cpu, wall = (min(column) for column in zip(*measured, strict=True))
        print(
            f"{way:<40} processor {cpu:.3f} s ({1000 * (cpu - base[0]):+4.0f} ms)"
            f"   wall clock {wall:.3f} s ({1000 * (wall - base[1]):+4.0f} ms)",
            flush=True,
        )


if __name__ == "__main__":
    main()
