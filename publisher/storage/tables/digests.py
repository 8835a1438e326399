"""Tables of digests, issues and their variants."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    false,
)

from publisher.storage.tables.base import table

#: A digest that has started. Articles up to ``since_seq`` are not news for it.
digest = table(
    "digest",
    Column("slug", Text, primary_key=True),
    Column("since_seq", Integer, nullable=False),
)

#: Articles that are candidates for a digest's next issue.
pending = table(
    "pending",
    Column("digest", Text, ForeignKey("digest.slug"), primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("carried_over", Boolean, nullable=False),
    #: True if an editor added it to the next issue by name.
    Column("is_added", Boolean, nullable=False, server_default=false()),
    #: True if an issue that had it was cancelled: it makes no issue by itself, and only people without it get it.
    Column("is_returned", Boolean, nullable=False, server_default=false()),
    #: ``discarded`` (until an issue opens) ``later`` or ``draft later`` (until the slot after ``skip_slot``); NULL for neither.
    Column("skip", Text),
    Column("skip_slot", BigInteger),
)

#: The next issue of a digest, which follows its articles until it is approved.
issue_draft = table(
    "issue_draft",
    Column("digest", Text, primary_key=True),
    #: The slot, name and number that it would get if it were approved now.
    Column("slot", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    #: Arrival numbers of its articles, in the order of display, JSON.
    Column("articles", Text, nullable=False),
    #: Counts and problems of the rendering, JSON.
    Column("summary", Text, nullable=False),
    #: Preflight findings, JSON, and the number of errors among them.
    Column("findings", Text, nullable=False),
    Column("errors", Integer, nullable=False),
    #: Hash of everything that it was rendered from. An equal input is not rendered again.
    Column("input_hash", Text, nullable=False),
    #: Hash of what an editor approves, and earlier versions with their hashes, JSON.
    Column("hash", Text, nullable=False),
    Column("versions", Text, nullable=False),
    #: Why it may be approved in spite of errors, and the findings that this applies to; NULL for none.
    Column("forced", Text),
    Column("forced_findings", Text),
    #: The newest slot that has passed without an issue, and that the draft waits for; NULL for none.
    Column("waiting_slot", BigInteger),
    #: True if it becomes the issue of ``waiting_slot`` without a person, once nothing stops it.
    Column("opens_by_itself", Boolean, nullable=False, server_default=false()),
    #: When the editors were notified of it, and the slot of that mail; NULL for not yet.
    Column("notified_at", BigInteger),
    Column("notified_slot", BigInteger),
    #: The errors in that mail, JSON.
    Column("notified_errors", Text),
    #: False until all its files are staged in outbox/.
    Column("is_staged", Boolean, nullable=False),
)

#: The files of a draft, byte for byte.
issue_draft_file = table(
    "issue_draft_file",
    Column("digest", Text, ForeignKey("issue_draft.digest", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

issue = table(
    "issue",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("digest", Text, ForeignKey("digest.slug"), nullable=False),
    Column("slot", BigInteger, nullable=False),
    Column("name", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("subject", Text, nullable=False),
    #: False until all its files are staged in outbox/.
    Column("is_staged", Boolean, nullable=False),
    #: Number of preflight errors; NULL if there was no preflight.
    Column("errors", Integer),
    #: Reason to send it in spite of errors, given by a person; NULL for none. The articles that held it then, and the
    #: errors that were shown, JSON.
    Column("forced", Text),
    Column("forced_articles", Text),
    Column("forced_findings", Text),
    #: True while sending is paused.
    Column("is_paused", Boolean, nullable=False, server_default=false()),
    #: Hash of the approved content. NULL for an issue of an older version that was not approved.
    Column("approved", Text),
    Column("approved_at", BigInteger),
    #: When its send opened, and its audience was settled; NULL for not yet.
    Column("opened_at", BigInteger),
    #: When it was cancelled: what was not handed over by then is not sent.
    Column("cancelled_at", BigInteger),
    #: What a reopened issue gets back and its further variants are rendered from, JSON.
    Column("editorial", Text),
    #: The settings that its headers and links depend on, JSON.
    Column("mail_settings", Text),
    #: Why it is held, as the editors were notified; NULL for not yet.
    Column("notified_hold", Text),
    #: Why its send did not open when it was due; NULL for no reason.
    Column("opening_fault", Text),
    UniqueConstraint("digest", "slot"),
    UniqueConstraint("digest", "number"),
)

#: Articles of an issue. A second issue of a digest may have an article if the first one was cancelled.
issue_article = table(
    "issue_article",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("article_seq", Integer, ForeignKey("article.seq"), primary_key=True),
    Column("digest", Text, nullable=False),
    Column("position", Integer, nullable=False),
    #: The article as it was approved, JSON, until the send opens.
    Column("approved_text", Text),
    Index("ix_issue_article_article", "article_seq", "digest"),
)

#: An issue's files, byte for byte.
issue_file = table(
    "issue_file",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

#: The text of an issue with placeholders, once per distinct set of articles.
issue_variant = table(
    "issue_variant",
    Column("issue_id", Integer, ForeignKey("issue.id"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    #: Arrival numbers of the articles in order, JSON.
    Column("articles", Text, nullable=False),
    #: NULL for variants from older versions, which had no subject of their own.
    Column("subject", Text),
    #: Part of each placeholder, so that no article can contain one.
    Column("placeholder_hash", Text, nullable=False),
    Column("html", LargeBinary, nullable=False),
    Column("text", LargeBinary, nullable=False),
)

#: Editors who have a mail that others still have to get.
editor_mail = table(
    "editor_mail",
    #: ``draft:DIGEST`` or ``issue:ID``.
    Column("topic", Text, primary_key=True),
    #: A hash of the editor's address.
    Column("editor", Text, primary_key=True),
    #: A hash of the reason for the mail: another reason needs another mail.
    Column("reason", Text, nullable=False),
)

#: An editor's note and lead for a digest's next issue.
next_issue_note = table(
    "next_issue_note",
    Column("digest", Text, primary_key=True),
    Column("note", Text, nullable=False),
    Column("lead_seq", Integer, ForeignKey("article.seq")),
    #: Arrival numbers of articles in the order that an editor chose, JSON; NULL for the usual order.
    Column("article_order", Text),
)
