"""SMTP connections to servers that send unusual or broken replies."""

from __future__ import annotations

import base64
import socket

import pytest

from publisher.mail import smtp_connection
from publisher.mail.outcome import RelayFault
from publisher.mail.smtp_connection import Connection, ConnectionLost, ProtocolError, Relay, Timeouts
from tests.support.ports import free_port
from tests.support.smtp import Script, Server
from tests.support.smtp.replies import serving

TIMEOUTS = Timeouts(connect=5, greeting=5, command=5, data=5, block=5, final=5)
GREETING = b"220 mx.example ESMTP\r\n"
HELLO = b"250-mx.example\r\n250-SIZE 100\r\n250 AUTH LOGIN\r\n"


def test_a_server_that_does_not_listen_is_named_with_the_reason() -> None:
    """Another attempt may succeed."""
    with pytest.raises(RelayFault, match=r"^cannot connect: Connection refused$") as raised:
        Connection.open(Relay(host="127.0.0.1", port=free_port(), security="none"), TIMEOUTS)
    assert not raised.value.is_final


def test_a_server_that_speaks_no_tls_is_a_fault_of_the_relay() -> None:
    """The port without TLS is a usual mistake in settings."""
    with serving(GREETING) as server, pytest.raises(RelayFault, match=r"^failed to start TLS: "):
        Connection.open(server.relay(security="tls"), TIMEOUTS)


def test_data_before_tls_is_rejected() -> None:
    """Somebody on the way could put replies there, which would count as the server's (CVE-2011-0411)."""
    hello = b"250-mx.example\r\n250 STARTTLS\r\n"
    with (
        serving(GREETING, hello, b"220 go on\r\n250 injected\r\n") as server,
        pytest.raises(RelayFault, match="sent data between STARTTLS and TLS") as raised,
    ):
        Connection.open(server.relay(security="starttls"), TIMEOUTS)
    assert raised.value.is_final


def test_a_server_without_ehlo_gets_helo() -> None:
    """It has no extensions then."""
    with serving(GREETING, b"502 not implemented\r\n", b"250 hello\r\n", b"221 bye\r\n") as server:
        connection = Connection.open(server.relay(), TIMEOUTS)
        assert connection.extensions == {} and connection.size_limit is None
        connection.quit()
    assert [line.split()[0] for line in server.lines] == ["EHLO", "HELO", "QUIT"]


def test_login_is_used_where_plain_is_not_offered() -> None:
    """User name and password are sent one after the other."""
    more = b"334 more\r\n"
    with serving(GREETING, HELLO, more, more, b"235 ok\r\n", b"221 bye\r\n") as server:
        connection = Connection.open(server.relay(username="me", password="secret"), TIMEOUTS)
        assert connection.size_limit == 100
        connection.quit()
    assert server.lines[1] == "AUTH LOGIN"
    assert [base64.b64decode(line) for line in server.lines[2:4]] == [b"me", b"secret"]


@pytest.mark.parametrize(
    ("replies", "message", "is_final"),
    [
        ((HELLO, b"535 wrong password\r\n"), "rejected the login: 535 wrong password", True),
        ((HELLO, b"454 try again\r\n"), "rejected the login: 454 try again", False),
        ((b"250-mx\r\n250 AUTH CRAM-MD5\r\n",), "supports neither AUTH PLAIN nor AUTH LOGIN", True),
        ((b"250 mx\r\n",), "supports neither AUTH PLAIN nor AUTH LOGIN", True),
    ],
)
def test_a_rejected_login_is_final_if_the_server_says_so(
    replies: tuple[bytes, ...], message: str, is_final: bool
) -> None:
    """After a temporary failure, the relay is used again later."""
    with serving(GREETING, *replies) as server, pytest.raises(RelayFault) as raised:
        Connection.open(server.relay(username="me", password="secret"), TIMEOUTS)
    assert (message in str(raised.value), raised.value.is_final) == (True, is_final)


@pytest.mark.parametrize("greeting", [b"hello\r\n", b"220" + b"x" * 70_000, b"220-more\r\n" * 300, b"999 no\r\n"])
def test_a_reply_that_is_not_smtp_ends_the_connection(greeting: bytes) -> None:
    """A reply without an end is not read for ever."""
    with serving(greeting) as server, pytest.raises(RelayFault, match=r"invalid reply|reply too long"):
        Connection.open(server.relay(), TIMEOUTS)


def test_a_server_that_closes_during_the_greeting_is_a_fault_of_the_relay() -> None:
    """The reason is kept for the report."""
    with serving() as server, pytest.raises(RelayFault, match=r"connection (closed by the server|lost)"):
        Connection.open(server.relay(), TIMEOUTS)


def test_a_reply_that_comes_too_late_is_a_timeout() -> None:
    """The time counts for the whole reply, not for each piece of it."""
    with serving(GREETING, b"250-mx\r\n") as server, pytest.raises(RelayFault, match=r"^timeout$"):
        Connection.open(server.relay(), Timeouts(connect=5, greeting=5, command=0.05))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours, Relay(host="h", port=25), TIMEOUTS)
        with pytest.raises(ConnectionLost, match=r"^timeout$"):
            connection.read(0)
        theirs.sendall(b"no reply\r\n")
        with pytest.raises(ProtocolError, match="invalid reply: b'no reply'"):
            connection.read(5)


def test_a_write_to_a_server_that_reads_nothing_reports_how_much_was_sent() -> None:
    """A message of which the end was not sent can be sent again."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours, Relay(host="h", port=25), Timeouts(block=0.05))
        with pytest.raises(ConnectionLost, match=r"^timeout$") as raised:
            connection.write(b"x" * 10_000_000)
        assert 0 < raised.value.sent < 10_000_000


def test_control_characters_of_a_reply_are_not_shown() -> None:
    """A terminal would execute them."""
    with serving(b"554 no \x1b[2J\xff\r\n") as server, pytest.raises(RelayFault) as raised:
        Connection.open(server.relay(), TIMEOUTS)
    assert str(raised.value) == "rejected the connection: 554 no  [2J�"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("mail.example.org", "mail.example.org"), ("laptop", "[127.0.0.1]"), ("a b.c", "[127.0.0.1]")],
)
def test_the_name_in_ehlo_is_a_host_name_or_the_address(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    """RFC 5321 section 4.1.3: an address literal where the host has no full name."""
    monkeypatch.setattr(smtp_connection.socket, "gethostname", lambda: name)
    with Server(Script(extensions=())) as server:
        Connection.open(Relay(host="127.0.0.1", port=server.port, security="none"), TIMEOUTS).quit()
        assert server.commands == [f"EHLO {expected}", "QUIT"]
