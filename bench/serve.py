"""A feed of 200 KB over HTTP: Publisher against nginx with the same files, each on one core, with wrk on the other.

python -m bench.serve [SECONDS]: needs nginx and wrk (Debian). Run nothing else on the machine at the same time.
"""

from __future__ import annotations

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import Request, urlopen

from bench.delivery import sink, site, wait_for, write_settings
from bench.timing import machine
from publisher import Publisher
from publisher.clock import FixedClock
from publisher.delivery import store as deliveries
from publisher.model.delivery import DeliveryState
from publisher.settings import read_site
from publisher.storage.engine import Database

_SETTINGS = """
title = "Bench"
base_url = "http://127.0.0.1:{port}"
"""
_NGINX = """
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
    types {{ application/rss+xml rss; }}
    server {{ listen 127.0.0.1:{port} backlog=2048; gzip_static on; etag on;
        location /feeds/ {{ alias {feeds}/; add_header Cache-Control "public, max-age=300"; }} }}
}}
"""
#: The lower bound for a response by this server: a constant response without any checks.
_BARE = """
import sys, uvicorn
body = open(sys.argv[2], "rb").read()
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    known = any(name == b"if-none-match" for name, _ in scope["headers"])
    headers = [(b"etag", b'"x"')] if known else [(b"etag", b'"x"'), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 304 if known else 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if known else body})
uvicorn.run(app, port=int(sys.argv[1]), access_log=False, log_level="error", lifespan="off", ws="none")
"""
#: Rounds in which the servers alternate, so that other load affects all of them.
_ROUNDS = 3
_CONNECTIONS = 64


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(command: list[str], port: int) -> Iterator[int]:
    """Run a server on the first core; yield its process."""
    process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            except OSError:
                time.sleep(0.05)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def measure(url: str, seconds: int, *headers: str) -> tuple[float, str]:
    """Return the responses per second, and their 99th percentile as wrk prints it."""
    asked = [part for header in headers for part in ("-H", header)]
    command = ["taskset", "-c", "1", "wrk", "-t1", f"-c{_CONNECTIONS}", f"-d{seconds}s", "--latency", *asked, url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    late = re.search(r"^\s+99%\s+(\S+)", output, re.MULTILINE)
    if rate is None or late is None:
        sys.exit(output)
    return float(rate[1]), late[1]


def etag(url: str, *headers: str) -> str:
    """Return a feed's ETag."""
    asked = [part for header in headers for part in ("-H", header)]
    output = subprocess.run(["curl", "-sI", *asked, url], check=True, capture_output=True, text=True).stdout
    match = re.search(r"(?im)^etag: (\S+)", output)
    return match[1] if match else sys.exit(output)


def memory(pid: int) -> int:
    """Return the resident memory of a process in megabytes."""
    return int(Path(f"/proc/{pid}/status").read_text().partition("VmRSS:")[2].split()[0]) // 1024


def measure_while_sending(seconds: int) -> None:
    """Measure while the same process sends 50,000 deliveries."""
    with tempfile.TemporaryDirectory() as name, sink() as port:
        folder = Path(name) / "site"
        site(folder, 50_000)
        # The server sends it, and leaves old issues alone.
        Publisher(
            write_settings(folder, port=port, connections=10, keys=()), clock=FixedClock(datetime.now(UTC))
        ).digests.approve("daily")
        ours = free_port()
        command = [sys.executable, "-m", "publisher", "serve", "--port", str(ours), "--site", str(folder)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            wait_for(ours)
            time.sleep(2)
            before = accepted(folder)
            rate, late = measure(f"http://127.0.0.1:{ours}/feeds/all.rss", seconds, "If-None-Match: x")
            sent = accepted(folder) - before
            process.terminate()
            process.communicate()
        print(
            f"  200 while an issue is sent: {rate:,.0f} responses per second, p99 {late}; {sent / seconds:,.0f} deliveries per second"
        )


def accepted(folder: Path) -> int:
    """Return the number of accepted deliveries."""
    with Database.open(read_site(folder).database_url) as db, db.read() as connection:
        counts = deliveries.state_counts(connection)
    return sum(states.get(DeliveryState.ACCEPTED, 0) for states in counts.values())


def measure_websub(times: int) -> None:
    """Measure the time from writing an article file to the callback of a WebSub subscriber."""
    notified_at: list[float] = []

    class Callback(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Do not log."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(parse_qs(urlsplit(self.path).query)["hub.challenge"][0].encode())

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            notified_at.append(time.monotonic())
            self.send_response(204)
            self.end_headers()

    with tempfile.TemporaryDirectory() as name, ThreadingHTTPServer(("127.0.0.1", 0), Callback) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder, ours = Path(name), free_port()
        (folder / "articles").mkdir()
        (folder / "publisher.toml").write_text(
            _SETTINGS.format(port=ours) + '[web]\nhub = true\nhub_networks = ["127.0.0.0/8"]\n'
        )
        command = [sys.executable, "-m", "publisher", "serve", "--port", str(ours), "--site", name]
        waits: dict[str, list[float]] = {"articles/": [], "publish now": []}
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for(ours)
            write(folder, 0)
            time.sleep(3)
            fields = {
                "hub.mode": "subscribe",
                "hub.topic": f"http://127.0.0.1:{ours}/feeds/all.atom",
                "hub.callback": f"http://127.0.0.1:{server.server_address[1]}/",
            }
            with urlopen(f"http://127.0.0.1:{ours}/hub", urlencode(fields).encode()):
                time.sleep(1)
            for number in range(1, times + 1):
                waits["articles/"].append(
                    seconds_until_notified(notified_at, lambda number=number: write(folder, number))
                )
            process.send_signal(signal.SIGTERM)
            process.wait()
        command = [sys.executable, "-m", "publisher", "serve", "--no-run", "--port", str(ours), "--site", name]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            wait_for(ours)
            now = [sys.executable, "-m", "publisher", "now", "--feeds-only", "--site", name]
            for number in range(times + 1, 2 * times + 1):
                write(folder, number)
                waits["publish now"].append(
                    seconds_until_notified(
                        notified_at, lambda: subprocess.run(now, check=True, stdout=subprocess.DEVNULL)
                    )
                )
            process.terminate()
        server.shutdown()
    for source, seconds in waits.items():
        print(f"  from {source} to a subscriber's callback: {sorted(seconds)[len(seconds) // 2] * 1000:.0f} ms")


def write(folder: Path, number: int) -> None:
    """Write an article."""
    (folder / "articles" / f"{number}.md").write_text(f'---\ntitle: "S{number}"\ndate: 2026-11-20\n---\nText.\n')


def seconds_until_notified(notified_at: list[float], work: Callable[[], object]) -> float:
    """Return the seconds from the start of some work until the next notification."""
    before, began = len(notified_at), time.monotonic()
    work()
    while len(notified_at) == before:
        time.sleep(0.005)
    return notified_at[before] - began


def measure_memory(feeds: int) -> None:
    """Measure the memory after a number of feeds was requested, in two formats and two encodings."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours = free_port()
        (folder / "articles").mkdir()
        (folder / "publisher.toml").write_text(_SETTINGS.format(port=ours))
        for number in range(feeds):
            text = " ".join(f"{number * 7919 + word * 104729 % 9973:x}" for word in range(750))
            (folder / "articles" / f"{number}.md").write_text(
                f'---\ntitle: "S{number}"\ndate: 2026-11-20\ntags: [t{number}, u{number // 20}]\n---\n{text}\n'
            )
        subprocess.run(
            [sys.executable, "-m", "publisher", "now", "--site", name], check=True, stdout=subprocess.DEVNULL
        )
        publish = [sys.executable, "-m", "publisher", "serve", "--port", str(ours), "--site", name]
        files = [path.relative_to(folder) for path in (folder / "feeds").rglob("*") if path.suffix in (".rss", ".atom")]
        with serving(publish, ours) as pid:
            for path in files:
                for coding in ("identity", "gzip"):
                    request = Request(f"http://127.0.0.1:{ours}/{path}", headers={"Accept-Encoding": coding})
                    with urlopen(request) as answer:  # noqa: S310
                        answer.read()
            print(f"  memory with {len(files):,} requested feeds, with the runner: {memory(pid)} MB")


def compare(label: str, headers: tuple[str, ...] | None, ports: dict[str, int], seconds: int) -> None:
    """Measure one kind of request at all servers alternately, and print medians; no headers mean a conditional request."""
    results: dict[str, list[tuple[float, str]]] = {name: [] for name in ports}
    for _ in range(_ROUNDS):
        for name, port in ports.items():
            url = f"http://127.0.0.1:{port}/feeds/all.rss"
            asked = (f"If-None-Match: {etag(url)}",) if headers is None else headers
            results[name].append(measure(url, seconds, *asked))
    middle = {name: sorted(rows)[_ROUNDS // 2] for name, rows in results.items()}
    shown = "   ".join(f"{name} {rate:9,.0f} {late:>9}" for name, (rate, late) in middle.items())
    ours = middle["publish serve"][0]
    print(f"  {label:<10} {shown}   {ours / middle['nginx'][0]:.2f}x, {ours / middle['uvicorn'][0]:.2f}x")


def main() -> None:
    """Measure and print."""
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    for tool in ("nginx", "wrk", "curl", "taskset"):
        if shutil.which(tool) is None:
            sys.exit(f"this benchmark needs {tool}: apt-get install {tool}")
    print(machine())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        theirs, ours = free_port(), free_port()
        (folder / "articles").mkdir()
        (folder / "publisher.toml").write_text(_SETTINGS.format(port=ours))
        for number in range(50):
            text = " ".join(f"{number * 7919 + word * 104729 % 9973:x}" for word in range(750))
            (folder / "articles" / f"{number}.md").write_text(
                f'---\ntitle: "S{number}"\ndate: 2026-11-20\n---\n{text}\n'
            )
        subprocess.run(
            [sys.executable, "-m", "publisher", "now", "--site", name], check=True, stdout=subprocess.DEVNULL
        )
        settings = folder / "nginx.conf"
        settings.write_text(_NGINX.format(folder=folder, port=theirs, feeds=folder / "feeds"))
        size = (folder / "feeds" / "all.rss").stat().st_size
        print(f"\nall.rss, {size / 1000:.0f} KB, {_CONNECTIONS} connections (responses per second, p99):")
        nginx = ["nginx", "-c", str(settings), "-g", "daemon off;"]
        publish = [sys.executable, "-m", "publisher", "serve", "--no-run", "--port", str(ours), "--site", name]
        bare = {
            coding: [sys.executable, "-c", _BARE, str(free_port()), str(folder / "feeds" / f"all.rss{suffix}")]
            for coding, suffix in (("identity", ""), ("gzip", ".gz"))
        }
        with serving(nginx, theirs), serving(publish, ours) as pid:
            for label, headers in (("200", ()), ("200, gzip", ("Accept-Encoding: gzip",)), ("304", None)):
                least = bare["gzip" if "gzip" in label else "identity"]
                with serving(least, int(least[3])):
                    compare(label, headers, {"nginx": theirs, "publish serve": ours, "uvicorn": int(least[3])}, seconds)
            print(f"  memory of publish serve: {memory(pid)} MB")
    measure_while_sending(seconds)
    measure_websub(5)
    measure_memory(1000)


if __name__ == "__main__":
    main()
