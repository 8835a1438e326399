"""``publish send`` in its own process, which is killed at a given step.

python -m tests.support.smtp.sender SITE ISSUE [STEP COUNT]: the process kills itself (SIGKILL) the COUNTth time that it comes
to STEP, just before (``before claim``) or just after (``after claim``) it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from publisher.delivery import claims_store, senders
from publisher.delivery import store as deliveries
from publisher.mail import smtp_connection
from publisher.settings import read_site
from tests.support.use_cases import deliver

#: Each state change of a delivery: the owner and the name of its function.
STEPS: dict[str, tuple[Any, str]] = {
    "claim": (claims_store, "claim"),
    "hand over": (claims_store, "hand_over"),
    "record": (deliveries, "record_outcomes"),
    "recover": (deliveries, "recover_deliveries"),
    "forget": (senders, "forget_sender"),
    "write": (smtp_connection.Connection, "write"),
    "read": (smtp_connection.Connection, "read"),
}


def killer(step: str, count: int) -> None:
    when, _, name = step.partition(" ")
    owner, attribute = STEPS[name]
    real: Callable[..., Any] = getattr(owner, attribute)
    left, lock = [count], threading.Lock()

    def is_last() -> bool:
        with lock:
            left[0] -= 1
            return left[0] == 0

    def wrapped(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            if is_last():
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **options)
        result = real(*arguments, **options)
        if is_last():
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, wrapped)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        killer(sys.argv[3], int(sys.argv[4]))
    sent = deliver(read_site(Path(sys.argv[1])), sys.argv[2])
    print(sent.counts, sent.stop_reason)
