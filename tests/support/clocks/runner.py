"""``publish run`` in a process of its own, on a clock that goes faster.

python -m tests.support.clocks.runner SITE START EPOCH SPEED [LEASE]: START is ISO 8601, EPOCH in seconds since 1970, LEASE in
seconds of that clock.
"""

from __future__ import annotations

import signal
import sys
from datetime import datetime, timedelta
from pathlib import Path

from publisher.runner import Runner, make_log
from publisher.settings import read_site
from tests.support.clocks import FastClock

if __name__ == "__main__":
    folder, start, epoch, speed = sys.argv[1:5]
    lease = timedelta(seconds=float(sys.argv[5]) if len(sys.argv) > 5 else 90)
    clock = FastClock(datetime.fromisoformat(start), float(epoch), float(speed))
    runner = Runner(read_site(Path(folder)), make_log(sys.stdout, as_json=True), clock=clock, lease=lease)
    signal.signal(signal.SIGTERM, lambda *_: runner.stop())
    runner.run()
