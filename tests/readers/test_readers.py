"""Real feed readers subscribe, and show no article twice, whatever changes about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.readers.clients import CLIENTS, Client
from tests.readers.features import FEATURES, supported_features
from tests.support.http_servers import run_web_server

#: Features that a program does not show of any feed: (program, format) → feature → reason.
NO_CATEGORIES = {"category": "it does not support categories"}
MAILED_ONCE = {"edited": "it does not mail an entry again"}
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
    ("rss-parser", "atom"): ONE_AUTHOR
    | {"enclosure": "it does not support them in Atom", "category": "it does not support them in Atom"},
}

ROWS = [(client, form) for client in CLIENTS for form in client.formats]


@pytest.mark.parametrize(
    ("client", "form"),
    [
        pytest.param(
            client,
            form,
            id=f"{client.name}-{form}",
            marks=pytest.mark.slow(reason="each program reads Atom by default") if form != "atom" else (),
        )
        for client, form in ROWS
    ],
)
def test_a_feed_reader_shows_every_feature_and_no_article_twice(client: Client, form: str, tmp_path: Path) -> None:
    """A feature may be missing only if the feed reader does not support it at all."""
    reason = client.missing()
    if reason is not None:
        pytest.skip(f"{client.name}: {reason}")
    with run_web_server() as web:
        shown = supported_features(client, form, tmp_path, web)
    lacks = LACKS.get((client.name, form), {})
    assert {name for name in FEATURES if not shown[name]} == set(lacks)
