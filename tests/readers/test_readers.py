"""Real reader programs subscribe, and see no article twice, whatever is changed about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.clients import CLIENTS, Client
from tests.readers.story import FEATURES, features
from tests.support.http_servers import run_web_server

#: What a program does not show, whoever publishes: (program, format) → feature → why.
NO_CATEGORIES = {"category": "it has no categories"}
MAILED_ONCE = {"edited": "what was mailed is not mailed again"}
ONE_AUTHOR = {"authors": "it keeps one of several authors"}
LACKS: dict[tuple[str, str], dict[str, str]] = {
    ("reader", "rss"): NO_CATEGORIES,
    ("reader", "atom"): NO_CATEGORIES | ONE_AUTHOR,
    ("reader", "json"): NO_CATEGORIES,
    ("newsboat", "rss"): NO_CATEGORIES,
    ("newsboat", "atom"): NO_CATEGORIES,
    ("sfeed", "atom"): ONE_AUTHOR,
    ("rss2email", "rss"): MAILED_ONCE,
    ("rss2email", "atom"): MAILED_ONCE | ONE_AUTHOR,
    ("rss-parser", "atom"): ONE_AUTHOR | {"enclosure": "it knows none in Atom", "category": "it knows none in Atom"},
}

ROWS = [(client, form) for client in CLIENTS for form in client.formats]


@pytest.mark.parametrize(("client", "form"), ROWS, ids=[f"{client.name}-{form}" for client, form in ROWS])
def test_a_reader_program_shows_everything_and_nothing_twice(client: Client, form: str, tmp_path: Path) -> None:
    reason = client.missing()
    if reason is not None:
        pytest.skip(f"{client.name}: {reason}")
    with run_web_server() as web:
        found = features(client, form, tmp_path, web)
    lacks = LACKS.get((client.name, form), {})
    assert {name for name in FEATURES if not found[name]} == set(lacks)
