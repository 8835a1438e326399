"""Build RFC 5322 messages, sign and send them, and interpret replies and bounces.

Messages, mail servers and mailboxes only: this package reads no database and no settings.
"""

from publisher.mail.message import Envelope, build_message

__all__ = ["Envelope", "build_message"]
