"""HTTP requests to other servers: hubs, feeds to check, and callback URLs of WebSub subscribers."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, Self
from urllib.parse import urljoin, urlsplit

from publisher.errors import RemoteError
from publisher.version import __version__

MAX_BODY_BYTES: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """The response of a server."""

    status: int
    #: The URL of the response, after redirects.
    url: str
    #: By name in lower case.
    headers: Mapping[str, str]
    body: bytes


class _Deadline:
    """Time limit of a whole request: a timer thread shuts its connection down.

    The timeout of a socket restarts with each byte, so it does not limit a server that sends one byte a second.
    """

    def __init__(self, seconds: float) -> None:
        self.has_passed = False
        self._lock = threading.Lock()
        #: A duplicate of the connection: the original may be closed and its descriptor number used again.
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._shut_down)
        self._timer.daemon = True

    def watch(self, connection: socket.socket) -> None:
        """Shut this connection down at the deadline, instead of the previous one."""
        # An SSL socket has no dup().
        duplicate = socket.socket(fileno=os.dup(connection.fileno()))
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = duplicate
            if self.has_passed:
                with contextlib.suppress(OSError):
                    duplicate.shutdown(socket.SHUT_RDWR)

    def _shut_down(self) -> None:
        with self._lock:
            self.has_passed = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            if self._socket is not None:
                self._socket.close()
                self._socket = None


def _with_deadline(connection: Any, deadline: Callable[[], _Deadline | None]) -> Any:
    """Return a subclass of a connection class that obeys the deadline of the calling thread."""

    class ConnectionWithDeadline(connection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            opened: socket.socket = super()._new_conn()
            if (current := deadline()) is not None:
                current.watch(opened)
            return opened

        def request(self, *arguments: Any, **options: Any) -> None:
            # The connection is reused from an earlier request.
            if self.sock is not None and (current := deadline()) is not None:
                current.watch(self.sock)
            super().request(*arguments, **options)

    return ConnectionWithDeadline


class HttpClient:
    """HTTP client with connection reuse, three redirects, and a time limit per request."""

    def __init__(self, timeout: float = 10, max_seconds: float = 60) -> None:
        """Create the client; it connects at the first request.

        Args:
            timeout: seconds without a byte.
            max_seconds: time limit of a whole request in seconds, with redirects and body.
        """
        import urllib3

        self._max_seconds = max_seconds
        self._current = threading.local()
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=min(timeout, 5), read=timeout),
            retries=urllib3.Retry(total=3, connect=0, read=0, other=0, redirect=3, raise_on_redirect=False),
            headers={"User-Agent": f"publisher/{__version__}"},
            maxsize=8,
        )
        classes: dict[str, Any] = self._pool.pool_classes_by_scheme
        self._pool.pool_classes_by_scheme = {
            scheme: type("Pool", (pool,), {"ConnectionCls": _with_deadline(pool.ConnectionCls, self._deadline)})
            for scheme, pool in classes.items()
        }

    def _deadline(self) -> _Deadline | None:
        return getattr(self._current, "deadline", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Return the response to a GET request.

        Raises:
            RemoteError: there was no response in time, or it is too long.
        """
        return self._request("GET", url, headers={"User-Agent": f"publisher/{__version__}", **(headers or {})})

    def post(self, url: str, fields: Mapping[str, str]) -> HttpResponse:
        """Return the response to a POST request with form fields.

        Raises:
            RemoteError: there was no response in time, or it is too long.
        """
        return self._request("POST", url, fields=dict(fields), encode_multipart=False)

    def _request(self, method: str, url: str, **options: Any) -> HttpResponse:
        deadline = _Deadline(self._max_seconds)
        self._current.deadline = deadline
        try:
            with _errors_translated(url, deadline, f"no complete answer within {self._max_seconds:g} seconds"):
                response = self._pool.request(method, url, preload_content=False, **options)
                try:
                    body = response.read(MAX_BODY_BYTES + 1, decode_content=True)
                finally:
                    response.release_conn()
        finally:
            self._current.deadline = None
        if len(body) > MAX_BODY_BYTES:
            raise RemoteError(f"{url}: more than {MAX_BODY_BYTES:,} bytes")
        return _as_http_response(response, _final_url(url, response.retries), body)


#: Bytes of a callback's response that are read: longer than any WebSub challenge.
_MAX_CALLBACK_BYTES: Final = 10_000
#: Read the response as it was sent.
_UNCHANGED: Final[Mapping[str, Any]] = {"redirect": False, "preload_content": False, "decode_content": False}
#: IPv4 addresses inside IPv6 (RFC 6052 section 2.1).
_NAT64: Final = ip_network("64:ff9b::/96")
#: The allowed ports below 1024: on others are services that an HTTP request could harm.
_WEB_PORTS: Final = (80, 443)


class CallbackClient:
    """Client for URLs that outsiders supply; it reaches public addresses only (SSRF).

    A host name is resolved once, and the connection is made to the address that was checked, so DNS rebinding
    has no effect. Redirects are not followed. A slow response is subject to the same time limit as none.
    """

    def __init__(self, networks: Sequence[str] = (), timeout: float = 10, max_seconds: float = 30) -> None:
        """Create the client; some private NETWORKS, in CIDR notation, are allowed nevertheless.

        A request may take TIMEOUT seconds without a byte, and MAX_SECONDS with its body.
        """
        self._networks = [ip_network(network) for network in networks]
        self._timeout = timeout
        self._max_seconds = max_seconds

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Return the response to a request.

        Raises:
            RemoteError: there was no response, or the address is not allowed (final).
        """
        import urllib3

        parts = urlsplit(url)
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        try:
            port = parts.port or (443 if is_tls else 80)
        except ValueError as error:
            raise RemoteError(f"{host}: {error}", is_final=True) from error
        address = self._resolve(host, port)
        options: dict[str, Any] = {"timeout": urllib3.Timeout(total=self._timeout), "retries": False}
        pool: urllib3.HTTPConnectionPool
        if is_tls:
            pool = urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host, **options)
        else:
            pool = urllib3.HTTPConnectionPool(address, port, **options)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = _Deadline(self._max_seconds)
        pool.ConnectionCls = _with_deadline(pool.ConnectionCls, lambda: deadline)
        sent_headers = {"Host": parts.netloc, "User-Agent": f"publisher/{__version__}", **(headers or {})}
        try:
            with _errors_translated(host, deadline, "no answer in time"):
                response = pool.request(method, target, headers=sent_headers, body=body, **_UNCHANGED)
                answer = response.read(_MAX_CALLBACK_BYTES)
        finally:
            pool.close()
        return _as_http_response(response, url, answer)

    def _resolve(self, host: str, port: int) -> str:
        """Return an address of a host if all of its addresses are allowed."""
        if port < 1024 and port not in _WEB_PORTS:
            raise RemoteError(f"{host}: port {port} is not allowed. Use 80, 443 or one from 1024", is_final=True)
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RemoteError(f"{host}: no server of that name") from error
        addresses = [ip_address(str(row[4][0]).partition("%")[0]) for row in rows]
        forbidden = next((address for address in addresses if not self._is_allowed(address)), None)
        if forbidden is not None or not addresses:
            raise RemoteError(f"{host}: {forbidden} is not a public address", is_final=True)
        return str(addresses[0])

    def _is_allowed(self, address: IPv4Address | IPv6Address) -> bool:
        if isinstance(address, IPv6Address):
            # For an IPv6 address that embeds an IPv4 address, the IPv4 address decides.
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
            if address in _NAT64:
                inner = IPv4Address(int(address) & 0xFFFF_FFFF)
            if inner is not None:
                return self._is_allowed(inner)
        if any(address in network for network in self._networks):
            return True
        return address.is_global and not address.is_multicast and not address.is_reserved


@contextlib.contextmanager
def _errors_translated(name: str, deadline: _Deadline, timeout: str) -> Iterator[None]:
    """Raise errors of a request as :class:`RemoteError`; TIMEOUT is the reason of a late one."""
    import urllib3

    try:
        with deadline:
            yield
        if deadline.has_passed:
            raise TimeoutError
    except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
        raise RemoteError(f"{name}: {timeout if deadline.has_passed else _reason(error)}") from error


def _as_http_response(response: Any, url: str, body: bytes) -> HttpResponse:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return HttpResponse(status=response.status, url=url, headers=headers, body=body)


def _final_url(url: str, retries: Any) -> str:
    """Return the URL after all redirects."""
    for step in retries.history if retries is not None else ():
        if step.redirect_location:
            url = urljoin(url, step.redirect_location)
    return url


def _reason(error: BaseException) -> str:
    """Return the reason of a failed request, without the names of urllib3's classes."""
    import urllib3

    if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason is not None:
        error = error.reason
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return "no server of that name"
    if isinstance(error, urllib3.exceptions.NewConnectionError):
        return "the server does not answer"
    if isinstance(error, urllib3.exceptions.TimeoutError):
        return "no answer in time"
    if isinstance(error, urllib3.exceptions.SSLError):
        return f"its certificate is not trusted ({error})"
    return " ".join(str(error).split()) or type(error).__name__
