"""Messages, byte for byte, and the ways they leave and come back."""

from publisher.mail.message import Envelope, build_message

__all__ = ["Envelope", "build_message"]
