"""One Chromium for each test process, which tests connect to."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome")
#: None where there is no Chromium.
CHROMIUM = os.environ.get("CHROMIUM") or next((path for name in NAMES if (path := shutil.which(name))), None)
_ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-sync",
    "--hide-scrollbars",
    # The system chooses the port.
    "--remote-debugging-port=0",
)


@contextmanager
def running() -> Iterator[str]:
    """Run Chromium, and yield the address of its debugging protocol."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="publisher-chromium-", ignore_cleanup_errors=True) as folder:
        command = [CHROMIUM, *_ARGUMENTS, f"--user-data-dir={folder}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield f"http://127.0.0.1:{_port(process, Path(folder) / 'DevToolsActivePort')}"
        finally:
            process.terminate()
            process.wait(30)


def _port(process: subprocess.Popen[bytes], file: Path) -> int:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, f"{CHROMIUM} ended with status {process.returncode}"
        if file.exists() and (lines := file.read_text().splitlines()):
            return int(lines[0])
        time.sleep(0.02)
    raise AssertionError(f"{CHROMIUM} does not listen after a minute")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Connect Playwright to a running Chromium, and yield the browser.

    Playwright runs an event loop in this thread while it is connected, and no other can run.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.connect_over_cdp(address)
        yield browser
        for context in browser.contexts:
            # The first one is Chromium's own, and stays.
            if context != browser.contexts[0]:
                context.close()
        browser.close()
