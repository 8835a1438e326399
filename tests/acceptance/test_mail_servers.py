"""A digest through Postfix into a mailbox of Dovecot, and bounces back over IMAP."""

from __future__ import annotations

import imaplib
import json
import os
import pwd
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes, policy
from pathlib import Path

import dkim
import pytest

from publisher.mail.dkim import Signer, dns_record, new_key
from publisher.mail.mailboxes import ImapAccount, open_imap
from publisher.mail.mime import MAX_HEADER_BYTES
from publisher.model.delivery import DeliveryState
from publisher.signing.site_key import keyring
from tests.conftest import NOW, MailKit
from tests.support.deliveries import accept_all, return_path
from tests.support.ports import free_port
from tests.support.use_cases import deliver, delivery_history, process_mailbox

NODE = Path(__file__).parent.parent / "mail" / "node"

pytestmark = pytest.mark.skipif(
    shutil.which("postfix") is None or shutil.which("dovecot") is None or os.getuid() != 0,
    reason="Postfix and Dovecot are not there, or this is not root, as whom they have to be started",
)


@dataclass
class Servers:
    smtp: int
    imap: int
    certificate: Path


@pytest.fixture(scope="module")
def servers(certificate: Path) -> Iterator[Servers]:
    """Postfix and Dovecot for this machine only, with one mailbox for all addresses at mail.example.org."""
    # Not below pytest's own folder: both become other users, who may not pass through it.
    folder = Path(tempfile.mkdtemp(prefix="publisher-mail-"))
    folder.chmod(0o755)
    found = Servers(smtp=free_port(), imap=free_port(), certificate=certificate)
    user = pwd.getpwnam("nobody")
    boxes = folder / "boxes"
    boxes.mkdir()
    os.chown(boxes, user.pw_uid, user.pw_gid)
    shutil.copy(certificate, folder / "localhost.pem")
    postfix = start_postfix(folder, found, user.pw_uid, user.pw_gid)
    dovecot = start_dovecot(folder, found, user.pw_uid, user.pw_gid)
    try:
        for port in (found.smtp, found.imap):
            wait_for(port)
        yield found
    finally:
        subprocess.run(["postfix", "-c", str(postfix), "stop"], capture_output=True, check=False)
        dovecot.terminate()
        dovecot.wait(10)
        shutil.rmtree(folder, ignore_errors=True)


def wait_for(port: int) -> None:
    for _ in range(100):
        try:
            with socket.create_connection(("127.0.0.1", port)):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"nothing listens on {port}")


def start_postfix(folder: Path, found: Servers, uid: int, gid: int) -> Path:
    config, queue, data = folder / "postfix", folder / "queue", folder / "data"
    for one in (config, queue, data):
        one.mkdir()
    os.chown(data, pwd.getpwnam("postfix").pw_uid, -1)
    (config / "main.cf").write_text(
        f"""
compatibility_level = 3.6
queue_directory = {queue}
data_directory = {data}
myhostname = localhost
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_tls_cert_file = {folder / "localhost.pem"}
smtpd_tls_key_file = {folder / "localhost.pem"}
smtpd_tls_security_level = may
virtual_mailbox_domains = mail.example.org
virtual_mailbox_base = {folder / "boxes"}
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
message_size_limit = 1000000
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{ gone@mail.example.org = 550 5.1.1 no such user }} }}, permit
default_transport = error:nothing leaves this machine
smtputf8_enable = yes
"""
    )
    shutil.copy("/usr/share/postfix/master.cf.dist", config / "master.cf")
    text = (config / "master.cf").read_text()
    lines = [f"127.0.0.1:{found.smtp} inet n - n - - smtpd"]
    for line in text.splitlines():
        if line.startswith("smtp ") and "inet" in line:
            continue
        fields = line.split()
        # Nothing of the machine's own files is copied for a chroot.
        if len(fields) >= 8 and not line.startswith(("#", " ")):
            fields[4] = "n"
            lines.append(" ".join(fields))
        else:
            lines.append(line)
    (config / "master.cf").write_text("\n".join(lines) + "\n")
    done = subprocess.run(["postfix", "-c", str(config), "start"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return config


def start_dovecot(folder: Path, found: Servers, uid: int, gid: int) -> subprocess.Popen[bytes]:
    config = folder / "dovecot.conf"
    config.write_text(
        f"""
protocols = imap
base_dir = {folder}/run
state_dir = {folder}/state
listen = 127.0.0.1
log_path = {folder}/dovecot.log
ssl = required
ssl_cert = <{folder}/localhost.pem
ssl_key = <{folder}/localhost.pem
mail_location = maildir:{folder}/boxes/all
first_valid_uid = 1
first_valid_gid = 1
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/boxes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {found.imap}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
}}
"""
    )
    return subprocess.Popen(["dovecot", "-F", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def mail(kit: MailKit, servers: Servers) -> None:
    kit.mail(servers.smtp)
    text = (kit.root / "publisher.toml").read_text()
    text = text.replace('host = "127.0.0.1"', 'host = "localhost"').replace(
        'security = "none"', f'security = "starttls"\nca_file = "{servers.certificate}"'
    )
    text = text.replace(
        "[mail]",
        '[mail]\nunsubscribe = "https://review.example/newsletters/leave"\none_click = true\n'
        'bounces = "bounces+{copy}@review.example"',
    )
    for kind in ("rsa", "ed25519"):
        (kit.root / f"{kind}.pem").write_text(new_key(kind))
        text += f'\n[[dkim]]\nselector = "{kind}"\nkey = {{ file = "{kind}.pem" }}\n'
    kit.settings(text)


@contextmanager
def inbox(servers: Servers) -> Iterator[imaplib.IMAP4_SSL]:
    """Open the mailbox over IMAP."""
    context = ssl.create_default_context(cafile=str(servers.certificate))
    with imaplib.IMAP4_SSL("localhost", servers.imap, ssl_context=context) as server:
        server.login("all", "secret")
        server.select("INBOX")
        yield server


@pytest.fixture(autouse=True)
def empty_mailbox(servers: Servers) -> None:
    """Delete the messages that other tests have left in the shared mailbox."""
    with inbox(servers) as server:
        for number in server.search(None, "ALL")[1][0].split():
            server.store(number, "+FLAGS", "\\Deleted")
        server.expunge()


def read_back(servers: Servers, count: int) -> list[bytes]:
    """Return the messages in the mailbox once there are at least COUNT."""
    for _ in range(100):
        with inbox(servers) as server:
            numbers = server.search(None, "UNDELETED")[1][0].split()
            if len(numbers) >= count:
                return [server.fetch(number, "(BODY.PEEK[])")[1][0][1] for number in numbers]
        time.sleep(0.1)
    pytest.fail("nothing arrives")


def test_a_digest_arrives_unchanged(mail_kit: MailKit, servers: Servers) -> None:
    """Postfix and Dovecot deliver the bytes, the DKIM signature verifies, and rejected addresses are suppressed."""
    kit = mail_kit
    names = kit.add_subscribers(3)
    kit.add_subscribers(0)
    (kit.root / "gone.csv").write_text("address\ngone@mail.example.org\n")
    from tests.support.use_cases import import_list

    import_list(kit.site, kit.root / "gone.csv", NOW)
    kit.article("one.md", "Ein Titel über Wasser — und é", body="Text with a [link](https://review.example/x?a=1&b=2).")
    mail(kit, servers)
    kit.open_issue()
    sent = deliver(kit.site, "daily")
    assert (sent.counts.accepted, sent.counts.failed, sent.stop_reason) == (3, 1, "")
    assert delivery_history(kit.site, "daily", "gone@mail.example.org").status == "suppressed"
    found = read_back(servers, 3)
    assert sorted(message_from_bytes(one)["Delivered-To"] for one in found) == sorted(names)
    for data in found:
        holds(kit, data)
    story = delivery_history(kit.site, "daily", names[0])
    assert story.state is DeliveryState.ACCEPTED
    assert "queued as" in story.events[-1].text


def holds(kit: MailKit, data: bytes) -> None:
    """Hold what was read back against what was meant."""

    def lookup(name: bytes, timeout: float = 5) -> bytes:
        for kind in ("rsa", "ed25519"):
            pem = (kit.root / f"{kind}.pem").read_text()
            where, record = dns_record(Signer.read(pem, domain="review.example", selector=kind))
            if name.decode().rstrip(".") == where:
                return record.encode()
        raise AssertionError(name)

    for number in (0, 1):
        assert dkim.DKIM(data).verify(idx=number, dnsfunc=lookup)
    message = message_from_bytes(data, policy=policy.default)
    copy = str(message["Message-ID"]).partition("@")[0].lstrip("<")
    assert f"List-Unsubscribe: <https://review.example/newsletters/leave?copy={copy}>,".encode() in data
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    with kit.open() as db, db.write() as connection:
        ring = keyring(kit.site, connection)
    delivery = ring.delivery_of_token(copy)
    assert delivery is not None
    assert message["Return-Path"] == f"<bounces+{ring.return_path_token(*delivery)}@review.example>"
    if shutil.which("node") and (NODE / "node_modules").is_dir():
        path = kit.root / "read.eml"
        path.write_bytes(data)
        done = subprocess.run(
            ["node", "--input-type=module", "-e", _PARSE, str(path)],
            cwd=NODE,
            capture_output=True,
            text=True,
            check=True,
        )
        theirs = json.loads(done.stdout)
        assert theirs["subject"] == message["Subject"]
        assert theirs["to"] == message["To"]
        assert theirs["unsubscribe"] == f"https://review.example/newsletters/leave?copy={copy}"
        assert theirs["text"].split() == message.get_body(("plain",)).get_content().split()


_PARSE = """
import fs from 'node:fs'
import { simpleParser } from 'mailparser'
const mail = await simpleParser(fs.readFileSync(process.argv[1]))
console.log(JSON.stringify({
  subject: mail.subject, to: mail.to.text, text: mail.text, unsubscribe: mail.headers.get('list').unsubscribe.url,
}))
"""


def test_bounces_are_processed_over_imap_and_deleted(mail_kit: MailKit, servers: Servers) -> None:
    """A bounce suppresses its address; other messages stay in the mailbox."""
    from tests.integration.delivery.test_bounces import dsn, plain

    kit = mail_kit
    name = kit.add_subscribers(2, "elsewhere.example.org")[0]
    kit.issue("one")
    accept_all(kit)
    (kit.root / "password").write_text("secret")
    kit.add_settings(
        f"""
        [bounces.imap]
        host = "localhost"
        port = {servers.imap}
        username = "all"
        password = {{ file = "password" }}
        ca_file = "{servers.certificate}"
        """
    )
    account = ImapAccount(
        host="localhost", port=servers.imap, username="all", password="secret", ca_file=str(servers.certificate)
    )
    with open_imap(account) as box:
        box.remove([key for key, _ in box.messages()])
    import ssl

    context = ssl.create_default_context(cafile=str(servers.certificate))
    with imaplib.IMAP4_SSL("localhost", servers.imap, ssl_context=context) as server:
        server.login("all", "secret")
        for data in (
            dsn(return_path(kit, name), "<x@y>"),
            plain("n@x.example", "Hello", "A message"),
            b"X: " + b"a" * (MAX_HEADER_BYTES + 1) + b"\r\nSubject: Too large\r\n\r\n",
        ):
            server.append("INBOX", None, None, data)
    found = process_mailbox(kit.site, NOW)
    assert (found.hard, found.left, found.suppressed) == (1, 1, (name,))
    assert (found.unreadable, len(found.problems)) == (1, 1)
    subjects = [message_from_bytes(one)["Subject"] for one in read_back(servers, 2)]
    assert subjects == ["A message", "Too large"]
    again = process_mailbox(kit.site, NOW)
    assert (again.messages, again.unreadable) == (1, 0)


def test_a_wrong_password_is_reported_and_not_printed(mail_kit: MailKit, servers: Servers) -> None:
    """The error of a failed login does not contain the password."""
    from publisher.errors import RemoteError

    account = ImapAccount(
        host="localhost", port=servers.imap, username="all", password="wrong-one", ca_file=str(servers.certificate)
    )
    with pytest.raises(RemoteError) as told, open_imap(account):
        pass
    assert "wrong-one" not in str(told.value)
