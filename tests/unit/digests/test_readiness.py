"""Placeholder values in settings, and the recipients that they may not reach."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from publisher.digests.readiness import require_reserved, setting_blockers
from publisher.errors import SendingBlocked
from publisher.model.hosts import is_reserved_host
from publisher.settings import Site, read_site

READY = """
title = "T"
base_url = "https://news.magazine.co.uk"

[mail]
sender = "T <news@magazine.co.uk>"
postal_address = "T, 5 Long Lane, London"
"""


def site(tmp_path: Path, text: str = READY) -> Site:
    (tmp_path / "publisher.toml").write_text(text, "utf-8")
    return read_site(tmp_path)


RESERVED = ["example.com", "example.net", "example.org", "example", "test", "invalid", "localhost"]


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_and_their_subdomains_are_recognized(name: str) -> None:
    """RFC 2606 section 2 and 3, RFC 6761 section 6."""
    for host in (name, f"a.{name}", f"a.b.{name}", name.upper(), f"{name}.", f"A.{name}."):
        assert is_reserved_host(host), host


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "[::1]", "::1", "0.0.0.0", "[::]"])
def test_loopback_addresses_count_as_localhost(host: str) -> None:
    """A link to them leads recipients to their own machines."""
    assert is_reserved_host(host)


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.de",
        "example.co.uk",
        "myexample.com",
        "example.com.au",
        "test.com",
        "contest",
        "localhost.de",
        "10.0.0.1",
        "192.0.2.1",
        "8.8.8.8",
        "xn--zrich-kva.ch",
    ],
)
def test_similar_names_are_not_reserved(host: str) -> None:
    """Only whole labels count."""
    assert not is_reserved_host(host)


@given(
    st.lists(st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True), max_size=3), st.sampled_from(RESERVED)
)
def test_any_subdomain_of_a_reserved_name_is_reserved(labels: list[str], name: str) -> None:
    """With any number of labels."""
    assert is_reserved_host(".".join([*labels, name]))


def test_a_configured_site_has_no_blockers(tmp_path: Path) -> None:
    """Mail may be sent to anybody."""
    assert setting_blockers(site(tmp_path)) == ()


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("https://news.magazine.co.uk", "https://example.org", "base_url"),
        ("https://news.magazine.co.uk", "http://localhost:8000/x", "base_url"),
        ("https://news.magazine.co.uk", "https://zürich.example", "base_url"),
        ("T <news@magazine.co.uk>", "newsletter@example.org", "mail.sender"),
        ("T <news@magazine.co.uk>", "T: x, y <news@a.magazine.test>", "mail.sender"),
        ("T, 5 Long Lane, London", "", "mail.postal_address"),
        ("T, 5 Long Lane, London", " \\t ", "mail.postal_address"),
        ("T, 5 Long Lane, London", "my magazine,  1 Example Street, 12345 Example City ", "mail.postal_address"),
        (
            "T, 5 Long Lane, London",
            "The Meridian Review, 12 Quay Street, Bristol BS1 4DB, United Kingdom",
            "mail.postal_address",
        ),
    ],
)
def test_a_placeholder_value_is_reported_with_its_setting_and_fix(
    tmp_path: Path, old: str, new: str, name: str
) -> None:
    """One value, one blocker."""
    (blocker,) = setting_blockers(site(tmp_path, READY.replace(old, new)))
    assert blocker.name == name
    assert str(blocker).startswith(f"{name}: ") and ". Set " in str(blocker)


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        ('reply_to = "ed@example.com"', "mail.reply_to"),
        ('unsubscribe = "https://magazine.example/leave?x={copy}"', "mail.unsubscribe"),
        ('unsubscribe = "mailto:leave@magazine.example?subject=x@magazine.co.uk"', "mail.unsubscribe"),
        ('preferences = "https://magazine.invalid/{copy}"', "mail.preferences"),
        ('web_view = "https://magazine.example/{digest}/{issue}/"', "mail.web_view"),
        ('bounces = "bounces+{copy}@example.net"', "mail.bounces"),
        ('[[dkim]]\nselector = "a"\nkey = { file = "k" }\ndomain = "example.org"', "dkim.0.domain"),
        ('[theme.logo]\nurl = "https://example.org/l.png"\nwidth = 100\nheight = 40', "theme.logo.url"),
    ],
)
def test_every_url_and_address_in_mail_is_checked(tmp_path: Path, lines: str, name: str) -> None:
    """Without a working link a subscriber cannot unsubscribe."""
    assert [one.name for one in setting_blockers(site(tmp_path, READY + lines + "\n"))] == [name]


def test_all_placeholder_values_are_reported_together(tmp_path: Path) -> None:
    """The operator can correct them in one step."""
    text = 'title = "T"\nbase_url = "https://example.org"\n[mail]\nsender = "newsletter@example.org"\n'
    found = setting_blockers(site(tmp_path, text))
    assert [one.name for one in found] == ["base_url", "mail.sender", "mail.postal_address"]


def test_recipients_at_reserved_names_may_get_placeholder_values(tmp_path: Path) -> None:
    """Tests and trials send to them."""
    made = site(tmp_path, READY.replace("magazine.co.uk", "magazine.example"))
    require_reserved("daily/x", {"mail.example.org": 1, "reader.test": 1, "localhost": 1}, setting_blockers(made))


def test_one_real_recipient_blocks_the_issue_with_all_fixes(tmp_path: Path) -> None:
    """An issue is never sent to a part of its audience for this reason."""
    found = setting_blockers(site(tmp_path, READY.replace("magazine.co.uk", "magazine.example")))
    require_reserved("daily/x", {"example.org": 5000}, found)
    require_reserved("daily/x", {"posteo.de": 1}, [])
    with pytest.raises(SendingBlocked) as error:
        require_reserved("daily/x", {"example.org": 5000, "posteo.de": 1}, found)
    assert error.value.exit_status == 2
    first, *lines = str(error.value).splitlines()
    assert first.startswith("daily/x: nothing was sent. 1 recipient would get placeholder values")
    assert [line.split(":")[0].strip() for line in lines] == ["base_url", "mail.sender"]
    assert error.value.blockers == tuple(str(one) for one in found)
