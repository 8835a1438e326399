"""The exchange of messages on an SMTP connection, with servers that refuse or close in the middle."""

from __future__ import annotations

import pytest

from publisher.mail.outcome import RelayFault
from publisher.mail.smtp_connection import Connection, ConnectionLost, Relay
from publisher.mail.smtp_transport import SmtpTransport
from tests.support.deliveries import QUICK, at
from tests.support.message_list import MessageList, outgoing_message
from tests.support.smtp import Script, Server
from tests.support.smtp.replies import serving

NO_PIPELINING = ("SIZE 10000000",)


def send(server: Server, *messages: str, source: MessageList | None = None) -> MessageList:
    """Send messages on one connection."""
    source = source or MessageList([outgoing_message(name) for name in messages])
    relay = Relay(host="127.0.0.1", port=server.port, security="none")
    SmtpTransport(relays=(relay,), timeouts=QUICK).run(source, 0)
    return source


@pytest.mark.parametrize("extensions", [Script().extensions, NO_PIPELINING])
@pytest.mark.parametrize(
    ("step", "reply", "state"),
    [
        ("rcpt", "550 5.1.1 no such user", "failed"),
        ("rcpt", "450 4.2.1 later", "deferred"),
        ("data", "554 5.6.0 no", "failed"),
        ("data", "451 4.3.0 later", "deferred"),
        ("dot", "552 5.3.4 too big", "failed"),
    ],
)
def test_a_refusal_of_one_message_stops_no_other(
    extensions: tuple[str, ...], step: str, reply: str, state: str
) -> None:
    """With pipelining and without it."""
    with Server(Script(at=at(step, reply).at, extensions=extensions)) as server:
        assert send(server, "a", "b").states == [("a", state), ("b", "accepted")]
        assert [one.recipient for one in server.accepted] == ["b@mail.example"]
        assert server.connections == 1


@pytest.mark.parametrize("extensions", [Script().extensions, NO_PIPELINING])
@pytest.mark.parametrize("step", ["rcpt", "data", "dot"])
def test_a_421_ends_the_connection_and_the_next_message_is_not_lost(extensions: tuple[str, ...], step: str) -> None:
    """A message of which nothing was sent stays queued."""
    with Server(Script(at=at(step, "421 4.3.2 closing").at, extensions=extensions)) as server:
        source = send(server, "a", "b")
        assert source.states[0] == ("a", "deferred")
        assert [state for name, state in source.states[1:] if name == "b"] in ([], ["queued"])
        assert len(source.messages) + len(source.outcomes) == 2
        assert server.accepted == []


def test_a_server_that_waits_for_a_message_without_recipients_gets_an_empty_one() -> None:
    """RFC 2920 section 3.1: the server answers each pipelined command by itself."""
    hello, refusal = b"250-mx\r\n250 PIPELINING\r\n", b"550 5.1.1 no such user\r\n"
    with serving(
        b"220 mx\r\n", hello, b"250 ok\r\n", refusal, b"354 go on\r\n", b"554 no recipients\r\n", b"221 bye\r\n"
    ) as server:
        source = MessageList([outgoing_message("a")])
        SmtpTransport(relays=(server.relay(),), timeouts=QUICK).run(source, 0)
    assert source.states == [("a", "failed")]
    assert server.lines[3:] == ["DATA", ".", "QUIT"]


def test_an_unexpected_reply_to_data_is_a_fault_of_the_relay() -> None:
    """The message was not sent, and can be sent on another relay."""
    with Server(at("data", "250 what?")) as server:
        source = send(server, "a", "b")
        assert source.states[0][0] == "a" and source.states[0][1] in ("deferred", "queued")
        assert server.accepted == []


def test_a_message_that_another_sender_has_is_not_sent() -> None:
    """SMTP cannot cancel a message after DATA, so the connection ends and the next message stays queued."""
    source = MessageList([outgoing_message("a"), outgoing_message("b")], lost=("a",))
    with Server() as server:
        assert send(server, source=source).states == [("a", "queued"), ("b", "queued")]
        assert server.accepted == []


def test_a_message_that_is_too_large_for_the_server_ends_the_connection() -> None:
    """The message before it is not half sent."""
    source = MessageList([outgoing_message("a"), outgoing_message("b", b"x" * 2000)])
    with Server(Script(extensions=("PIPELINING", "SIZE 1000"))) as server:
        relay = Relay(host="127.0.0.1", port=server.port, security="none")
        transport = SmtpTransport(relays=(relay,), timeouts=QUICK)
        transport.run(source, 0)
        assert sorted(source.states) == [("a", "queued"), ("b", "queued")]
        with pytest.raises(RelayFault, match="accepts messages of at most 1,000 bytes; this one has 2,000") as raised:
            transport.run(source, 0)
    assert raised.value.is_final and server.accepted == []


def test_a_non_ascii_address_is_refused_where_the_server_does_not_support_it() -> None:
    """One address that a server cannot take (RFC 6531) would keep the other messages from being sent."""
    source = MessageList([outgoing_message("ü", needs_utf8=True), outgoing_message("b")])
    with Server(Script(extensions=("PIPELINING",))) as server:
        assert send(server, source=source).states == [("ü", "failed"), ("b", "accepted")]
    assert "does not support non-ASCII addresses" in source.outcomes[0][1].answer


@pytest.mark.parametrize(("sent", "state"), [(10, "queued"), (10_000, "uncertain")])
def test_a_connection_that_ends_while_a_message_is_written(
    monkeypatch: pytest.MonkeyPatch, sent: int, state: str
) -> None:
    """It is sent again only if its end was not sent."""
    real = Connection.write

    def write(connection: Connection, data: bytes) -> None:
        if data.startswith(b"Subject"):
            connection._socket.close()
            raise ConnectionLost("connection lost (reset)", sent)
        real(connection, data)

    monkeypatch.setattr(Connection, "write", write)
    with Server() as server:
        source = send(server, "a")
    assert source.states == [("a", state)]
