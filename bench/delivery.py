"""Sending an issue: rows → fill placeholders → sign → SMTP → ledger, against programs that only send.

python -m bench.delivery [SUBSCRIBERS] needs smtp-sink and smtp-source (Debian: postfix, which is not started) and, for the
peer in JavaScript, node with nodemailer (npm install --prefix bench/node).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path

from bench.timing import machine
from publisher import Publisher
from publisher.clock import FixedClock
from publisher.mail.dkim import new_key
from publisher.model.subscriptions import ChangeSource, SubscriptionState
from publisher.settings import Site, read_site
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import StateChange

_SIZE = 40_000
_NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """Run an SMTP server that accepts and discards every message; yield its port."""
    port = free_port()
    who = ["-u", "nobody"] if os.getuid() == 0 else []
    with subprocess.Popen(["smtp-sink", *who, "-c", f"127.0.0.1:{port}", "1024"], stdout=subprocess.DEVNULL) as process:
        wait_for(port)
        try:
            yield port
        finally:
            process.terminate()


def free_port() -> int:
    """Return a free port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(port: int) -> None:
    """Wait until a server listens on a port, five seconds at most."""
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)


@contextlib.contextmanager
def latency_proxy(port: int, seconds: float) -> Iterator[int]:
    """Run a proxy to a port with a round-trip time in seconds, in a process of its own; yield its port."""
    proxy_port = free_port()
    with subprocess.Popen(
        [sys.executable, "-m", "bench.latency_proxy", str(proxy_port), str(port), str(seconds)]
    ) as process:
        wait_for(proxy_port)
        try:
            yield proxy_port
        finally:
            process.terminate()


def site(folder: Path, count: int) -> Site:
    """Write a site with an issue of about 40 KB and a number of subscribers."""
    (folder / "articles").mkdir(parents=True)
    write_settings(folder, port=1, connections=1, keys=())
    # With excerpts the issue would be smaller than a typical one.
    for number in range(6):
        text = f"Paragraph {number} of a text that says nothing. " * 20 + "\n\n"
        (folder / "articles" / f"{number}.md").write_text(
            f'---\ntitle: "Story {number}"\ndate: 2026-11-20\n---\n' + text * 2, "utf-8"
        )
    add_people(read_site(folder), count)
    return read_site(folder)


def add_people(one: Site, count: int) -> None:
    """Add subscribers of the daily, straight to the database."""
    with Database.open(one.database_url) as db:
        for at in range(0, count, 50_000):
            with db.write() as connection:
                batch = min(50_000, count - at)
                first = subscribers.reserve_ids(connection, batch)
                everything = subscribers.interests_id(connection, "{}")
                people = [
                    {
                        "id": first + number,
                        "address": f"subscriber{at + number}@mail{number % 50}.example.org",
                        "key": f"subscriber{at + number}@mail{number % 50}.example.org",
                        "domain": f"mail{number % 50}.example.org",
                        "state": "active",
                        "zone": None,
                        "language": None,
                        "interests_id": everything,
                        "added_at": 0,
                    }
                    for number in range(batch)
                ]
                subscribers.insert_subscribers(connection, people)
                rows = [("daily", first + number) for number in range(batch)]
                subscriptions.insert_subscriptions(
                    connection, rows, SubscriptionState.ACTIVE, StateChange(ChangeSource.IMPORT, 0)
                )


def write_settings(folder: Path, *, port: int, connections: int, keys: tuple[str, ...]) -> Site:
    """Write the settings, and return the site."""
    text = f"""
title = "The Bench Review"
base_url = "https://bench.example"
[mail]
sender = "The Bench Review <news@bench.example>"
unsubscribe = "https://bench.example/leave"
one_click = true
bounces = "bounces+{{copy}}@bench.example"
postal_address = "12 Quay Street"
[digests.daily]
title = "The Daily"
text = "full"
[delivery]
connections = {connections}
"""
    if port > 1:
        text += f'[smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
    for kind in keys:
        path = folder / f"{kind}.pem"
        if not path.exists():
            path.write_text(new_key(kind))
        text += f'[[dkim]]\nselector = "{kind}"\nkey = {{ file = "{kind}.pem" }}\n'
    (folder / "publisher.toml").write_text(text)
    return read_site(folder)


def requeue(one: Site) -> None:
    """Queue every delivery again."""
    from sqlalchemy import text

    with Database.open(one.database_url) as db, db.write() as connection:
        connection.execute(
            text(
                "UPDATE delivery SET state = 'queued', attempts = 0, answer = NULL, sender_id = NULL, first_handed_at = NULL"
            )
        )


def ours(folder: Path, port: int, connections: int, keys: tuple[str, ...], count: int) -> float:
    """Return the messages per second of Publisher, in a process of its own."""
    one = write_settings(folder, port=port, connections=connections, keys=keys)
    requeue(one)
    code = (
        "import sys; from pathlib import Path; from publisher.settings import read_site;"
        "from publisher import Publisher; import time, resource;"
        "issues = Publisher(read_site(Path(sys.argv[1]))).issues; began = time.perf_counter();"
        "sent = issues.send('daily', limit=int(sys.argv[2]));"
        "print(sent.counts.accepted / (time.perf_counter() - began), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(count)], check=True, capture_output=True, text=True
    )
    rate, megabytes = (float(word) for word in done.stdout.split())
    ours.memory = megabytes  # type: ignore[attr-defined]
    return rate


def smtp_source(port: int, count: int, connections: int, size: int) -> float:
    """Return the messages per second of smtp-source, which is written in C and only sends."""
    command = ["smtp-source", "-s", str(connections), "-l", str(size), "-m", str(count)]
    began = time.perf_counter()
    subprocess.run([*command, "-f", "a@b.example", "-t", "c@d.example", f"127.0.0.1:{port}"], check=True)
    return count / (time.perf_counter() - began)


def in_threads(count: int, connections: int, work: Callable[[int], None]) -> float:
    """Return the messages per second of a function in several threads."""
    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(count // connections,)) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - began)


def plain_smtplib(port: int, data: bytes) -> Callable[[int], None]:
    """Return a function that sends the same bytes repeatedly."""

    def work(count: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as server:
            for number in range(count):
                server.sendmail("a@b.example", f"r{number}@d.example", data)

    return work


def composing(port: int, text: str, page: str, pem: bytes) -> Callable[[int], None]:
    """Return a function that builds a message object for each recipient and signs it with dkimpy."""
    import dkim

    def work(count: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as server:
            for number in range(count):
                message = EmailMessage()
                message["From"], message["To"] = "news@bench.example", f"r{number}@d.example"
                message["Subject"] = "The Daily"
                message.set_content(text.replace("subscriber", str(number)))
                message.add_alternative(page.replace("subscriber", str(number)), subtype="html")
                data = message.as_bytes()
                signed = dkim.sign(data, b"s", b"bench.example", pem, include_headers=[b"from", b"to", b"subject"])
                server.sendmail("news@bench.example", f"r{number}@d.example", signed + data)

    return work


def aiosmtplib_rate(port: int, data: bytes, count: int, connections: int) -> float | None:
    """Return the messages per second of aiosmtplib, or None if it is not installed."""
    try:
        import aiosmtplib
    except ImportError:
        return None
    import asyncio

    async def send_messages(amount: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as server:
            for number in range(amount):
                await server.sendmail("a@b.example", [f"r{number}@d.example"], data)

    async def run() -> None:
        await asyncio.gather(*(send_messages(count // connections) for _ in range(connections)))

    began = time.perf_counter()
    asyncio.run(run())
    return count / (time.perf_counter() - began)


def nodemailer_rate(port: int, folder: Path, count: int, connections: int, pem: Path | None) -> float | None:
    """Return the messages per second of nodemailer with a pool, or None if it is not installed."""
    here = Path(__file__).parent / "node"
    if shutil.which("node") is None or not (here / "node_modules" / "nodemailer").is_dir():
        return None
    command = ["node", str(here / "nodemailer.mjs"), str(port), str(count), str(connections), str(folder)]
    done = subprocess.run([*command, *([str(pem)] if pem else [])], check=True, capture_output=True, text=True)
    return float(done.stdout)


def show(name: str, rate: float | None, base: float) -> None:
    """Print a row: messages per second, and the ratio to smtp-source."""
    if rate is None:
        print(f"{name:<52} not installed", flush=True)
        return
    print(f"{name:<52}{rate:10,.0f} /s   {rate / base:6.2f}× smtp-source", flush=True)


def main() -> None:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    if shutil.which("smtp-sink") is None:
        sys.exit("this benchmark sends to smtp-sink: apt-get install postfix (it need not be started)")
    print(machine())
    with tempfile.TemporaryDirectory() as name, sink() as port:
        folder = Path(name) / "site"
        site(folder, count)
        began = time.perf_counter()
        Publisher(write_settings(folder, port=port, connections=1, keys=()), clock=FixedClock(_NOW)).digests.approve(
            "daily"
        )
        print(f"issue approved and {count:,} deliveries queued in {time.perf_counter() - began:.1f} s")
        message = next((folder / "outbox" / "daily").glob("2*/message.eml")).read_bytes()
        base = smtp_source(port, count, 10, len(message))
        show(f"smtp-source, 10 connections, {len(message):,} bytes", base, base)
        for connections in (1, 10, 20):
            for keys in ((), ("rsa",), ("rsa", "ed25519")):
                rate = ours(folder, port, connections, keys, count)
                label = " + ".join(keys).upper() or "no DKIM"
                show(f"Publisher, {connections} connections, {label}, {ours.memory:.0f} MB", rate, base)  # type: ignore[attr-defined]
        peers(folder, port, message, base)
        with latency_proxy(port, 0.02) as proxy_port:
            few = min(count, 3_000)
            base = smtp_source(proxy_port, few, 10, len(message))
            show("smtp-source, 10 connections, 20 ms away", base, base)
            show("Publisher, 10 connections, RSA, 20 ms away", ours(folder, proxy_port, 10, ("rsa",), few), base)


def peers(folder: Path, port: int, message: bytes, base: float) -> None:
    """Measure the other programs."""
    show("smtplib, 10 connections, the same bytes", in_threads(5_000, 10, plain_smtplib(port, message)), base)
    show("aiosmtplib, 10 connections, the same bytes", aiosmtplib_rate(port, message, 5_000, 10), base)
    issue = next((folder / "outbox" / "daily").glob("2*/message.eml")).parent
    text, page = (issue / "message.txt").read_text(), (issue / "index.html").read_text()
    pem = (folder / "rsa.pem").read_bytes()
    show(
        "EmailMessage + dkimpy + smtplib, 10 connections, RSA",
        in_threads(500, 10, composing(port, text, page, pem)),
        base,
    )
    show("nodemailer, pool of 10, composing", nodemailer_rate(port, issue, 2_000, 10, None), base)
    show("nodemailer, pool of 10, composing, RSA", nodemailer_rate(port, issue, 1_000, 10, folder / "rsa.pem"), base)


if __name__ == "__main__":
    main()
