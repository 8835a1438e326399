"""Queries of mail to editors that a part of them has got."""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import Connection, delete, insert, select

from publisher.storage.tables.digests import editor_mail


def editors_with_mail(connection: Connection, topic: str, reason: str) -> set[str]:
    """Return the hashes of the editors who got the mail about a topic, for this reason."""
    is_mail = (editor_mail.c.topic == topic) & (editor_mail.c.reason == reason)
    return set(connection.execute(select(editor_mail.c.editor).where(is_mail)).scalars())


def save_editors(connection: Connection, topic: str, reason: str, editors: Collection[str]) -> None:
    """Save that editors got the mail about a topic, in place of one for another reason."""
    for editor in editors:
        is_mail = (editor_mail.c.topic == topic) & (editor_mail.c.editor == editor)
        connection.execute(delete(editor_mail).where(is_mail))
        connection.execute(insert(editor_mail).values(topic=topic, editor=editor, reason=reason))


def delete_topic(connection: Connection, topic: str) -> None:
    """Forget which editors got the mail about a topic: every editor did."""
    connection.execute(delete(editor_mail).where(editor_mail.c.topic == topic))


def has_other_topics(connection: Connection, topics: Collection[str]) -> bool:
    """Return whether mails about other topics than these are stored."""
    query = select(editor_mail.c.topic).where(editor_mail.c.topic.not_in(list(topics))).limit(1)
    return connection.execute(query).first() is not None


def delete_other_topics(connection: Connection, topics: Collection[str]) -> None:
    """Forget the mails about all topics but these."""
    connection.execute(delete(editor_mail).where(editor_mail.c.topic.not_in(list(topics))))
