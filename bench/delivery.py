"""Sending an issue: rows → merge → sign → SMTP → recorded in the ledger, against those who only send.

python -m bench.delivery [READERS] needs smtp-sink and smtp-source (Debian: postfix, which is not started) and, for the
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
from publisher.mail.dkim import new_key
from publisher.model.subscriptions import SubscriptionState
from publisher.pipeline.publish import publish
from publisher.settings import Site, read_site
from publisher.storage.engine import Database
from publisher.subscribers import store as subscribers
from publisher.subscribers import subscriptions_store as subscriptions
from publisher.subscribers.subscriptions_store import ChangeSource, StateChange

_SIZE = 40_000
_NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


@contextlib.contextmanager
def sink() -> Iterator[int]:
    """A server that takes everything and keeps nothing."""
    port = free_port()
    who = ["-u", "nobody"] if os.getuid() == 0 else []
    with subprocess.Popen(["smtp-sink", *who, "-c", f"127.0.0.1:{port}", "1024"], stdout=subprocess.DEVNULL) as process:
        wait_for(port)
        try:
            yield port
        finally:
            process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
            return
        time.sleep(0.05)


@contextlib.contextmanager
def far(port: int, seconds: float) -> Iterator[int]:
    """A way to the server that takes half of so many seconds in each direction: a process of its own."""
    mine = free_port()
    with subprocess.Popen([sys.executable, "-m", "bench.far", str(mine), str(port), str(seconds)]) as process:
        wait_for(mine)
        try:
            yield mine
        finally:
            process.terminate()


def site(folder: Path, readers: int) -> Site:
    """A site with an issue of about 40 KB for so many readers."""
    (folder / "articles").mkdir(parents=True)
    write_settings(folder, port=1, connections=1, keys=())
    # Excerpts are short: whole texts make an issue as large as one is.
    for number in range(6):
        text = f"Paragraph {number} of a text that says nothing. " * 20 + "\n\n"
        (folder / "articles" / f"{number}.md").write_text(
            f'---\ntitle: "Story {number}"\ndate: 2026-11-20\n---\n' + text * 2, "utf-8"
        )
    with Database.open(read_site(folder).database_url) as db:
        for at in range(0, readers, 50_000):
            with db.write() as connection:
                count = min(50_000, readers - at)
                first = subscribers.reserve_ids(connection, count)
                everything = subscribers.interests_id(connection, "{}")
                people = [
                    {
                        "id": first + number,
                        "address": f"reader{at + number}@mail{number % 50}.example.org",
                        "key": f"reader{at + number}@mail{number % 50}.example.org",
                        "domain": f"mail{number % 50}.example.org",
                        "state": "active",
                        "zone": None,
                        "language": None,
                        "interests_id": everything,
                        "added_at": 0,
                    }
                    for number in range(count)
                ]
                subscribers.insert_subscribers(connection, people)
                rows = [("daily", first + number) for number in range(count)]
                subscriptions.insert_subscriptions(
                    connection, rows, SubscriptionState.ACTIVE, StateChange(ChangeSource.IMPORT, 0)
                )
    return read_site(folder)


def write_settings(folder: Path, *, port: int, connections: int, keys: tuple[str, ...]) -> Site:
    """Write what is measured, and return it."""
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
send = "auto"
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


def again(one: Site) -> None:
    """Let every copy wait anew."""
    from sqlalchemy import text

    with Database.open(one.database_url) as db, db.write() as connection:
        connection.execute(text("UPDATE delivery SET state = 'queued', attempts = 0, answer = NULL, sender_id = NULL"))


def ours(folder: Path, port: int, connections: int, keys: tuple[str, ...], readers: int) -> float:
    """Return messages a second of ours, in a process of its own."""
    one = write_settings(folder, port=port, connections=connections, keys=keys)
    again(one)
    code = (
        "import sys; from pathlib import Path; from publisher.settings import read_site;"
        "from publisher.delivery.deliver import deliver; import time, resource;"
        "site = read_site(Path(sys.argv[1])); began = time.perf_counter(); sent = deliver(site, 'daily', limit=int(sys.argv[2]));"
        "print(sent.tally.accepted / (time.perf_counter() - began), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(readers)], check=True, capture_output=True, text=True
    )
    rate, megabytes = (float(word) for word in done.stdout.split())
    ours.memory = megabytes  # type: ignore[attr-defined]
    return rate


def smtp_source(port: int, count: int, connections: int, size: int) -> float:
    """Return messages a second of the program in C, which merges, signs and records nothing."""
    command = ["smtp-source", "-s", str(connections), "-l", str(size), "-m", str(count)]
    began = time.perf_counter()
    subprocess.run([*command, "-f", "a@b.example", "-t", "c@d.example", f"127.0.0.1:{port}"], check=True)
    return count / (time.perf_counter() - began)


def in_threads(count: int, connections: int, work: Callable[[int], None]) -> float:
    """Return messages a second of work in threads."""
    began = time.perf_counter()
    threads = [threading.Thread(target=work, args=(count // connections,)) for _ in range(connections)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    return count / (time.perf_counter() - began)


def plain_smtplib(port: int, data: bytes) -> Callable[[int], None]:
    """Send the same bytes again and again."""

    def work(count: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as server:
            for number in range(count):
                server.sendmail("a@b.example", f"r{number}@d.example", data)

    return work


def composing(port: int, text: str, page: str, pem: bytes) -> Callable[[int], None]:
    """Do what most programs do: a message object for each reader, signed by dkimpy."""
    import dkim

    def work(count: int) -> None:
        with smtplib.SMTP("127.0.0.1", port) as server:
            for number in range(count):
                message = EmailMessage()
                message["From"], message["To"] = "news@bench.example", f"r{number}@d.example"
                message["Subject"] = "The Daily"
                message.set_content(text.replace("reader", str(number)))
                message.add_alternative(page.replace("reader", str(number)), subtype="html")
                data = message.as_bytes()
                signed = dkim.sign(data, b"s", b"bench.example", pem, include_headers=[b"from", b"to", b"subject"])
                server.sendmail("news@bench.example", f"r{number}@d.example", signed + data)

    return work


def aiosmtplib_rate(port: int, data: bytes, count: int, connections: int) -> float | None:
    """Return messages a second of aiosmtplib; None where it is not there."""
    try:
        import aiosmtplib
    except ImportError:
        return None
    import asyncio

    async def lane(amount: int) -> None:
        async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) as server:
            for number in range(amount):
                await server.sendmail("a@b.example", [f"r{number}@d.example"], data)

    async def run() -> None:
        await asyncio.gather(*(lane(count // connections) for _ in range(connections)))

    began = time.perf_counter()
    asyncio.run(run())
    return count / (time.perf_counter() - began)


def nodemailer_rate(port: int, folder: Path, count: int, connections: int, pem: Path | None) -> float | None:
    """Return messages a second of nodemailer, pooled, composing each; None where it is not there."""
    here = Path(__file__).parent / "node"
    if shutil.which("node") is None or not (here / "node_modules" / "nodemailer").is_dir():
        return None
    command = ["node", str(here / "nodemailer.mjs"), str(port), str(count), str(connections), str(folder)]
    done = subprocess.run([*command, *([str(pem)] if pem else [])], check=True, capture_output=True, text=True)
    return float(done.stdout)


def show(name: str, rate: float | None, base: float) -> None:
    """Print a line: messages a second, and against smtp-source."""
    if rate is None:
        print(f"{name:<52} not there", flush=True)
        return
    print(f"{name:<52}{rate:10,.0f} /s   {rate / base:6.2f}× smtp-source", flush=True)


def main() -> None:
    """Measure and print."""
    readers = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    if shutil.which("smtp-sink") is None:
        sys.exit("this benchmark sends to smtp-sink: apt-get install postfix (it need not be started)")
    print(machine())
    with tempfile.TemporaryDirectory() as name, sink() as port:
        folder = Path(name) / "site"
        one = site(folder, readers)
        began = time.perf_counter()
        publish(one, _NOW)
        print(f"an issue made and {readers:,} copies queued in {time.perf_counter() - began:.1f} s")
        message = next((folder / "outbox" / "daily").glob("*/message.eml")).read_bytes()
        base = smtp_source(port, readers, 10, len(message))
        show(f"smtp-source, 10 connections, {len(message):,} bytes", base, base)
        for connections in (1, 10, 20):
            for keys in ((), ("rsa",), ("rsa", "ed25519")):
                rate = ours(folder, port, connections, keys, readers)
                label = " + ".join(keys).upper() or "no DKIM"
                show(f"ours, {connections} connections, {label}, {ours.memory:.0f} MB", rate, base)  # type: ignore[attr-defined]
        peers(folder, port, message, base)
        with far(port, 0.02) as away:
            few = min(readers, 3_000)
            base = smtp_source(away, few, 10, len(message))
            show("smtp-source, 10 connections, 20 ms away", base, base)
            show("ours, 10 connections, RSA, 20 ms away", ours(folder, away, 10, ("rsa",), few), base)


def peers(folder: Path, port: int, message: bytes, base: float) -> None:
    """Measure the others."""
    show("smtplib, 10 connections, the same bytes", in_threads(5_000, 10, plain_smtplib(port, message)), base)
    show("aiosmtplib, 10 connections, the same bytes", aiosmtplib_rate(port, message, 5_000, 10), base)
    issue = next((folder / "outbox" / "daily").glob("*/message.eml")).parent
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
