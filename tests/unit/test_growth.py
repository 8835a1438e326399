"""Parsers take linear time for their worst cases: four times the text takes about four times as long."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.fuzz.targets import TARGETS

HEAD = "---\ntitle: T\ndate: 2026-03-05\n---\n"
EXPORT = "T\n\nApril 1, 2022 Topic: X Tags: {}\n\nT\n\n{}"

#: Target, name of the case, its text of about so many characters.
CASES: list[tuple[str, str, Callable[[int], str]]] = [
    ("article-md", "a heading with spaces", lambda n: f"---\ndate: 2026-03-05\n---\n# a{' ' * n}b\n"),
    ("article-md", "keys", lambda n: "---\n" + "".join(f"k{at}: v\n" for at in range(n // 20)) + HEAD[4:]),
    ("article-md", "one long scalar", lambda n: f"---\nx: {'a ' * (n // 2)}\n{HEAD[4:]}"),
    ("article-md", "lines of dashes", lambda n: HEAD + "--- \n" * (n // 5)),
    ("article-md", "paragraphs", lambda n: HEAD + "*a* [b](/c)\n\n" * (n // 14)),
    (
        "article-json",
        "a body of quotes",
        lambda n: '{"title":"T","date":"2026-03-05","body":"' + '\\"' * (n // 2) + '"}',
    ),
    (
        "article-json",
        "tags",
        lambda n: '{"title":"T","date":"2026-03-05","tags":[' + ",".join(f'"t{at}"' for at in range(n // 40)) + "]}",
    ),
    ("article-jsonl", "records", lambda n: '{"id":"x","title":"T","date":"2026-03-05"}\n' * (n // 44)),
    ("article-txt", "capitals in tags", lambda n: EXPORT.format("A" * n, "Body.")),
    ("article-txt", "tags", lambda n: EXPORT.format("AaBb" * (n // 4), "Body. " * (n // 6))),
    ("article-txt", "blank lines", lambda n: EXPORT.format("A", "x\n" + " \n" * (n // 2) + "y")),
    ("article-txt", "an author line", lambda n: EXPORT.format("A", "x\n\n" + "Ann Lee, " * (n // 9) + "is a writer.")),
    ("html", "nested", lambda n: "<div>" * (n // 5)),
    ("html", "nested and closed", lambda n: "<div>" * (n // 11) + "</div>" * (n // 11)),
    ("html", "formatting without ends", lambda n: "<b><p>" * (n // 6)),
    ("html", "lists", lambda n: "<ul><li>" * (n // 8)),
    ("html", "attributes", lambda n: "<a " + " ".join(f"a{at}=1" for at in range(n // 8)) + ">x</a>"),
    ("html", "frames without ends", lambda n: "<iframe src=" * (n // 12)),
    ("html", "players without ends", lambda n: "<video>" * (n // 7)),
    ("html", "links", lambda n: f"<p>{'<a href=/x>y</a> ' * (n // 17)}</p>"),
    ("html", "open tags", lambda n: "<a" * (n // 2)),
    ("subscribers-csv", "bars and spaces", lambda n: "email,digests\na@example.org," + " " * n + "|\n"),
    ("subscribers-csv", "quotes", lambda n: "email,digests\n" + '"a@example.org",""""\n' * (n // 21)),
    ("subscribers-jsonl", "rows", lambda n: '{"email":"a@example.org"}\n' * (n // 26)),
    ("bounce", "encoded words", lambda n: "Subject: " + "=?utf-8?b?A?= " * (n // 14) + "\n\nx\n"),
    ("bounce", "headers", lambda n: "X: y\n" * (n // 5) + "\nx\n"),
    ("bounce", "parts", lambda n: 'Content-Type: multipart/mixed; boundary="b"\n\n' + "--b\n\nx\n" * (n // 8)),
    (
        "feed",
        "items",
        lambda n: '<rss version="2.0"><channel>' + "<item><guid>1</guid></item>" * (n // 27) + "</channel></rss>",
    ),
    (
        "feed",
        "titles without ends",
        lambda n: '<rss version="2.0"><channel><!--' + "<title><![CDATA[" * (n // 16) + "--></channel></rss>",
    ),
    ("tokens", "letters", lambda n: "a" * n),
    ("addresses", "dots", lambda n: "a@" + "b." * (n // 2)),
    ("forms", "fields", lambda n: "application/x-www-form-urlencoded\n" + "a=%41&" * (n // 6)),
]


@pytest.mark.slow(reason="measures processor time, five times each")
@pytest.mark.parametrize(
    ("target", "text"), [(one[0], one[2]) for one in CASES], ids=[f"{one[0]}: {one[1]}" for one in CASES]
)
def test_time_grows_linearly_with_the_text(target: str, text: Callable[[int], str]) -> None:
    """Compare the best of five runs at n, 2n and 4n characters; quadratic time would be 16 times as long at 4n."""
    seconds = []
    for length in (40_000, 80_000, 160_000):
        data = text(length).encode()
        best = float("inf")
        for _ in range(5):
            began = time.process_time()
            TARGETS[target](data)
            best = min(best, time.process_time() - began)
        seconds.append(best)
    # What takes no time at all is not measured but rounded.
    assert seconds[2] < 8 * max(seconds[0], 0.002), seconds
    assert seconds[2] < 5, seconds


def test_every_target_has_a_worst_case() -> None:
    """A new parser needs a worst case."""
    assert {one[0] for one in CASES} | {"agents"} == set(TARGETS)
