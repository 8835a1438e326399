"""A web server for tests that serves a folder and records requests, as a hub for example."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json"}


class WebServer:
    """An HTTP server on 127.0.0.1 that serves files and pages, and records requests."""

    def __init__(self) -> None:
        #: The folder that is served at /feeds/; None for status 503.
        self.folder: Path | None = None
        #: Statuses of the next POST requests, in order; the last one is used for all later ones.
        self.post_statuses: list[int] = [204]
        #: Posted forms: (path, fields).
        self.posts: list[tuple[str, dict[str, str]]] = []
        #: Paths of GET requests.
        self.gets: list[str] = []
        #: Whether If-None-Match is ignored.
        self.ignores_conditions = False
        #: The body of the response to a POST that fails.
        self.error_body = b"no, because <x>"
        #: Path → (status, headers, body); pages have priority over files.
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self) -> None:
                path = unquote(urlsplit(self.path).path)
                server.gets.append(path)
                if path in server.pages:
                    status, headers, body = server.pages[path]
                    tag = headers.get("ETag")
                    if tag is not None and self.headers.get("If-None-Match") == tag and not server.ignores_conditions:
                        self.reply(304, {"ETag": tag}, b"")
                    else:
                        self.reply(status, headers, body)
                    return
                file = server.folder / path.removeprefix("/feeds/") if server.folder is not None else None
                if file is None or not file.is_file():
                    self.reply(503 if file is None else 404, {}, b"")
                    return
                self.reply(200, {"Content-Type": TYPES.get(file.suffix[1:], "text/plain")}, file.read_bytes())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                server.posts.append((self.path, {name: values[0] for name, values in parse_qs(body).items()}))
                status = server.post_statuses.pop(0) if len(server.post_statuses) > 1 else server.post_statuses[0]
                self.reply(status, {}, server.error_body if status >= 400 else b"")

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.port = self.http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


@contextmanager
def run_web_server() -> Iterator[WebServer]:
    """Run a web server in a thread."""
    web = WebServer()
    thread = threading.Thread(target=web.http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.http.shutdown()
        web.http.server_close()
        thread.join()
