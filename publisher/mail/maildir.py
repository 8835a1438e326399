"""A Maildir as the way out: each reader's copy is a file that mutt or Thunderbird opens."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from publisher.errors import StageError
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState
from publisher.private_files import make_private_folder, private_opener

__all__ = ["MaildirTransport"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirTransport:
    """Writes copies below a folder: ``tmp``, then ``new``, as https://cr.yp.to/proto/maildir.html asks.

    A copy has the same file name each time: to write it twice is to write it once, also where a
    mail program has moved it to ``cur`` meanwhile.
    """

    folder: Path
    is_idempotent: bool = True
    is_local: bool = True

    def run(self, feed: MessageSource, lane: int) -> None:
        """Write what the feed gives."""
        try:
            make_private_folder(self.folder)
            for name in ("tmp", "new", "cur"):
                make_private_folder(self.folder / name)
        except OSError as error:
            raise StageError(f"cannot make the Maildir {self.folder}: {error.strerror}") from error
        while (copy := feed.take(wait=True)) is not None:
            if not feed.hand_over(copy)():
                feed.record_outcome(copy, Outcome(state=DeliveryState.QUEUED, answer=""))
                continue
            self._write(copy)
            feed.record_outcome(
                copy, Outcome(state=DeliveryState.ACCEPTED, answer=f"written to {self.folder.name}/new/{copy.name}")
            )

    def _write(self, copy: OutgoingMessage) -> None:
        new = self.folder / "new" / copy.name
        if new.exists() or any((self.folder / "cur").glob(f"{copy.name}:*")):
            return
        temporary = self.folder / "tmp" / copy.name
        try:
            with open(temporary, "wb", opener=private_opener) as file:
                file.write(f"Return-Path: <{copy.return_path}>\nDelivered-To: {copy.recipient}\n".encode())
                file.write(copy.data.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, new)
            handle = os.open(new.parent, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise StageError(f"cannot write {new}: {error.strerror}; make room and run the command again") from error
