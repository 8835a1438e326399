"""One message: filling placeholders against copying as many bytes, and signing against the rate of openssl.

python -m bench.message
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime

from bench.timing import machine
from publisher.mail.dkim import Signer, new_key
from publisher.mail.message import Envelope
from publisher.mail.message_template import ADDRESS_SLOT, DELIVERY_SLOT, MessageTemplate
from publisher.mail.placeholders import Placeholders

_TIMES = 3_000


def microseconds(work: Callable[[], object]) -> float:
    """Return the microseconds of one call."""
    began = time.perf_counter()
    for _ in range(_TIMES):
        work()
    return (time.perf_counter() - began) / _TIMES * 1e6


def message_template(*signers: Signer) -> MessageTemplate:
    """Return a template of a message of about 40 KB."""
    placeholders = Placeholders(hash="0123456789ab")
    body = "A line of sample text that is repeated to fill up the message.\n" * 270
    values = {
        "address": ADDRESS_SLOT,
        "unsubscribe": f"https://bench.example/leave?copy={DELIVERY_SLOT}",
        "web_view": "https://bench.example/web",
    }
    foot = " ".join(placeholders[name] for name in values)
    envelope = Envelope(
        sender="The Bench Review <news@bench.example>",
        reply_to=None,
        list_name="The Daily",
        list_slug="daily",
        subject="The Daily: a headline",
        date=datetime(2026, 11, 23, 7, tzinfo=UTC),
        message_key=DELIVERY_SLOT,
        unsubscribe=(f"https://bench.example/leave?copy={DELIVERY_SLOT}",),
        one_click=True,
    )
    return MessageTemplate(
        envelope,
        text=body + foot,
        html=f"<p>{body}</p><p>{foot}</p>",
        placeholders=placeholders,
        values=values,
        signers=signers,
    )


def openssl_rate() -> float:
    """Return the RSA-2048 signatures per second of openssl on one core."""
    done = subprocess.run(["openssl", "speed", "-seconds", "2", "rsa2048"], capture_output=True, text=True, check=True)
    return float(re.findall(r"^rsa\s+2048 bits\s+\S+\s+\S+\s+([\d.]+)", done.stdout, re.MULTILINE)[0])


def main() -> None:
    """Measure and print."""
    print(machine())
    rsa = Signer.read(new_key("rsa"), domain="bench.example", selector="r")
    ed25519 = Signer.read(new_key("ed25519"), domain="bench.example", selector="e")

    def merge(template: MessageTemplate) -> Callable[[], bytes]:
        return lambda: template.merge(
            address="anna@mail.example.org", recipient="anna@mail.example.org", token="a" * 32
        )

    plain = message_template()
    data = merge(plain)()
    # The lower bound: as many bytes copied into a new object.
    pieces = [data[: len(data) // 2], data[len(data) // 2 :]]
    copying, joining = microseconds(lambda: b"".join(pieces)), microseconds(merge(plain))
    print(f"{len(data):,} bytes copied: {copying:.1f} µs, a message filled: {joining:.1f} µs: {joining / copying:.1f}×")
    for name, signers in (("RSA", (rsa,)), ("Ed25519", (ed25519,)), ("RSA + Ed25519", (rsa, ed25519))):
        print(f"filled and signed, {name}: {microseconds(merge(message_template(*signers))):.0f} µs")
    data = b"x" * 2_000
    sign = rsa._signature  # noqa: SLF001 - openssl measures the arithmetic only
    ours, theirs = 1e6 / microseconds(lambda: sign(data)), openssl_rate()
    print(f"RSA-2048 signatures per second: Publisher {ours:,.0f}, openssl {theirs:,.0f}: {ours / theirs:.2f}×")


if __name__ == "__main__":
    main()
