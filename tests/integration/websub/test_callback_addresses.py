"""The addresses of callbacks, which strangers choose."""

from __future__ import annotations

import re
import socket
from typing import Any

import pytest

from publisher.errors import RemoteError
from publisher.http_client import CallbackClient
from tests.conftest import SiteKit
from tests.support.hub_subscriber import HubSite, configure_hub, subscriber


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[fe80::1]",
        "[fd00::1]",
        "[64:ff9b:1::1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        "2130706433",
        "0x7f.1",
    ],
)
def test_private_addresses_are_not_requested(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A callback cannot reach the internal network."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("it was requested")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(RemoteError) as caught:
        CallbackClient().request("GET", f"http://{host}:8080/")
    assert caught.value.is_final, caught.value


def test_a_changed_dns_answer_does_not_reach_a_private_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """The checked IP address is the one that is connected to."""
    answers = ["203.0.114.9", "127.0.0.1"]
    connected: list[Any] = []

    def lookup(host: str, port: int, *_: object, **__: object) -> list[Any]:
        address = host if re.fullmatch(r"[\d.]+", host) else answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(self: socket.socket, where: Any) -> None:
        connected.append(where)
        raise OSError("no way")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    monkeypatch.setattr(socket.socket, "connect", connect)
    with pytest.raises(RemoteError):
        CallbackClient().request("GET", "http://rebinding.example/")
    assert connected == [("203.0.114.9", 80)]


@pytest.mark.parametrize("port", [22, 25, 143, 445, 993])
def test_ports_of_other_services_are_not_requested(port: int) -> None:
    """A request to a mail server could be taken for commands."""
    with pytest.raises(RemoteError, match=f"port {port} is not allowed"):
        CallbackClient(["127.0.0.0/8"]).request("GET", f"http://127.0.0.1:{port}/")


def test_a_private_callback_is_not_retried(any_kit: SiteKit) -> None:
    """The task is deleted."""
    configure_hub(any_kit)
    hub_site = HubSite(any_kit)
    path = any_kit.root / "publisher.toml"
    path.write_text(path.read_text().replace('hub_networks = ["127.0.0.0/8"]\n', ""))
    with subscriber() as one:
        hub_site.request(one.url)
        (error,) = hub_site.work().failed
        assert "is not a public address" in error and "callback?id" not in error
        hub_site.clock.advance(days=1)
        assert hub_site.work().failed == [] and one.verifications == []
    hub_site.web.close()
