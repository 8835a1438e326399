"""kill -9 at random moments: the next run completes, nothing is doubled, nothing is half written."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import brotli
from lxml import etree

from tests.conftest import SiteKit

#: How often; set it higher for a long run.
KILLS = int(os.environ.get("PUBLISHER_TEST_KILLS", "100"))
COMMAND = [sys.executable, "-m", "publisher", "now", "--at", "2026-11-23T07:00", "--site"]


def whole(kit: SiteKit) -> None:
    """Every file that can be seen is whole, whenever one looks."""
    for path, data in kit.staged().items():
        if ".staging" in path:
            continue
        if path.endswith((".rss", ".atom", ".opml")):
            etree.fromstring(data)
        elif path.endswith(".json"):
            json.loads(data)
        elif path.endswith(".gz"):
            gzip.decompress(data)
        elif path.endswith(".br"):
            brotli.decompress(data)
        elif path.endswith("autodiscovery.html"):
            assert data.endswith(b">\n"), path
        elif path.endswith(".html"):
            assert data.rstrip().endswith(b"</html>"), path
        elif path.endswith(".eml"):
            assert data.endswith(b"--\r\n"), path


def test_killed_at_random_moments_and_run_again(tmp_path: Path) -> None:
    reference = SiteKit(tmp_path / "reference")
    reference.add_settings('\n[digests.second]\ntitle = "The Second"\n[feeds]\nlimit = 20\n')
    for number in range(120):
        reference.article(f"{number:03}.md", title=f"T{number}", tags=f"[t{number % 12}]", author=f"A{number % 7} B")
    shutil.copytree(reference.root, tmp_path / "empty")
    began = time.monotonic()
    assert subprocess.run([*COMMAND, str(reference.root)], capture_output=True, check=False).returncode == 0
    whole_run = time.monotonic() - began
    expected = reference.staged()
    dice = random.Random(20261123)
    kit: SiteKit | None = None
    killed = completed = 0
    while killed < KILLS:
        if kit is None:
            shutil.rmtree(tmp_path / "site", ignore_errors=True)
            shutil.copytree(tmp_path / "empty", tmp_path / "site")
            kit = SiteKit.__new__(SiteKit)
            kit.root = tmp_path / "site"
        process = subprocess.Popen([*COMMAND, str(kit.root)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            _, errors = process.communicate(timeout=whole_run * dice.uniform(0.15, 1.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            whole(kit)
            continue
        assert process.returncode == 0, errors.decode()
        assert kit.staged() == expected
        completed += 1
        kit = None
    if kit is not None:
        assert subprocess.run([*COMMAND, str(kit.root)], capture_output=True, check=False).returncode == 0
        assert kit.staged() == expected
    assert completed or kit is not None
