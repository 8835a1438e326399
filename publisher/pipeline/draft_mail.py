"""``publish send DIGEST --test``: send the draft to one address."""

from __future__ import annotations

from publisher.context import Context
from publisher.delivery.single_messages import send_test
from publisher.digests.lookup import find_draft
from publisher.digests.update_draft import render_draft
from publisher.mail.outcome import Outcome
from publisher.pipeline.publish import publish


def send_draft_test(context: Context, target: str, address: str) -> Outcome:
    """Read articles/, and send the draft of a digest to one address, marked as a test.

    Raises:
        SettingsError: there is no draft or no mail server, or the address is invalid.
        SendingBlocked: the message has placeholder values and the address may be a real person's.
        RemoteError: no relay accepts the message.
        StoreError: the caller has a transaction or a dry run.
    """
    db = context.db
    db.require_commits("sending")
    publish(context, may_open=False)
    with db.read() as connection:
        draft = find_draft(connection, target)
    composed, _ = render_draft(context, draft)
    return send_test(context, composed, address)
