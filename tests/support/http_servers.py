"""A web server and a hub of our own, on this machine, for tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

TYPES = {"rss": "application/rss+xml", "atom": "application/atom+xml", "json": "application/feed+json"}


class Web:
    """Serves a folder, and notes and answers what is posted to it."""

    def __init__(self) -> None:
        #: Served at /feeds/; None answers 503.
        self.folder: Path | None = None
        #: Status of the answers to POST, in their order; the last one goes on.
        self.answers: list[int] = [204]
        #: What was posted: (path, fields).
        self.posts: list[tuple[str, dict[str, str]]] = []
        self.gets: list[str] = []
        #: Whether If-None-Match is passed over.
        self.ignores_conditions = False
        #: What is said to a POST that fails.
        self.words = b"no, because <x>"
        #: Path → (status, headers, body), before any file.
        self.pages: dict[str, tuple[int, dict[str, str], bytes]] = {}
        web = self

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
                web.gets.append(path)
                if path in web.pages:
                    status, headers, body = web.pages[path]
                    tag = headers.get("ETag")
                    if tag is not None and self.headers.get("If-None-Match") == tag and not web.ignores_conditions:
                        self.reply(304, {"ETag": tag}, b"")
                    else:
                        self.reply(status, headers, body)
                    return
                file = web.folder / path.removeprefix("/feeds/") if web.folder is not None else None
                if file is None or not file.is_file():
                    self.reply(503 if file is None else 404, {}, b"")
                    return
                self.reply(200, {"Content-Type": TYPES.get(file.suffix[1:], "text/plain")}, file.read_bytes())

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                web.posts.append((self.path, {name: values[0] for name, values in parse_qs(body).items()}))
                status = web.answers.pop(0) if len(web.answers) > 1 else web.answers[0]
                self.reply(status, {}, web.words if status >= 400 else b"")

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"


@contextmanager
def serving() -> Iterator[Web]:
    web = Web()
    thread = threading.Thread(target=web.server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield web
    finally:
        web.server.shutdown()
        web.server.server_close()
        thread.join()
