"""Requests to other servers: of hubs, and of feeds that are to be checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from publisher import __version__
from publisher.errors import RemoteError

__all__ = ["Answer", "Remote"]

#: No answer is read beyond this many bytes.
_MOST: Final = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said."""

    status: int
    #: The address that answered: another one than was asked where there were redirects.
    url: str
    #: Names in lower case.
    headers: Mapping[str, str]
    body: bytes


class Remote:
    """A client that keeps its connections, follows a few redirects and never waits for long."""

    def __init__(self, timeout: float = 10) -> None:
        import urllib3

        self._pool = urllib3.PoolManager(
            timeout=urllib3.Timeout(connect=min(timeout, 5), read=timeout),
            retries=urllib3.Retry(total=3, connect=0, read=0, other=0, redirect=3, raise_on_redirect=False),
            headers={"User-Agent": f"publisher/{__version__}"},
            maxsize=8,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Return what lies at an address.

        Raises:
            RemoteError: there was no answer, or one without an end.
        """
        return self._request("GET", url, headers={"User-Agent": f"publisher/{__version__}", **(headers or {})})

    def post(self, url: str, fields: Mapping[str, str]) -> Answer:
        """Return the answer to a form.

        Raises:
            RemoteError: there was no answer.
        """
        return self._request("POST", url, fields=dict(fields), encode_multipart=False)

    def _request(self, method: str, url: str, **options: Any) -> Answer:
        import urllib3

        try:
            response = self._pool.request(method, url, preload_content=False, **options)
            try:
                body = response.read(_MOST + 1, decode_content=True)
            finally:
                response.release_conn()
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise RemoteError(f"{url}: {_reason(error)}") from error
        if len(body) > _MOST:
            raise RemoteError(f"{url}: more than {_MOST:,} bytes")
        return Answer(
            status=response.status,
            url=_arrived(url, response.retries),
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
        )


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
