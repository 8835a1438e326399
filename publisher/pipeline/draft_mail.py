"""``publish send DIGEST --test``: send the draft to one address."""

from __future__ import annotations

from datetime import datetime

from publisher.delivery.single_messages import send_test
from publisher.digests.lookup import find_draft
from publisher.digests.update_draft import render_draft
from publisher.mail.outcome import Outcome
from publisher.mail.transport import Transport
from publisher.pipeline.publish import publish
from publisher.settings import Site
from publisher.storage.engine import Database

__all__ = ["send_draft_test"]


def send_draft_test(
    site: Site, target: str, address: str, now: datetime, *, transport: Transport | None = None
) -> Outcome:
    """Read articles/, and send the draft of a digest to one address, marked as a test.

    Raises:
        SettingsError: there is no draft or no mail server, or the address is invalid.
        SendingBlocked: the message has placeholder values and the address may be a real person's.
        RemoteError: no relay accepts the message.
    """
    publish(site, now, may_open=False)
    with Database.open(site.database_url) as db:
        with db.read() as connection:
            draft = find_draft(connection, target)
        composed, _ = render_draft(db, site, site.digests[draft.digest].digest(draft.digest), draft, now)
        with db.write() as connection:
            return send_test(site, connection, composed, address, now, transport=transport)
