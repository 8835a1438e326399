"""A command of the life of an issue in a process of its own, at a given time.

python -m tests.support.clocks.command SITE AT (tick | approve DIGEST | send DIGEST): AT is ISO 8601.
"""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path

from publisher.settings import read_site
from tests.support.clocks import ManualClock
from tests.support.use_cases import approve, deliver, tick

if __name__ == "__main__":
    site, clock = read_site(Path(sys.argv[1])), ManualClock(datetime.fromisoformat(sys.argv[2]))
    match sys.argv[3:]:
        case ["tick"]:
            tick(site, clock=clock)
        case ["approve", digest]:
            approve(site, digest, clock.now())
        case ["send", digest]:
            deliver(site, digest, clock=clock.now)
        case other:
            sys.exit(f"no such command: {other}")
