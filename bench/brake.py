"""(f) What the brake on suppressions costs per message, where no server refuses anybody.

python -m bench.brake
"""

from __future__ import annotations

import time
from typing import Any, cast

from bench.timing import machine
from publisher.delivery.claims_store import Claim
from publisher.delivery.suppression_brake import SuppressionBrake
from publisher.mail.outcome import Outcome
from publisher.model.delivery import DeliveryState
from publisher.signing.keyring import Keyring

_MESSAGES = 20_000
#: Messages in one transaction of the ledger, about as many as with ten connections.
_BATCH = 5


def main() -> None:
    """Measure and print."""
    print(f"(f) the brake; {machine()}; the least of 9 runs")
    keyring = Keyring(key=bytes(16))
    outcome = Outcome(state=DeliveryState.ACCEPTED, answer="250 2.0.0 Ok", relay="mail.example.org:25")
    settled = [
        (Claim(1, number, 1, 1, "ann@example.org", f"mail{number % 50}.example.org"), outcome)
        for number in range(_MESSAGES)
    ]
    batches = [settled[at : at + _BATCH] for at in range(0, _MESSAGES, _BATCH)]

    def record() -> None:
        brake = SuppressionBrake(1, keyring)
        for batch in batches:
            # Without a refusal the database is not used.
            brake.record(cast("Any", None), batch, 0)

    def token() -> None:
        for number in range(_MESSAGES):
            keyring.return_path_token(1, number)

    for name, measured in (("attempts counted", record), ("token of a return path", token)):
        least = min(processor_seconds(measured) for _ in range(9))
        print(f"{name:<30}{least / _MESSAGES * 1e6:6.1f} µs per message")


def processor_seconds(function: Any) -> float:
    """Return the processor time of a call."""
    began = time.process_time()
    function()
    return time.process_time() - began


if __name__ == "__main__":
    main()
