"""Run the fuzzer over every target, each in a process of its own with bounded memory and time.

Inputs on which a parser fails are written to the folder that the last line names. Copy them into tests/fuzz/corpus.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

CORPUS = Path(__file__).parent / "corpus"
#: Limits of a parser: memory, its libraries included, and time for one input.
MEGABYTES = 1_500
SECONDS_PER_INPUT = 10


def fuzz(name: str, folder: Path, seconds: int) -> None:
    """Fuzz one target in this process, and end the process."""
    import atheris

    with atheris.instrument_imports(include=["publisher", "yaml", "frontmatter"], enable_loader_override=False):
        from tests.fuzz.targets import TARGETS
    arguments = [
        sys.argv[0],
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-timeout={SECONDS_PER_INPUT}",
        "-max_len=4096",
        f"-artifact_prefix={folder}/{name}-",
        "-print_final_stats=1",
        "-verbosity=0",
        str(folder / "new"),
        str(CORPUS / name),
    ]
    atheris.Setup(arguments, TARGETS[name])
    atheris.Fuzz()


def main() -> int:
    """Fuzz the targets of the command line, or all of them, for about ``--seconds`` in total."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["--one"]:
        fuzz(arguments[1], Path(arguments[2]), int(arguments[3]))
    seconds = int(arguments[1]) if arguments[:1] == ["--seconds"] else 60
    from tests.fuzz.targets import TARGETS

    names = [name for name in arguments if name in TARGETS] or list(TARGETS)
    failed = []
    root = Path(tempfile.mkdtemp(prefix="publisher-fuzz-"))
    for name in names:
        folder = root / name
        (folder / "new").mkdir(parents=True)
        (CORPUS / name).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.fuzz", "--one", name, str(folder), str(max(1, seconds // len(names)))]
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=seconds + 300, check=False
        )
        runs = next(
            (line.rpartition(" ")[2] for line in done.stderr.splitlines() if "number_of_executed_units" in line), "?"
        )
        print(f"{name}: {runs} runs, {'ok' if done.returncode == 0 else 'FAILED'}", flush=True)
        if done.returncode:
            failed.append(name)
            print("\n".join((done.stdout + done.stderr).splitlines()[-40:]))
    if failed:
        print(f"failed: {', '.join(failed)}; the inputs are in {root}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
