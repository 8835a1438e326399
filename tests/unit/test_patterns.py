"""No regular expression backtracks super-linearly on untrusted text."""

from __future__ import annotations

import ast
import functools
import re
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

import publisher
from tests.patterns.backtracking import is_linear
from tests.patterns.collect import PatternUse, calls_of_re, collect, other_imports

FOLDER = Path(publisher.__file__).parent


@functools.cache
def patterns() -> tuple[list[PatternUse], int, list[str]]:
    return collect(FOLDER, "publisher")


def regexploit(pattern: str | bytes, flags: int) -> str:
    """Return the reports of regexploit about a pattern."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from regexploit.ast.sre import SreOpParser
        from regexploit.redos import find
    text = pattern.decode("latin-1") if isinstance(pattern, bytes) else pattern
    parser = SreOpParser()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return "; ".join(
            f"starriness {one.starriness}: {one.example()[:200]}" for one in find(parser.parse_sre(text, flags))
        )


def test_every_pattern_is_checked() -> None:
    """Each call of ``re`` in the package has a constant pattern that the checker reads."""
    found, calls, problems = patterns()
    assert problems == []
    assert len(found) == calls > 150


@pytest.mark.slow(reason="it computes the automata of two hundred expressions")
def test_no_pattern_backtracks_super_linearly() -> None:
    """Neither the automaton of a pattern nor regexploit finds a text that takes more than linear time."""
    reasons = []
    for one in patterns()[0]:
        reason = is_linear(one.pattern, one.flags, one.uses) or regexploit(one.pattern, one.flags & ~re.UNICODE)
        if reason:
            reasons.append(f"{one.where} {one.pattern!r}: {reason}")
    assert not reasons, "\n".join(reasons)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(.*)*x"])
def test_exponential_patterns_are_found_by_both_checkers(pattern: str) -> None:
    """A textbook pattern fails both checks."""
    assert is_linear(pattern, 0, ["search"])
    assert regexploit(pattern, 0)


#: Each with a text that shows it, of a length that is given.
QUADRATIC = [
    (r"\s+$", "search", lambda n: " " * n + "x"),
    (r"\s*\|\s*", "split", lambda n: " " * n),
    (r"\w+:", "search", lambda n: "a" * n),
    (r"<!--.*?-->", "sub", lambda n: "<!--" * (n // 4)),
    (r"<body\b[^>]*>", "sub", lambda n: "<body " * (n // 6)),
    (r"a*a*b", "match", lambda n: "a" * n),
    (r"(?m)^\s*x", "search", lambda n: "\n" * n),
    (r"[A-Z]{2,}[A-Z][a-z]{2,}", "search", lambda n: "A" * n),
    (r"[^@]+@[^@]+\.[^@]+", "fullmatch", lambda n: "a@" + "." * n + "@"),
    (r"a(?:[ab]*c)?", "sub", lambda n: "a" * n),
    (r"(?=.*x)a", "search", lambda n: "b" * n),
    (r"x*+y", "search", lambda n: "x" * n),
]


@pytest.mark.parametrize(("pattern", "use"), [one[:2] for one in QUADRATIC])
def test_quadratic_patterns_are_found(pattern: str, use: str) -> None:
    """A search that restarts at each character is found, although regexploit does not report it."""
    assert is_linear(pattern, 0, [use])


@pytest.mark.slow(reason="measures processor time")
@pytest.mark.parametrize(("pattern", "use", "text"), QUADRATIC)
def test_patterns_that_are_reported_as_quadratic_take_quadratic_time(
    pattern: str, use: str, text: Callable[[int], str]
) -> None:
    """Each kind of pattern that the checker finds takes more than linear time for some text."""
    compiled = re.compile(pattern)
    seconds = []
    for sample in (text(2_000), text(8_000)):
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            compiled.sub("", sample) if use == "sub" else getattr(compiled, use)(sample)
            best = min(best, time.process_time() - began)
        seconds.append(best)
    assert seconds[1] > seconds[0] * 6


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"\s+", "sub"),
        (r"\b\w+:", "search"),
        (r"(?<!\s)\s+x", "search"),
        (r"(?:ab|ac)*d", "fullmatch"),
        (r"[a-z]{2,8}(?:-[a-z0-9]{1,8})*", "fullmatch"),
        (r"<([a-z][a-z0-9]*)\b[^<>]*>", "sub"),
        (r'"(?:[^"\\]|\\.)*"', "fullmatch"),
        (r"\s*+[^x]*y", "match"),
        (r"(?m)^[ ]*x", "search"),
        (r"[^@]+@[^@.]+(?:\.[^@.]+)+", "fullmatch"),
    ],
)
def test_linear_patterns_pass(pattern: str, use: str) -> None:
    """The checker reports no linear pattern."""
    assert is_linear(pattern, 0, [use]) == ""


def test_the_parser_of_calls_sees_every_way_to_make_a_pattern() -> None:
    """Patterns that hide from the check, or are made at run time, are reported."""
    tree = ast.parse("import re\nX = re.compile('a')\ndef f(t):\n    return re.sub('b', '', t) + re.escape(t)\n")
    assert len(calls_of_re(tree)) == 2
    assert other_imports(ast.parse("from re import compile")) == ["from re import …"]
    assert other_imports(ast.parse("import re as r\nimport regex")) == ["import re", "import regex"]
    assert other_imports(ast.parse("import re")) == []


def test_a_pattern_made_at_run_time_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pattern that depends on an argument cannot be checked, and fails the check by name."""
    folder = tmp_path / "planted_package"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import re\nP = re.compile('(a+)+$')\ndef f(x):\n    return re.search(x + '$', x)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found, calls, problems = collect(folder, "planted_package")
    assert calls == 2
    assert [one.pattern for one in found] == ["(a+)+$"]
    assert "planted_package:4" in problems[0]
