"""Relays: weights, replacement, logins, TLS, and addresses that not every server supports."""

from __future__ import annotations

import time
from email import message_from_bytes, policy

from publisher.mail.site_transport import make_transport
from tests.conftest import NOW, MailKit
from tests.support.deliveries import at, states, suppressed, transport
from tests.support.smtp import Script, Server
from tests.support.use_cases import deliver


def test_a_failing_relay_is_replaced_by_another_one(mail_kit: MailKit) -> None:
    """All messages go to the relay that works."""
    kit = mail_kit
    kit.add_subscribers(20)
    kit.issue("one")
    with Server(at("connect", "554 5.3.2 closed", times=99)) as broken, Server() as good:
        kit.mail(broken.port)
        kit.add_settings(f'\n[[smtp.relays]]\nhost = "127.0.0.1"\nport = {good.port}\nsecurity = "none"\nweight = 2\n')
        sent = deliver(kit.site, "daily", transport=transport(kit))
        assert (sent.counts.accepted, sent.stop_reason) == (20, "")
        assert len(good.accepted) == 20


def test_relays_share_connections_by_weight(mail_kit: MailKit) -> None:
    """A relay with three times the weight gets three times the connections."""
    kit = mail_kit
    kit.add_subscribers(60)
    kit.issue("one")

    def slow(step: str, argument: str, number: int) -> str | None:
        if step == "dot":
            time.sleep(0.02)
        return None

    with Server(Script(at=slow)) as heavy, Server(Script(at=slow)) as light:
        kit.mail(heavy.port)
        text = (kit.root / "publisher.toml").read_text().replace("connections = 3", "connections = 4")
        kit.settings(text.replace('security = "none"', 'security = "none"\nweight = 3', 1))
        kit.add_settings(f'\n[[smtp.relays]]\nhost = "127.0.0.1"\nport = {light.port}\nsecurity = "none"\n')
        deliver(kit.site, "daily", transport=transport(kit))
        assert (heavy.most_open, light.most_open) == (3, 1)
        assert len(heavy.accepted) + len(light.accepted) == 60


def test_a_rejected_login_stops_the_run_without_showing_the_password(mail_kit: MailKit, certificate: object) -> None:
    """The deliveries stay queued."""
    kit = mail_kit
    kit.add_subscribers(2)
    kit.issue("one")
    script = Script(
        at=at("auth", "535 5.7.8 no", times=9).at, extensions=("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN")
    )
    with Server(script, certificate=certificate) as server:
        kit.mail(server.port)
        (kit.root / "password").write_text("very-secret\n")
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(
            text.replace('host = "127.0.0.1"', 'host = "localhost"').replace(
                'security = "none"',
                f'security = "starttls"\nusername = "me"\npassword = {{ file = "password" }}\nca_file = "{certificate}"',
            )
        )
        sent = deliver(kit.site, "daily", transport=transport(kit))
        assert "rejected the login: 535 5.7.8 no" in sent.stop_reason
        assert "very-secret" not in repr(sent) + repr(make_transport(kit.site))
        assert states(kit) == {"queued": 2}
        server.script = Script(extensions=("PIPELINING", "STARTTLS", "AUTH PLAIN LOGIN"))
        assert deliver(kit.site, "daily", transport=transport(kit)).counts.accepted == 2


def test_an_untrusted_certificate_is_rejected(mail_kit: MailKit, certificate: object) -> None:
    """No message is sent, and the reason names the certificate."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server(Script(extensions=("STARTTLS",)), certificate=certificate) as server:
        kit.mail(server.port)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace('security = "none"', 'security = "starttls"'))
        sent = deliver(kit.site, "daily", transport=transport(kit))
        assert "has an untrusted certificate" in sent.stop_reason
        assert not server.accepted
        assert not any(one.startswith("MAIL") for one in server.commands)


def test_a_server_without_starttls_gets_no_mail_in_the_clear(mail_kit: MailKit) -> None:
    """The run stops, and the reason names the setting."""
    kit = mail_kit
    kit.add_subscribers(1)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        text = (kit.root / "publisher.toml").read_text()
        kit.settings(text.replace('security = "none"', 'security = "starttls"'))
        assert "does not support STARTTLS" in deliver(kit.site, "daily", transport=transport(kit)).stop_reason
        assert not server.accepted


def test_a_non_ascii_address_needs_a_server_with_smtputf8(mail_kit: MailKit) -> None:
    """Without it, this delivery fails and the others do not."""
    kit = mail_kit
    path = kit.root / "readers.csv"
    path.write_text("address\nmüller@bücher.example.org\nanna@bücher.example.org\n", "utf-8")
    from tests.support.use_cases import import_list

    import_list(kit.site, path, NOW)
    kit.issue("one")
    with Server(Script(extensions=("PIPELINING",))) as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
        assert server.recipients == ["anna@xn--bcher-kva.example.org"]
        assert states(kit) == {"accepted": 1, "failed": 1}
        assert suppressed(kit) == []


def test_a_non_ascii_address_is_sent_to_a_server_with_smtputf8(mail_kit: MailKit) -> None:
    """The address is sent as UTF-8."""
    kit = mail_kit
    path = kit.root / "readers.csv"
    path.write_text("address\nmüller@bücher.example.org\n", "utf-8")
    from tests.support.use_cases import import_list

    import_list(kit.site, path, NOW)
    kit.issue("one")
    with Server() as server:
        kit.mail(server.port)
        deliver(kit.site, "daily", transport=transport(kit))
        assert server.recipients == ["müller@xn--bcher-kva.example.org"]
        assert any("SMTPUTF8" in one for one in server.commands if one.startswith("MAIL"))
        message = message_from_bytes(server.accepted[0].data, policy=policy.default)
        assert "müller@bücher.example.org" in message.get_body(("plain",)).get_content()
