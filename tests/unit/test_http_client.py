"""Requests to other servers, their responses and their errors."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import pytest

from publisher import http_client as module
from publisher.errors import RemoteError
from publisher.http_client import CallbackClient, HttpClient
from tests.support.http_servers import run_web_server


def error_message(url: str, timeout: float = 2) -> str:
    with HttpClient(timeout) as remote, pytest.raises(RemoteError) as error:
        remote.get(url)
    return str(error.value)


def start_server(answer: Callable[[socket.socket], None]) -> tuple[str, threading.Thread]:
    """Start a server that calls ANSWER for its one connection; return its URL and its thread."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                answer(connection)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{server.getsockname()[1]}/", thread


def test_a_response_has_status_headers_and_final_url() -> None:
    """Names of headers are in lower case."""
    with run_web_server() as web, HttpClient() as remote:
        web.pages = {"/a": (302, {"Location": "b"}, b""), "/b": (404, {"X-Some-Thing": "x"}, b"body")}
        answer = remote.get(web.url + "/a")
        assert (answer.status, answer.url, answer.body) == (404, web.url + "/b", b"body")
        assert answer.headers["x-some-thing"] == "x"
        answer = remote.post(web.url + "/hub", {"a b": "ä&"})
        assert (answer.status, web.posts) == (204, [("/hub", {"a b": "ä&"})])


def test_redirects_are_limited() -> None:
    """After three redirects the response is the redirect."""
    with run_web_server() as web, HttpClient() as remote:
        web.pages = {"/a": (302, {"Location": "/a"}, b"")}
        assert remote.get(web.url + "/a").status == 302
        assert len(web.gets) <= 5


def test_an_unreachable_server_is_an_error() -> None:
    """The message tells a refused connection from an unknown name."""
    with run_web_server() as web:
        pass
    assert error_message(web.url) == f"{web.url}: the server does not answer"
    assert error_message("http://nobody.invalid/").endswith(": no server of that name")
    assert "http://" in error_message("http://[bad/")


def test_a_silent_server_times_out() -> None:
    """The timeout counts seconds without a byte."""
    release = threading.Event()
    url, thread = start_server(lambda _: release.wait(10) and None)
    assert error_message(url, 0.2) == f"{url}: no answer in time"
    release.set()
    thread.join(10)


def test_a_closed_connection_is_an_error() -> None:
    """The message names the URL."""
    url, thread = start_server(
        lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort")
    )
    assert error_message(url).startswith(url)
    thread.join(10)


def test_an_endless_response_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The size of a body is limited."""
    monkeypatch.setattr(module, "MAX_BODY_BYTES", 1000)
    with run_web_server() as web:
        web.pages = {"/a": (200, {}, b"x" * 5000)}
        assert error_message(web.url + "/a").endswith("more than 1,000 bytes")


def test_a_tls_error_is_an_error() -> None:
    """The message says that the certificate is not trusted."""
    with run_web_server() as web:
        assert "its certificate is not trusted" in error_message(web.url.replace("http:", "https:"))


# -- callback URLs of WebSub subscribers ----------------------------------------------------------------------


DROPS = pytest.mark.parametrize(
    ("first", "drop"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"", b""),
    ],
)


def start_slow_server(first: bytes, drop: bytes, over: threading.Event) -> tuple[str, threading.Thread]:
    """Start a server that sends the first part of a response, and then one part after the other without end."""

    def answer(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            connection.sendall(first)
            while not over.wait(0.1):
                connection.sendall(drop)

    return start_server(answer)


@DROPS
def test_a_slow_response_ends_at_the_time_limit(first: bytes, drop: bytes) -> None:
    """A timeout per byte does not limit the whole request."""
    over = threading.Event()
    url, thread = start_slow_server(first, drop, over)
    with HttpClient(timeout=30, max_seconds=0.6) as remote, pytest.raises(RemoteError) as error:
        remote.get(url)
    assert str(error.value) == f"{url}: no complete answer within 0.6 seconds"
    if not drop:
        over.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_reused_connection_has_a_time_limit_per_request() -> None:
    """The second request on a connection is limited like the first."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with server, connection, contextlib.suppress(OSError):
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while True:
                connection.sendall(b"x")
                threading.Event().wait(0.1)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.getsockname()[1]}/"
    with HttpClient(timeout=30, max_seconds=0.6) as remote:
        assert remote.get(url).body == b"ok"
        with pytest.raises(RemoteError, match="no complete answer within"):
            remote.get(url)
    thread.join(10)
    assert not thread.is_alive()


@DROPS
def test_a_slow_callback_ends_at_the_time_limit(first: bytes, drop: bytes) -> None:
    """Callbacks of outsiders have a limit of their own."""
    over = threading.Event()
    url, thread = start_slow_server(first, drop, over)
    with pytest.raises(RemoteError, match="in time"):
        CallbackClient(["127.0.0.0/8"], timeout=30, max_seconds=0.6).request("GET", url)
    # The connection is gone, or else this would go on.
    if not drop:
        over.set()
    thread.join(10)
    assert not thread.is_alive()


def test_a_callback_in_time_succeeds() -> None:
    """The time limit does not affect fast responses."""
    url, thread = start_server(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    answer = CallbackClient(["127.0.0.0/8"]).request("GET", url)
    assert (answer.status, answer.body) == (200, b"ok")
    thread.join(10)


def test_a_callback_with_an_impossible_address_is_rejected_before_a_request() -> None:
    """For good, if no other attempt can succeed."""
    client = CallbackClient()
    with pytest.raises(RemoteError, match=r"a.example: Port out of range 0-65535") as raised:
        client.request("POST", "https://a.example:99999/")
    assert raised.value.is_final
    with pytest.raises(RemoteError, match="no server of that name") as raised:
        client.request("POST", f"http://{'a' * 70}.example/")
    assert not raised.value.is_final


def test_a_callback_over_tls_is_for_the_host_of_its_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """The connection goes to the address that was checked."""
    import urllib3

    seen: dict[str, object] = {}

    class Pool:
        ConnectionCls = urllib3.connection.HTTPSConnection

        def __init__(self, address: str, port: int, **options: object) -> None:
            seen.update(address=address, port=port, **options)

        def request(self, *_: object, **__: object) -> None:
            raise urllib3.exceptions.HTTPError("no TLS here")

        def close(self) -> None:
            seen["closed"] = True

    monkeypatch.setattr(urllib3, "HTTPSConnectionPool", Pool)
    monkeypatch.setattr(module.socket, "getaddrinfo", lambda *_, **__: [(0, 0, 0, "", ("198.41.0.4", 443))])
    with pytest.raises(RemoteError, match=r"a.example: no TLS here"):
        CallbackClient().request("POST", "https://a.example/")
    assert (seen["address"], seen["server_hostname"], seen["assert_hostname"]) == (
        "198.41.0.4",
        "a.example",
        "a.example",
    )
    assert seen["closed"]


def test_a_connection_that_is_opened_after_the_deadline_is_shut_down() -> None:
    """A redirect may lead to a slow server."""
    ours, theirs = socket.socketpair()
    with ours, theirs, module._Deadline(60) as deadline:
        deadline._shut_down()
        deadline.watch(ours)
        assert theirs.recv(1) == b""
