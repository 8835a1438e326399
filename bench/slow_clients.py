"""(m) Slow and endless clients: ``publish serve`` against uvicorn's own limits, with and without nginx in front.

    python -m bench.slow_clients

Both servers have 512 file descriptors and the same application. Takes two minutes; needs nginx.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.serve import free_port, memory
from bench.timing import machine

_DESCRIPTORS = 512
_SLOW_CLIENTS = 800
#: How long the benchmark waits for the end of a slow client.
_PATIENCE_SECONDS = 25
_ENDLESS_BYTES = 100_000_000
_SETTINGS = 'title = "Bench"\nbase_url = "http://127.0.0.1"\n[database]\nurl = "sqlite:///publisher.db"\n'
#: uvicorn with the limits that it has itself.
_UVICORN = """
import sys, uvicorn
from pathlib import Path
from publisher.settings import read_site
from publisher.web import Web
web = Web(read_site(Path(sys.argv[2])))
uvicorn.run(web, port=int(sys.argv[1]), http="httptools", ws="none", access_log=False, log_level="error",
            limit_concurrency=256, timeout_keep_alive=30, backlog=2048)
"""
_NGINX = """
worker_processes 1; worker_rlimit_nofile 8192; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
    access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    upstream publisher {{ server 127.0.0.1:{behind}; keepalive 32; }}
    server {{ listen 127.0.0.1:{port} backlog=2048;
        location / {{ proxy_pass http://publisher; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}
}}
"""


@contextmanager
def running(command: list[str], port: int) -> Iterator[int]:
    """Run a server until the end of the block; yield its process."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(400):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 0.2).close()
                break
            time.sleep(0.05)
        else:
            sys.exit(f"{command[0]} does not listen on port {port}")
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def is_answered(port: int) -> bool:
    """Return whether a new client gets a response within two seconds."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as client:
            client.sendall(b"GET /feeds/all.rss HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return client.recv(100).startswith(b"HTTP/1.1 200")
    except OSError:
        return False


def answered_among_slow_clients(port: int) -> int:
    """Return the percentage of new clients that are answered while others have sent half a request."""
    with contextlib.ExitStack() as stack:
        for _ in range(_SLOW_CLIENTS):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                client.connect(("127.0.0.1", port))
            with contextlib.suppress(OSError):
                client.send(b"GET / HTTP/1.1\r\n")
        time.sleep(3)
        answers = [is_answered(port) for _ in range(20)]
    return 100 * sum(answers) // len(answers)


def seconds_until_closed(port: int) -> float | None:
    """Return how long a client may take to send a header, a byte a second; None if too long."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        while time.monotonic() - began < _PATIENCE_SECONDS:
            if select.select([client], [], [], 1)[0]:
                return time.monotonic() - began
            try:
                client.sendall(b"a")
            except OSError:
                return time.monotonic() - began
    return None


def endless_header(port: int, pid: int) -> tuple[float, int]:
    """Return the megabytes of a header that a server accepts, and its growth in megabytes."""
    before, sent = memory(pid), 0
    with socket.create_connection(("127.0.0.1", port), 5) as client, contextlib.suppress(OSError):
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nX: ")
        while sent < _ENDLESS_BYTES:
            sent += client.send(b"a" * 65_536)
        return sent / 1e6, memory(pid) - before
    return sent / 1e6, memory(pid) - before


def measure(name: str, port: int, pid: int) -> None:
    """Print what a server does with slow and endless clients."""
    closed = seconds_until_closed(port)
    accepted, growth = endless_header(port, pid)
    answered = answered_among_slow_clients(port)
    ended = f"closed after {closed:.0f} s" if closed is not None else f"open after {_PATIENCE_SECONDS} s"
    print(
        f"  {name:<35} slow header {ended:<20} endless header {accepted:6.1f} MB accepted, {growth:+4d} MB memory   "
        f"{answered:3d} % answered among {_SLOW_CLIENTS} slow clients",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    print(f"(m) slow clients; {machine()}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard if 0 < hard < 4096 else 4096, hard))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "articles").mkdir()
        (folder / "publisher.toml").write_text(_SETTINGS)
        (folder / "articles" / "one.md").write_text('---\ntitle: "One"\ndate: 2026-11-20\n---\nText.\n')
        subprocess.run(
            [sys.executable, "-m", "publisher", "now", "--site", name], check=True, stdout=subprocess.DEVNULL
        )
        for label, program in (
            ("publish serve", ["-m", "publisher", "serve", "--no-run", "--site", name, "--port"]),
            ("uvicorn's own limits", ["-c", _UVICORN]),
        ):
            behind, port = free_port(), free_port()
            arguments = [*program, str(behind), *([name] if program[0] == "-c" else [])]
            limited = ["sh", "-c", f'ulimit -n {_DESCRIPTORS}; exec "$@"', "-", sys.executable, *arguments]
            with running(limited, behind) as pid:
                measure(label, behind, pid)
                conf = folder / "nginx.conf"
                conf.write_text(_NGINX.format(folder=folder, behind=behind, port=port))
                with running(["nginx", "-c", str(conf)], port):
                    measure(f"{label}, behind nginx", port, pid)


if __name__ == "__main__":
    main()
