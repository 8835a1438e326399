"""Open many connections that send a request drop by drop, in a process with descriptors of its own.

python -m tests.support.slow_connections HOST PORT COUNT: prints ``open`` once COUNT were tried, keeps them at
work and replaces those that were closed, until standard input ends.
"""

from __future__ import annotations

import contextlib
import resource
import select
import socket
import sys

if __name__ == "__main__":
    host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, count + 200) if hard > 0 else count + 200, hard))
    made: list[socket.socket] = []

    def connect() -> None:
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect((host, port))
        made.append(sock)

    for _ in range(count):
        connect()
    print("open", flush=True)
    while not select.select([sys.stdin], [], [], 0.2)[0]:
        for sock in list(made):
            try:
                sock.send(b"G")
            except BlockingIOError:
                pass
            except OSError:
                made.remove(sock)
                sock.close()
                connect()
