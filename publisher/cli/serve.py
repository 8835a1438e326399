"""``publish serve``: serve feeds and pages over HTTP, with the runner in the same process."""

from __future__ import annotations

import gc
import re
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import click

from publisher.cli.common import log_option, raise_descriptor_limit, site_option
from publisher.errors import PublisherError, extra_needed
from publisher.settings import Site, read_site

if TYPE_CHECKING:
    from publisher.runner import Runner
    from publisher.runner.logs import Log

#: Seconds for which a public page is served from the cache without a query.
_CACHE_SECONDS = 1.0


@click.command("serve")
@site_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True, help="The port to listen on.")
@click.option("--no-run", is_flag=True, help="Serve only; run the schedule in another process.")
@click.option(
    "--metrics",
    metavar="HOST:PORT",
    help="Serve Prometheus metrics at this private address, such as 127.0.0.1:9100.",
)
@log_option
def command(folder: Path, host: str, port: int, no_run: bool, metrics: str | None, form: str) -> None:
    """Serve feeds and pages over HTTP, and run the schedule.

    Serves the feeds, a front page, newsletters with their sign-up form, subscribers' preferences,
    /healthz and /readyz, and does what 'publish run' does in the same process. Put it behind a web
    server that terminates TLS.

    On a terminal the addresses to open are printed once the server listens.

    SIGTERM or Ctrl-C finishes open requests and messages and stops. SIGHUP reloads the settings; a
    change of publisher.toml does so too.

    Exit status: 0 stopped; 2 usage or settings; 3 failed.
    """
    from publisher.runner import Runner, log_exposed_paths, make_log

    with extra_needed("serve", "publish serve"):
        from publisher.web import Metrics, Web

    site = read_site(folder)
    if metrics is not None and not re.fullmatch(r".+:\d{1,5}", metrics):
        raise click.BadParameter("write it as HOST:PORT, as in 127.0.0.1:9100", param_hint="--metrics")
    sock = _listen(host, port)
    log = make_log(sys.stdout, as_json=form == "json")
    beside = None if no_run else _RunnerThread(Runner(site, log))
    unready_reason = beside.unready_reason if beside else lambda: ""
    figures = Metrics(site, unready_reason)
    wake = beside.runner.wake if beside else lambda name: None
    web = Web(site, unready_reason=unready_reason, wake=wake, metrics=figures, log=log, cache_seconds=_CACHE_SECONDS)
    server = _server(web, site)
    # The server has handlers of its own while it runs, and afterwards raises again what it has caught.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    end_metrics = figures.serve(*_split(metrics)) if metrics else lambda: None
    if beside is not None:
        signal.signal(signal.SIGHUP, lambda *_: beside.runner.reload())
        beside.start(server)
    else:
        log_exposed_paths(site, log)
    try:
        _report_addresses(site, host, sock.getsockname()[1], log)
        server.run(sockets=[sock])
    finally:
        error = beside.end() if beside is not None else None
        end_metrics()
    if error is not None:
        raise error


def _report_addresses(site: Site, host: str, port: int, log: Log) -> None:
    """Log where the server listens, and print its URLs on a terminal."""
    log.info("serving", host=host, port=port, feeds=site.feeds_url, joining=site.accepts_subscriptions)
    if sys.stderr.isatty():
        for line in address_lines(site, host, port):
            click.echo(line, err=True)


#: Addresses for every interface → the address at which this machine reaches them.
_LOCAL_ADDRESSES: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def address_lines(site: Site, host: str, port: int) -> list[str]:
    """Return the URLs of the pages on this machine as lines of text, for a terminal."""
    name = _LOCAL_ADDRESSES.get(host, host)
    origin = f"http://{f'[{name}]' if ':' in name else name}:{port}"
    pages = {"site": f"{site.base_url}/"}
    if site.digests:
        pages["newsletters"] = f"{site.newsletters_url}/"
    pages["feeds"] = f"{site.feeds_url}/"
    return [
        f"{site.title} is served. Ctrl-C stops it.",
        *(f"  {label:<12} {origin}{urlsplit(url).path}" for label, url in pages.items()),
        f"  Links in the pages lead to {site.base_url}/ (base_url in publisher.toml).",
    ]


def _split(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _server(web: Any, site: Site) -> Any:
    import uvicorn

    from publisher.web.bounded_server import BoundedServer, most_connections
    from publisher.web.connection_limits import DeadlineProtocol

    most = most_connections(raise_descriptor_limit(), deliveries=site.delivery.connections)
    config = uvicorn.Config(
        web,
        http=DeadlineProtocol,
        ws="none",
        access_log=False,
        log_config=None,
        # Data that is not HTTP is counted (--metrics) and not logged, so that no client can fill the disk.
        log_level="error",
        server_header=False,
        # web.proxies in the settings decides which forwarded addresses are trusted.
        proxy_headers=False,
        # The listener has a bound of its own, below this: uvicorn counts at each request only.
        limit_concurrency=most + 1,
        timeout_graceful_shutdown=10,
        timeout_keep_alive=30,
    )
    # Objects of the start live as long as the process: collections that look through them would delay responses.
    gc.collect()
    gc.freeze()
    return BoundedServer(config, most)


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=2048
        )
    except OSError as error:
        # Python adds the address to some of the reasons.
        reason = (error.strerror or str(error)).partition(" (while")[0]
        raise PublisherError(
            f"cannot listen on {host}:{port}: {reason}. Give another address with --host or --port"
        ) from error


class _RunnerThread:
    """The runner, in a thread beside the server. When one ends, both do."""

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._error: PublisherError | None = None
        self._thread: threading.Thread | None = None

    def start(self, server: Any) -> None:
        def run() -> None:
            try:
                self.runner.run()
            except PublisherError as error:
                self._error = error
            except Exception as error:
                self._error = PublisherError(f"the runner ended: {error}")
            finally:
                server.should_exit = True

        self._thread = threading.Thread(target=run, name="runner", daemon=True)
        self._thread.start()

    def unready_reason(self) -> str:
        """Return why the process is not ready; empty if it is."""
        if self._thread is None or not self._thread.is_alive():
            return "the runner is not running"
        return self.runner.late_reason()

    def end(self) -> PublisherError | None:
        """Stop the runner, and return the error that had ended it."""
        self.runner.stop()
        if self._thread is not None:
            self._thread.join(30)
        return self._error
