"""(e) A newsroom of 10,000 articles and 200 feeds: one new article, one edit, one correction, one retraction.

    python -m bench.newsroom [COUNT]

For each change: its time, the files and bytes that are written, and the number of the article's feeds, compared with a
full build, and with Hugo, which builds the newest 50 of every facet in RSS from the same posts in the same run.
Everything is on: three formats, archive pages, precompressed files, checks. With COUNT 100,000 it also shows that peak
memory does not depend on the size of the archive.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.change import NEW
from bench.corpus import HUGO_FACETS, SETTINGS, make_hugo_site, make_site
from bench.timing import PUBLISH, hugo, machine, median, need_hugo

#: Peak memory of a run, in bytes.
PEAK = [0]
CHANNEL = """[feeds.channels.water]
title = "Water"
topic = ["Topic Water"]
limit = 50
"""


def files(site: Path) -> dict[str, tuple[int, int]]:
    """Return the staged files: path → (time of change, bytes)."""
    staged = {}
    for path in (site / "feeds").rglob("*"):
        if path.is_file():
            info = path.stat()
            staged[str(path.relative_to(site))] = (info.st_ctime_ns, info.st_size)
    return staged


def process_tree(pid: int) -> Iterator[int]:
    """Yield the IDs of a process and of all its descendants."""
    yield pid
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in children:
        yield from process_tree(int(child))


def memory(pid: int) -> int:
    """Return the bytes that a process and its descendants use; shared memory is counted once."""
    total = 0
    for process in process_tree(pid):
        with contextlib.suppress(OSError):
            match = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.MULTILINE)
            total += int(match[1]) * 1024 if match else 0
    return total


def measured(site: Path, change: Callable[[], list[str]]) -> tuple[float, dict[str, int]]:
    """Return the seconds of a change, and the files that it wrote: path → bytes."""
    before = files(site)
    command = change()
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        PEAK[0] = max(PEAK[0], memory(process.pid))
        time.sleep(0.02)
    took = time.perf_counter() - began
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    after = files(site)
    return took, {path: info[1] for path, info in after.items() if before.get(path) != info}


def report(name: str, took: float, written: dict[str, int], full: tuple[float, int], peer: float) -> None:
    """Print a row."""
    plain = [path for path in written if not path.endswith((".gz", ".br"))]
    feeds = {path.rpartition(".")[0] for path in plain if re.search(r"[.](rss|atom|json)$", path)}
    size = sum(written.values())
    print(
        f"{name:<34}{took:7.2f} s  {len(feeds):4} feeds  {len(plain):5} files + {len(written) - len(plain):5} precompressed  "
        f"{size / 1e6:8.1f} MB   full build {full[0] / took:6.1f}× the time, {full[1] / max(size, 1):7.1f}× the bytes"
        f"   Hugo {peer / took:5.1f}×",
        flush=True,
    )


def main() -> None:
    need_hugo()
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    print(f"(e) a newsroom of {count:,} articles; {machine()}")
    with tempfile.TemporaryDirectory() as folder:
        site = make_site(Path(folder) / "ours", count)
        channel = SETTINGS[SETTINGS.index("[feeds.channels") : SETTINGS.index("[mail]")]
        (site / "publisher.toml").write_text(SETTINGS.replace(channel, CHANNEL))
        peer = median(hugo(make_hugo_site(Path(folder) / "hugo", count), HUGO_FACETS), 3 if count <= 10_000 else 1)
        base = ["--site", str(site)]
        publish = [*PUBLISH, "now", *base, "--at", "2026-11-23T07:00"]
        took, written = measured(site, lambda: publish)
        full = (took, sum(written.values()))
        report("full build", took, written, full, peer)
        print(
            f"{'':34}peak memory, workers included: {PEAK[0] / 1e6:.0f} MB; Hugo, newest 50 of every facet in RSS: {peer:.2f} s"
        )

        def new() -> list[str]:
            text = NEW.format(n=1, body="\n\n".join(["word " * 100] * 7))
            (site / "articles" / "new.txt").write_text(text)
            return publish

        def edit() -> list[str]:
            path = site / "articles" / f"post-{count // 2:06}.txt"
            path.write_text(path.read_text().replace("river", "brook", 3))
            return publish

        name = f"post-{count // 2 + 1:06}.txt"
        correct = [*PUBLISH, "correct", name, "--note", "A note.", *base, "--at", "2026-11-23T08:00"]
        retract = [*PUBLISH, "retract", name, "--reason", "A reason.", *base, "--at", "2026-11-23T09:00"]
        report("one new article", *measured(site, new), full, peer)
        report("a typo in an old one", *measured(site, edit), full, peer)
        report("a correction of an old one", *measured(site, lambda: correct), full, peer)
        report("a retraction of it", *measured(site, lambda: retract), full, peer)


if __name__ == "__main__":
    main()
