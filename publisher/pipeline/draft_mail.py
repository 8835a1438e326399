"""``publish send DIGEST --test``: send the draft to one address."""

from __future__ import annotations

from dataclasses import replace

from publisher.context import Context
from publisher.delivery.single_messages import single_message, try_messages
from publisher.digests.envelope import delivery_envelope, sample_values
from publisher.digests.lookup import find_draft
from publisher.digests.readiness import require_reserved, sample_blockers, setting_blockers
from publisher.digests.update_draft import render_draft
from publisher.errors import RemoteError
from publisher.mail.outcome import Outcome
from publisher.mail.placeholders import Placeholders
from publisher.mail.site_transport import make_transport
from publisher.pipeline.publish import publish
from publisher.signing.sample_tokens import sample_token
from publisher.subscribers.addresses import parse_named_address, require_address

_PREFIX = "[Test] "


def send_draft_test(context: Context, target: str, address: str) -> Outcome:
    """Read articles/, and send the draft of a digest to one address, marked as a test.

    Raises:
        SettingsError: there is no draft or no mail server, or the address is invalid.
        SendingBlocked: the message has placeholder values and the address may be a real person's.
        RemoteError: no relay accepts the message.
        StoreError: the caller has a transaction or a dry run.
    """
    context.db.require_commits("sending")
    publish(context, may_open=False)
    with context.db.read() as connection:
        draft = find_draft(connection, target)
    issue = render_draft(context, draft)[0].issue
    variant = issue.variants[0]
    site = context.site
    transport = context.transport or make_transport(site)
    recipient = require_address(address, parse_named_address)
    text, name = variant.text.decode(), f"{issue.digest}/next"
    blockers = () if transport.is_local else (*setting_blockers(site), *sample_blockers(name, text))
    require_reserved(name, {recipient.domain: 1}, blockers)
    digest, subject = site.digest(issue.digest), f"{_PREFIX}{variant.subject or issue.subject}"
    envelope = delivery_envelope(site, digest, subject=subject, slot=issue.slot, number=issue.number)
    token = sample_token(f"{_PREFIX}{recipient.text}{context.now.isoformat()}{issue.digest}/{issue.name}")
    message = single_message(
        site,
        replace(envelope, date=context.now.astimezone(site.tz)),
        recipient,
        text=text,
        html=variant.html.decode(),
        key=f"{int(issue.slot.timestamp())}.{token}",
        token=token,
        placeholders=Placeholders(hash=variant.placeholder_hash),
        values=sample_values(site, digest, issue.name),
    )
    outcomes, fault = try_messages(transport, [message])
    if fault:
        raise RemoteError(fault)
    return outcomes[message.recipient]
