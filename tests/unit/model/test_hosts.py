"""International host names in ASCII, and hosts of URLs."""

from __future__ import annotations

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.model.hosts import ascii_host, ascii_url, host_of

LABEL = st.text("abcxyzäöüßéñčł", min_size=1, max_size=12)
HOST = st.lists(LABEL, min_size=2, max_size=4).map(".".join)


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("example.org", "example.org"),
        ("News.Example.ORG", "News.Example.ORG"),
        ("dev_server", "dev_server"),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("münchen.example", "xn--mnchen-3ya.example"),
        ("MÜNCHEN.example", "xn--mnchen-3ya.example"),
        ("mu\u0308nchen.example", "xn--mnchen-3ya.example"),
        ("straße.example", "xn--strae-oqa.example"),
        ("日本。jp", "xn--wgv71a.jp"),
        ("ｅｘａｍｐｌｅ.org", "example.org"),
    ],
)
def test_an_international_host_becomes_punycode(typed: str, expected: str) -> None:
    """Every spelling of a name has one ASCII form; ASCII names stay as they are."""
    assert ascii_host(typed) == expected


@pytest.mark.parametrize("typed", ["bü cher.example", "☃.example", "-ü.example", "ü" * 70, "ü..example", "\u200b"])
def test_a_host_that_idna_forbids_is_rejected_with_the_fix(typed: str) -> None:
    """The message names the host and the fix."""
    with pytest.raises(ValueError, match=r"is not an international host name .*: correct it, or write it as punycode"):
        ascii_host(typed)


@given(HOST)
def test_the_ascii_form_decodes_to_the_same_name(host: str) -> None:
    """Encoding is idempotent."""
    encoded = ascii_host(host)
    assert encoded.isascii() and ascii_host(encoded) == encoded
    assert idna.decode(encoded) == host


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("https://münchen.example", "https://xn--mnchen-3ya.example"),
        ("https://ed:x@münchen.example:8443/ä?ö#ü", "https://ed:x@xn--mnchen-3ya.example:8443/ä?ö#ü"),
        ("http://[::1]:8000/x", "http://[::1]:8000/x"),
        ("https://example.org/@ä", "https://example.org/@ä"),
        ("https://example.org?who=a@münchen.example", "https://example.org?who=a@münchen.example"),
        ("https://münchen.example/leave/{copy}", "https://xn--mnchen-3ya.example/leave/{copy}"),
    ],
)
def test_only_the_host_of_a_url_changes(typed: str, expected: str) -> None:
    """User information, port, path, query and fragment stay as they are."""
    assert ascii_url(typed) == expected


@pytest.mark.parametrize("typed", ["example.org", "ftp://example.org", "https://", "https:///path", "https://?x"])
def test_a_url_without_a_host_is_rejected(typed: str) -> None:
    """The message gives an example."""
    with pytest.raises(ValueError, match=r"absolute URL, as in https://example.org/page"):
        ascii_url(typed)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://News.Example.ORG:8443/x", "news.example.org"),
        ("mailto:leave@MÜNCHEN.example?subject=a@b", "xn--mnchen-3ya.example"),
        ("mailto:leave", ""),
        ("ftp://example.org", ""),
        ("https://☃.example/", ""),
    ],
)
def test_the_host_of_a_url_is_lower_case_ascii(url: str, expected: str) -> None:
    """A URL without a usable host has none."""
    assert host_of(url) == expected
