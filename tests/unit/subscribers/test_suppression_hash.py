"""The hash under which the suppression list has an address."""

from __future__ import annotations

from pathlib import Path

import publisher
from publisher.signing.keyring import Keyring
from publisher.subscribers.addresses import parse_address
from publisher.subscribers.suppression import suppression_hash

RING = Keyring(key=b"k" * 32)


def test_all_spellings_of_an_address_have_one_hash() -> None:
    """A list that writes the address in capitals does not bring a suppressed person back."""
    hashes = {suppression_hash(RING, parse_address(text).key) for text in ("ann@example.org", "ANN@Example.ORG")}
    assert len(hashes) == 1


def test_the_hash_depends_on_the_secret_of_the_site() -> None:
    """Without the secret, an address cannot be tested against a list."""
    assert suppression_hash(RING, "ann@example.org") != suppression_hash(Keyring(key=b"o" * 32), "ann@example.org")


def test_every_module_hashes_suppressed_addresses_with_this_function() -> None:
    """Two ways to hash an address would make two lists, and an address on one of them would be mailed."""
    callers = {
        path.name
        for path in Path(publisher.__file__).parent.rglob("*.py")
        if ".address_hash(" in path.read_text("utf-8")
    }
    assert callers == {"suppression.py"}
