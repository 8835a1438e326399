"""Kill ``publish now`` at random moments: the next run completes, and no file is doubled or half written.

``PUBLISHER_TEST_KILLS=500 python -m pytest -m slow tests/acceptance/test_kill.py`` runs long.
"""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import brotli
import pytest
from lxml import etree

from tests.conftest import SiteKit
from tests.support.processes import PIPE, Process, run_module

KILLS = int(os.environ.get("PUBLISHER_TEST_KILLS", "100"))
COMMAND = ("publisher", "now", "--at", "2026-11-23T07:00", "--site")


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


@pytest.mark.slow(reason="a hundred runs, each killed at a random moment")
@pytest.mark.parametrize(("articles", "kills"), [(20, 8), (120, KILLS)])
def test_a_run_killed_at_random_moments_is_completed_by_the_next(tmp_path: Path, articles: int, kills: int) -> None:
    """Files are whole after each kill, and those of the run that completes are the files of an undisturbed run."""
    reference = SiteKit(tmp_path / "reference")
    reference.add_settings('\n[digests.second]\ntitle = "The Second"\n[feeds]\nlimit = 20\n')
    for number in range(articles):
        reference.article(f"{number:03}.md", title=f"T{number}", tags=f"[t{number % 12}]", author=f"A{number % 7} B")
    shutil.copytree(reference.root, tmp_path / "empty")
    assert run_module(*COMMAND, str(reference.root)).returncode == 0
    expected = reference.staged()
    dice = random.Random(20261123)
    kit: SiteKit | None = None
    # The shortest time that a new site took: kills come while runs are at work, on a fast machine and a slow one.
    whole_run = 10.0
    killed = completed = 0
    while killed < kills:
        is_new = kit is None
        if kit is None:
            shutil.rmtree(tmp_path / "site", ignore_errors=True)
            shutil.copytree(tmp_path / "empty", tmp_path / "site")
            kit = SiteKit.at(tmp_path / "site")
        began = time.monotonic()
        process = Process(*COMMAND, str(kit.root), stderr=PIPE)
        try:
            _, errors = process.communicate(timeout=whole_run * dice.uniform(0.05, 1.0))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            killed += 1
            whole(kit)
            continue
        if is_new:
            whole_run = min(whole_run, time.monotonic() - began)
        assert process.returncode == 0, errors.decode()
        assert kit.staged() == expected
        completed += 1
        kit = None
    if kit is not None:
        assert run_module(*COMMAND, str(kit.root)).returncode == 0
        assert kit.staged() == expected
    assert completed or kit is not None
