"""The cache of public pages."""

from __future__ import annotations

from typing import Any

import pytest

from publisher.web.page_cache import PageCache
from tests.support.web_visitor import Response, Visitor

PUBLIC = {"cache-control": "public, max-age=60", "content-type": "text/html; charset=utf-8"}


class CountingApp:
    """An application that counts its requests in its pages."""

    def __init__(self, status: int = 200, headers: dict[str, str] = PUBLIC, size: int = 0) -> None:
        self.asked = 0
        self._status, self._headers, self._size = status, headers, size
        self.trouble: Exception | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        number = self.asked
        if self.trouble is not None:
            raise self.trouble
        headers = [(name.encode(), value.encode()) for name, value in self._headers.items()]
        await send({"type": "http.response.start", "status": self._status, "headers": headers})
        await send({"type": "http.response.body", "body": b"%d" % number + b"x" * self._size})


def test_a_public_page_is_rendered_once_per_interval() -> None:
    """Requests within the interval get the cached page."""
    pages = CountingApp()
    guest = Visitor(PageCache(pages, 60))
    answers = [guest.get("https://review.example/a?b=1") for _ in range(5)]
    assert {one.body for one in answers} == {b"1"} and answers[0] == answers[4] and pages.asked == 1
    assert guest.get("https://review.example/a?b=2").body == b"2"
    assert guest.get("https://review.example/").body == b"3"
    head = guest.request("HEAD", "https://review.example/a?b=1")
    assert head.headers == answers[0].headers and head.body == b"" and pages.asked == 3


@pytest.mark.parametrize(
    "pages",
    [
        CountingApp(404),
        CountingApp(410),
        CountingApp(headers={**PUBLIC, "cache-control": "no-store"}),
        CountingApp(headers={**PUBLIC, "cache-control": "private, max-age=300"}),
        CountingApp(headers={"content-type": "text/html"}),
        CountingApp(headers={**PUBLIC, "content-type": "image/png"}),
    ],
)
def test_private_responses_and_errors_are_not_cached(pages: CountingApp) -> None:
    """Only complete public HTML pages are cached."""
    guest = Visitor(PageCache(pages, 60))
    assert [guest.get("https://review.example/").body for _ in range(2)] == [b"1", b"2"]


def test_a_post_is_never_cached() -> None:
    """A POST request always reaches the application."""
    guest = Visitor(PageCache(CountingApp(), 60))
    bodies = [guest.post("https://review.example/").body, guest.get("https://review.example/").body]
    assert bodies == [b"1", b"2"] and guest.post("https://review.example/").body == b"3"


def test_zero_seconds_disable_the_cache() -> None:
    """Each request then reaches the application."""
    guest = Visitor(PageCache(CountingApp(), 0))
    assert [guest.get("https://review.example/").body for _ in range(2)] == [b"1", b"2"]


def test_one_request_refreshes_while_others_get_the_old_page() -> None:
    """A slow page is rendered once, not by every waiting client."""
    pages = CountingApp()
    # The page expires at once, so the next request renders it again.
    guest = Visitor(PageCache(pages, 1e-9))
    assert guest.get("https://review.example/").body == b"1"
    pages.trouble = OSError("the disk is gone")
    with pytest.raises(OSError, match="the disk is gone"):
        guest.get("https://review.example/")
    assert guest.get("https://review.example/").body == b"1" and pages.asked == 2


def test_the_page_cache_is_bounded() -> None:
    """The oldest pages are dropped first."""
    pages = CountingApp(size=1_000_000)
    guest = Visitor(PageCache(pages, 60))

    def page(number: int) -> Response:
        return guest.get(f"https://review.example/{number}")

    for number in range(20):
        page(number)
    page(19)
    assert pages.asked == 20
    page(0)
    assert pages.asked == 21


def test_a_head_request_of_a_page_that_is_not_cached_is_not_cached_either() -> None:
    """Its response has no body."""
    pages = CountingApp()
    guest = Visitor(PageCache(pages, 60))
    assert guest.request("HEAD", "https://review.example/").status == 200
    assert guest.get("https://review.example/").body == b"2" and pages.asked == 2
