"""Compare the words of refusals. Pure."""

from __future__ import annotations

from publisher.mail.replies import normalise


def names_address(reply: str, address: str) -> bool:
    """Return whether a reply names the recipient's address."""
    return address.casefold() in reply.casefold()


def refusal_key(reply: str, address: str) -> str:
    """Return the words of a refusal without those that differ between recipients.

    These are the address, its local part, and words with a digit (session IDs, codes, times).
    """
    local = address.rpartition("@")[0].casefold()
    words = [
        word for word in reply.casefold().split() if word.strip("<>()[]\"'`.,:;=") not in (local, address.casefold())
    ]
    words = normalise(" ".join(words)).split()
    return " ".join(word for word in words if not any(char.isdigit() for char in word))[:200]
