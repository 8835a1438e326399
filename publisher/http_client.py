"""Requests to other servers: of hubs, of feeds that are to be checked, and to addresses that strangers gave us."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any, Final, Self
from urllib.parse import urlsplit

from publisher import __version__
from publisher.errors import RemoteError

__all__ = ["CallbackClient", "HttpClient", "HttpResponse"]

#: No answer is read beyond this many bytes.
_MOST: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse:
    """What a server said."""

    status: int
    #: The address that answered: another one than was asked where there were redirects.
    url: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes


class _Deadline:
    """The end of a request, whatever the other side does: another thread cuts its connection.

    A socket's own timeout begins anew with each byte, so a server that sends a byte a second is never late.
    """

    def __init__(self, seconds: float) -> None:
        self.has_passed = False
        self._lock = threading.Lock()
        #: The connection, as a descriptor of its own: the other one may be closed, and its number used again.
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._cut)
        self._timer.daemon = True

    def watch(self, made: socket.socket) -> None:
        """Cut this connection at the deadline, in place of the one before."""
        # An SSL socket has no dup().
        copy = socket.socket(fileno=os.dup(made.fileno()))
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = copy
            if self.has_passed:
                with contextlib.suppress(OSError):
                    copy.shutdown(socket.SHUT_RDWR)

    def _cut(self) -> None:
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


def _watched(connection: Any, deadline: Callable[[], _Deadline | None]) -> Any:
    """Return a class of connections that the deadline of the calling thread cuts."""

    class Watched(connection):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            made: socket.socket = super()._new_conn()
            if (current := deadline()) is not None:
                current.watch(made)
            return made

        def request(self, *arguments: Any, **options: Any) -> None:
            # A connection that was kept from an earlier request.
            if self.sock is not None and (current := deadline()) is not None:
                current.watch(self.sock)
            super().request(*arguments, **options)

    return Watched


class HttpClient:
    """A client that keeps its connections, follows a few redirects and ends every request in time."""

    def __init__(self, timeout: float = 10, longest: float = 60) -> None:
        """Create the client; it connects at the first request.

        Args:
            timeout: seconds without a byte.
            longest: seconds for a whole request, with its redirects and its answer.
        """
        import urllib3

        self._longest = longest
        self._current = threading.local()
        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=min(timeout, 5), read=timeout),
            retries=urllib3.Retry(total=3, connect=0, read=0, other=0, redirect=3, raise_on_redirect=False),
            headers={"User-Agent": f"publisher/{__version__}"},
            maxsize=8,
        )
        classes: dict[str, Any] = self._pool.pool_classes_by_scheme
        self._pool.pool_classes_by_scheme = {
            scheme: type("Pool", (pool,), {"ConnectionCls": _watched(pool.ConnectionCls, self._deadline)})
            for scheme, pool in classes.items()
        }

    def _deadline(self) -> _Deadline | None:
        return getattr(self._current, "deadline", None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> HttpResponse:
        """Return what lies at an address.

        Raises:
            RemoteError: there was no answer, or one without an end.
        """
        return self._request("GET", url, headers={"User-Agent": f"publisher/{__version__}", **(headers or {})})

    def post(self, url: str, fields: Mapping[str, str]) -> HttpResponse:
        """Return the answer to a form.

        Raises:
            RemoteError: there was no answer.
        """
        return self._request("POST", url, fields=dict(fields), encode_multipart=False)

    def _request(self, method: str, url: str, **options: Any) -> HttpResponse:
        import urllib3

        deadline = _Deadline(self._longest)
        self._current.deadline = deadline
        try:
            with deadline:
                response = self._pool.request(method, url, preload_content=False, **options)
                try:
                    body = response.read(_MOST + 1, decode_content=True)
                finally:
                    response.release_conn()
            if deadline.has_passed:
                raise TimeoutError
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            late = f"no whole answer within {self._longest:g} seconds"
            raise RemoteError(f"{url}: {late if deadline.has_passed else _reason(error)}") from error
        finally:
            self._current.deadline = None
        if len(body) > _MOST:
            raise RemoteError(f"{url}: more than {_MOST:,} bytes")
        return HttpResponse(
            status=response.status,
            url=_arrived(url, response.retries),
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
        )


#: What is read of a stranger's answer: a challenge is shorter.
_MOST_OF_STRANGERS: Final = 10_000
#: Addresses of the other internet, as this one has them (RFC 6052 §2.1).
_NAT64: Final = ip_network("64:ff9b::/96")
#: Ports below 1024 where a web server may be: on others are services that a request could hurt.
_WEB_PORTS: Final = (80, 443)


class CallbackClient:
    """Requests to addresses that strangers gave us: none reaches what is not on the internet.

    A name is looked up once, its addresses are judged, and the connection goes to the one that was judged: a name
    that leads elsewhere a moment later leads nowhere. Redirects are not followed. Who answers drop by drop is not
    listened to for longer than who does not answer at all.
    """

    def __init__(self, networks: Sequence[str] = (), timeout: float = 10, longest: float = 30) -> None:
        """Begin.

        Args:
            networks: networks of this house that may be reached all the same.
            timeout: seconds without a byte.
            longest: seconds for a whole request, its answer read.
        """
        self._networks = [ip_network(one) for one in networks]
        self._timeout = timeout
        self._longest = longest

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """No connection is kept."""

    def request(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HttpResponse:
        """Return the answer to a request.

        Raises:
            RemoteError: there was no answer, or the address may not be asked; that is final.
        """
        import urllib3

        parts = urlsplit(url)
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        try:
            port = parts.port or (443 if is_tls else 80)
        except ValueError as error:
            raise RemoteError(f"{host}: {error}", is_final=True) from error
        address = self._judged(host, port)
        options: dict[str, Any] = {"timeout": urllib3.Timeout(total=self._timeout), "retries": False}
        pool: urllib3.HTTPConnectionPool
        if is_tls:
            pool = urllib3.HTTPSConnectionPool(address, port, server_hostname=host, assert_hostname=host, **options)
        else:
            pool = urllib3.HTTPConnectionPool(address, port, **options)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        deadline = _Deadline(self._longest)
        pool.ConnectionCls = _watched(pool.ConnectionCls, lambda: deadline)
        sent = {"Host": parts.netloc, "User-Agent": f"publisher/{__version__}", **(headers or {})}
        try:
            with deadline:
                response = pool.request(
                    method, target, headers=sent, body=body, redirect=False, preload_content=False, decode_content=False
                )
                answer = response.read(_MOST_OF_STRANGERS)
            if deadline.has_passed:
                raise TimeoutError
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            reason = "no answer in time" if deadline.has_passed else _reason(error)
            raise RemoteError(f"{host}: {reason}") from error
        finally:
            pool.close()
        return HttpResponse(
            status=response.status,
            url=url,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=answer,
        )

    def _judged(self, host: str, port: int) -> str:
        """Return an address of a host that may be asked."""
        if port < 1024 and port not in _WEB_PORTS:
            raise RemoteError(f"{host}: port {port} is none of the web", is_final=True)
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise RemoteError(f"{host}: no server of that name") from error
        found = [ip_address(str(row[4][0]).partition("%")[0]) for row in rows]
        refused = next((one for one in found if not self._may_be_asked(one)), None)
        if refused is not None or not found:
            raise RemoteError(f"{host}: {refused} is not on the internet", is_final=True)
        return str(found[0])

    def _may_be_asked(self, address: IPv4Address | IPv6Address) -> bool:
        if isinstance(address, IPv6Address):
            # Addresses that carry another one are judged by that.
            inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
            if address in _NAT64:
                inner = IPv4Address(int(address) & 0xFFFF_FFFF)
            if inner is not None:
                return self._may_be_asked(inner)
        if any(address in network for network in self._networks):
            return True
        return address.is_global and not address.is_multicast and not address.is_reserved


def _arrived(url: str, retries: Any) -> str:
    """Return the address that answered in the end."""
    from urllib.parse import urljoin

    for step in retries.history if retries is not None else ():
        if step.redirect_location:
            url = urljoin(url, step.redirect_location)
    return url


def _reason(error: BaseException) -> str:
    """Return what went wrong, without the library's names of things."""
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
