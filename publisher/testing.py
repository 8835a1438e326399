"""For tests of programs that use ``publisher``: a fixed clock, mail in memory, a site in a temporary folder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from threading import Lock
from types import MappingProxyType

from publisher.api import Publisher
from publisher.clock import FixedClock
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource
from publisher.model.delivery import DeliveryState
from publisher.settings import SETTINGS_FILE

__all__ = ["SETTINGS", "FixedClock", "MemoryTransport", "SentMessage", "TemporarySite", "temporary_site"]

#: The settings of a temporary site: one newsletter, whose issues are sent once they are approved, with links to the
#: pages of subscribers, and a return path by which bounces are recognised.
SETTINGS = """
title = "The Test Review"
base_url = "https://review.example"
zone = "UTC"

[mail]
sender = "The Test Review <news@review.example>"
postal_address = "1 Test Street, Testville"
bounces = "bounces+{copy}@review.example"
unsubscribe = "https://review.example/newsletters/leave"
one_click = true
preferences = "https://review.example/newsletters/preferences"

[delivery]
transport = "maildir"

[digests.daily]
title = "The Daily"
"""


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that would have been sent."""

    #: The address for RCPT.
    recipient: str
    #: The address for MAIL FROM, to which bounces return.
    return_path: str
    message: EmailMessage

    @property
    def text(self) -> str:
        """The plain text."""
        part = self.message.get_body(("plain",))
        return part.get_content() if part is not None else ""

    @property
    def html(self) -> str:
        """The HTML; empty without one."""
        part = self.message.get_body(("html",))
        return part.get_content() if part is not None else ""


@dataclass(slots=True)
class MemoryTransport:
    """Keeps messages in memory in place of sending them."""

    #: The messages, in the order in which they were accepted.
    sent: list[SentMessage] = field(default_factory=list)
    is_idempotent: bool = False
    #: No message reaches a subscriber, so placeholder values in the settings block nothing.
    is_local: bool = True
    _lock: Lock = field(default_factory=Lock, repr=False)

    def run(self, source: MessageSource, connection_number: int) -> None:
        """Accept the messages of a source until it has none for now."""
        while (message := source.take(wait=True)) is not None:
            final = source.hand_over(message)()
            if final is None:
                source.record_outcome(message, Outcome(state=DeliveryState.QUEUED, answer=""))
                continue
            parsed = message_from_bytes(final.data, policy=policy.default)
            assert isinstance(parsed, EmailMessage)
            with self._lock:
                self.sent.append(SentMessage(final.recipient, final.return_path, parsed))
            source.record_outcome(message, Outcome(state=DeliveryState.ACCEPTED, answer="kept in memory"))

    def sent_to(self, address: str) -> list[SentMessage]:
        """Return the messages to one address."""
        return [message for message in self.sent if message.recipient == address]


@dataclass(frozen=True, slots=True)
class TemporarySite:
    """A site in a temporary folder."""

    publisher: Publisher
    #: Its mail.
    mail: MemoryTransport
    #: Its time.
    clock: FixedClock
    #: The folder with publisher.toml.
    folder: Path

    def write_article(self, name: str, content: str | Mapping[str, object]) -> Path:
        """Write a file into articles/: its text, or a record as JSON."""
        path = self.folder / "articles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        return path


@contextmanager
def temporary_site(
    *,
    settings: str = SETTINGS,
    articles: Mapping[str, str | Mapping[str, object]] = MappingProxyType({}),
    now: datetime = datetime(2026, 1, 5, 7, tzinfo=UTC),
) -> Iterator[TemporarySite]:
    """Open a site in a temporary folder, which is deleted at the end. Its mail stays in memory.

    Args:
        settings: the text of publisher.toml; ``SETTINGS`` by default, which a program can change with ``replace()``.
        articles: name of a file → its text, or a record that is written as JSON.
        now: the time of its clock; ``2026-01-05T07:00Z`` by default.

    Raises:
        SettingsError: the settings are invalid.
    """
    with tempfile.TemporaryDirectory(prefix="publisher-") as name:
        folder, clock, mail = Path(name), FixedClock(now), MemoryTransport()
        (folder / SETTINGS_FILE).write_text(settings, "utf-8")
        (folder / "articles").mkdir()
        with Publisher.open(folder, clock=clock, transport=mail) as publisher:
            site = TemporarySite(publisher, mail, clock, folder)
            for file, content in articles.items():
                site.write_article(file, content)
            yield site
