"""(b) One new article on top of many, against Hugo's rebuild.

    python -m bench.change [COUNT …]

Publisher reads the one file, stages its feeds and brings the draft of the issue up to date. Hugo builds all of its RSS again: this compares an
incremental design with a full rebuild, because Hugo has no other.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.corpus import HUGO_ALL, SETTINGS, make_hugo_site, make_site
from bench.timing import PUBLISH, hugo, machine, median, need_hugo, row, seconds

NEW = """One More Thing {n}

November 2, 2026 Topic: Topic Water Region: Europe Blog Brand: Briefs Tags: Blue CanalOld Port

One More Thing {n}

A dek.

{body}

Ada Quist is a writer for The Bench.
"""


def main() -> None:
    need_hugo()
    print(f"(b) one new article; {machine()}")
    measured: dict[int, float] = {}
    for count in [int(argument) for argument in sys.argv[1:]] or [10_000, 100_000]:
        with tempfile.TemporaryDirectory() as folder:
            site = make_site(Path(folder) / "ours", count)
            # All feeds have a limit: a feed without one grows with the archive.
            (site / "publisher.toml").write_text(SETTINGS.replace('limit = "all"', "limit = 50"))
            command = [*PUBLISH, "now", "--site", str(site), "--at", "2026-11-23T07:00"]
            seconds(command)
            seconds(command)
            number = 0

            def one_more(site: Path = site, command: list[str] = command) -> float:
                nonlocal number
                number += 1
                text = NEW.format(n=number, body="\n\n".join(["word " * 100] * 7))
                (site / "articles" / f"new-{number}.txt").write_text(text)
                return seconds(command)

            one_more()
            measured[count] = median(one_more, 7)
            nothing = median(lambda: seconds(command), 5)  # noqa: B023
            other = make_hugo_site(Path(folder) / "hugo", count)
            peer = median(hugo(other, HUGO_ALL), 3 if count <= 10_000 else 1)
            row(f"{count:,} articles, one more", measured[count], peer, "Hugo, rebuild")
            row(f"{count:,} articles, nothing new", nothing, peer, "Hugo, rebuild")
    counts = sorted(measured)
    if len(counts) > 1:
        print(
            f"one more on {counts[-1]:,} takes {measured[counts[-1]] / measured[counts[0]]:.2f}× the time on {counts[0]:,}"
        )


if __name__ == "__main__":
    main()
