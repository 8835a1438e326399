"""Fork ``python -m MODULE`` processes from one interpreter that has imported the package already.

Usage: ``python -m tests.support.fork_server CONTROL_FD``. ``tests.support.processes`` starts it and talks to it.

A new interpreter needs about a second of CPU to import the package; a fork needs milliseconds. The child is a process
of its own (directory, environment, standard streams, signals, exit status), so it can be stopped and killed.

Each request on the control socket carries file descriptors: stdin, stdout, stderr, the client's end of the control
socket (so that the child can have processes forked too), a channel, and those that the module is given. The client
writes one line of JSON to the channel (module, arguments, cwd, env, umask). The server answers with the process ID and,
later, with the exit status. When no process has the client's end any more, the server ends.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import pkgutil
import posix
import runpy
import selectors
import signal
import socket
import sys
import threading
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn, TextIO

from tests.support import processes
from tests.support.disk import skip_fsync
from tests.support.parsers import fork_parsers

#: The place of the channel among the descriptors of a request, and the most descriptors of one.
CHANNEL, MAX_DESCRIPTORS = 4, 8
#: Imported by functions of the package when they are first called.
LAZY_IMPORTS = (
    "alembic.command",
    "apscheduler.schedulers.background",
    "cryptography.hazmat.primitives.asymmetric.rsa",
    "cryptography.hazmat.primitives.serialization",
    "feedgen.feed",
    "markdown_it",
    "nh3",
    "premailer",
    "psycopg",
    "rich.progress",
    "rich.table",
    "sqlalchemy.dialects.postgresql.psycopg",
    "sqlalchemy.dialects.sqlite",
    "uvicorn",
    "uvloop",
    "watchfiles",
    "zlib_ng.zlib_ng",
)


def preload() -> None:
    """Import every module of the package, except those that run when they are imported."""
    import publisher

    for module in pkgutil.walk_packages(publisher.__path__, "publisher."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    for name in LAZY_IMPORTS:
        importlib.import_module(name)
    compile_templates()
    # Collected objects would be copied into every child.
    gc.collect()
    gc.freeze()


def compile_templates() -> None:
    """Let the package compile and cache its templates."""
    from publisher.errors import TemplateError
    from publisher.templating.environment import render_template
    from publisher.templating.sources import shipped_templates

    folder = shipped_templates()
    for path in sorted(folder.rglob("*.j2")):
        # A template is compiled before the first name that it misses.
        with suppress(TemplateError):
            render_template(Path(), path.relative_to(folder).as_posix(), {})


def serve(control: socket.socket) -> list[int]:
    """Fork a child for each request; return only in the child, with its file descriptors.

    Raises:
        SystemExit: the client has closed the control socket.
    """
    wake_read, wake_write = os.pipe()
    for descriptor in (wake_read, wake_write):
        os.set_blocking(descriptor, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write)
    channels: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not control:
                    os.read(wake_read, 4096)
                    report_exits(channels)
                    continue
                data, descriptors, _, _ = socket.recv_fds(control, 1, MAX_DESCRIPTORS)
                if not data:
                    raise SystemExit(0)
                pid = os.fork()
                if not pid:
                    signal.set_wakeup_fd(-1)
                    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                    for descriptor in (wake_read, wake_write, *channels.values()):
                        os.close(descriptor)
                    control.close()
                    return descriptors
                channels[pid] = descriptors.pop(CHANNEL)
                for descriptor in descriptors:
                    os.close(descriptor)
                tell(channels[pid], pid)


def report_exits(channels: dict[int, int]) -> None:
    """Send the exit status of each child that has ended, and close its channel."""
    for pid in list(channels):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            channel = channels.pop(pid)
            tell(channel, os.waitstatus_to_exitcode(status))
            os.close(channel)


def tell(channel: int, number: int) -> None:
    try:
        os.write(channel, b"%d\n" % number)
    except OSError:
        # The client no longer waits for this process.
        return


def become(descriptors: list[int]) -> int:
    """Turn this forked child into ``python -m MODULE``, run the module, and return its exit status."""
    *streams, control, channel = descriptors[: CHANNEL + 1]
    with os.fdopen(channel, "rb") as request:
        wanted = json.loads(request.readline())
    processes.use_control(socket.socket(fileno=control))
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin = sys.__stdin__ = stream(0, "r")  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = stream(1, "w")  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = stream(2, "w")  # type: ignore[misc]
    os.chdir(wanted["cwd"])
    if wanted["umask"] is not None:
        os.umask(wanted["umask"])
    os.environ.clear()
    os.environ.update(wanted["env"])
    time.tzset()
    sys.argv = [wanted["module"], *wanted["arguments"], *map(str, descriptors[CHANNEL + 1 :])]
    try:
        runpy.run_module(wanted["module"], run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    except BaseException:
        traceback.print_exc()
        return 1
    return 0


def leave(status: int) -> NoReturn:
    """End as an interpreter does (threads, ``atexit``, streams), without taking every module apart."""
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # As an interpreter that cannot write its last output.
            status = status or 120
    # Not os._exit: to record coverage, that is replaced by one that saves it once more, which takes 60 ms of CPU.
    posix._exit(status)


def stream(descriptor: int, mode: str) -> TextIO:
    errors = "backslashreplace" if descriptor == 2 else "strict"
    buffering = 1 if descriptor == 2 or os.isatty(descriptor) else -1
    return open(descriptor, mode, buffering, encoding="utf-8", errors=errors, closefd=False)


if __name__ == "__main__":
    # Ctrl-C is for the client, which then closes the control socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    skip_fsync()
    preload()
    fork_parsers()
    descriptors = serve(socket.socket(fileno=int(sys.argv[1])))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    leave(become(descriptors))
