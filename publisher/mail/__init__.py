"""Messages: their headers and parts, byte for byte."""

from publisher.mail.message import Envelope, build_message

__all__ = ["Envelope", "build_message"]
