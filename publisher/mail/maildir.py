"""Write messages to a Maildir instead of sending them.

Mail clients such as mutt and Thunderbird open it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from publisher.errors import StageError
from publisher.mail.outcome import Outcome
from publisher.mail.transport import MessageSource, OutgoingMessage
from publisher.model.delivery import DeliveryState
from publisher.private_files import make_private_folder, private_opener


@dataclass(frozen=True, slots=True, kw_only=True)
class MaildirTransport:
    """Write messages to ``tmp``, then move them to ``new``.

    See https://cr.yp.to/proto/maildir.html. A message has the same file name at each attempt. It is not written again if
    the file exists, also after a mail client has moved it to ``cur``.
    """

    folder: Path
    is_idempotent: bool = True
    is_local: bool = True

    def run(self, source: MessageSource, connection_number: int) -> None:
        """Write the messages of a source until it has none for now."""
        try:
            make_private_folder(self.folder)
            for name in ("tmp", "new", "cur"):
                make_private_folder(self.folder / name)
        except OSError as error:
            raise StageError(f"cannot make the Maildir {self.folder}: {error.strerror}") from error
        while (message := source.take(wait=True)) is not None:
            final = source.hand_over(message)()
            if final is None:
                source.record_outcome(message, Outcome(state=DeliveryState.QUEUED, answer=""))
                continue
            self._write(final)
            answer = f"written to {self.folder / 'new' / message.name}"
            source.record_outcome(message, Outcome(state=DeliveryState.ACCEPTED, answer=answer))

    def _write(self, message: OutgoingMessage) -> None:
        new = self.folder / "new" / message.name
        if new.exists() or any((self.folder / "cur").glob(f"{message.name}:*")):
            return
        temporary = self.folder / "tmp" / message.name
        try:
            with open(temporary, "wb", opener=private_opener) as file:
                file.write(f"Return-Path: <{message.return_path}>\nDelivered-To: {message.recipient}\n".encode())
                file.write(message.data.replace(b"\r\n", b"\n"))
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
