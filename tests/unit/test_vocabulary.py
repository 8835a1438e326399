"""The vocabulary of the project: one idea has one name, and the name is a term of the field."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.vocabulary import Finding, check_markdown, check_python, check_template

ROOT = Path(__file__).parent.parent.parent

#: (file, word) → the reason why the word is right there.
ALLOWED: dict[tuple[str, str], str] = {
    ("publisher/digests/envelope.py", "readers"): "staged text: another word would change the bytes of every issue",
    ("publisher/html/direction.py", "he"): "the language code of Hebrew",
    ("publisher/subscribers/list_parser.py", "reader"): "csv.reader",
    ("publisher/templating/site_template/welcome.md", "mail program"): "the preflight finds this sample by its text",
    **{
        ("publisher/templating/deprecated.py", word): "a name in the templates of existing sites"
        for word in ("letterhead", "shelves", "wish")
    },
    ("publisher/web/user_agents.py", "readers"): "a pattern of the User-Agent header of feed readers",
}


def findings(folder: str) -> Iterator[Finding]:
    """Yield the findings of all files of a folder or of one file, by its suffix."""
    root = ROOT / folder
    for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
        name = path.relative_to(ROOT).as_posix()
        if "/migrations/versions/" in name or "/_templates/" in name or not path.is_file():
            continue
        if path.suffix == ".py":
            yield from check_python(name, path.read_text("utf-8"))
        elif path.suffix == ".md":
            yield from check_markdown(name, path.read_text("utf-8"))
        elif path.suffix == ".j2":
            yield from check_template(name, path.read_text("utf-8"))


@pytest.mark.parametrize("folder", ["publisher", "templates", "docs", "README.md", "ARCHITECTURE.md"])
def test_files_use_the_terms_of_the_vocabulary(folder: str) -> None:
    """Each line of the failure names the file, the line, the word, and the term to use instead."""
    wrong = {finding for finding in findings(folder) if (finding.path, finding.word) not in ALLOWED}
    assert "\n".join(map(str, sorted(wrong))) == ""


def test_every_exception_is_needed() -> None:
    """An exception for a word that has gone is removed from the list."""
    found = {(finding.path, finding.word) for path in {path for path, _ in ALLOWED} for finding in findings(path)}
    assert set(ALLOWED) - found == set()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("# Sent to every reader.\n", "x.py:1: reader → subscriber (a person), feed reader or parser (a program)"),
        ('"""Keep it.\n\nA line.\nShe waits.\n"""\n', "x.py:4: She → they, their"),
        ('text = f"{1} letters are sent"\n', "x.py:1: letters are → confirmation emails"),
        ("def send_letter():\n    pass\n", "x.py:1: send_letter → confirmation_email"),
        ("class LetterQueue:\n    pass\n", "x.py:1: LetterQueue → confirmation_email"),
        (
            'def run():\n    """What a run does."""\n',
            "x.py:1: What a run does. → an imperative summary, or a noun for a class",
        ),
    ],
    ids=["comment", "docstring", "string", "function", "class", "summary"],
)
def test_a_wrong_word_in_python_is_found(source: str, expected: str) -> None:
    """Comments, docstrings, strings and identifiers are checked."""
    assert list(map(str, check_python("x.py", source))) == [expected]


@pytest.mark.parametrize(
    "source",
    [
        "# A feed reader polls, and a screen reader speaks.\n",
        "lettering = thread_reads = bread\n",
        '"""Return the lower-case letters of a text."""\n',
    ],
)
def test_right_words_in_python_are_accepted(source: str) -> None:
    """Words are compared whole, and programs that read feeds or screens keep their name."""
    assert list(check_python("x.py", source)) == []


def test_a_wrong_word_in_a_page_is_found_outside_of_code_only() -> None:
    """Code blocks, inline code and link targets of a page may hold any words."""
    page = "Text.\n\n```text\nreader\n```\n\nThe `reader` of [a page](reader.md) is a\nreader program.\n"
    assert {str(finding) for finding in check_markdown("x.md", page)} == {
        "x.md:8: reader program → feed reader",
        "x.md:8: reader → subscriber (a person), feed reader or parser (a program)",
    }


def test_a_wrong_word_in_a_template_is_found_in_text_and_comments_only() -> None:
    """Expressions, tags, attributes and style sheets of a template may hold any words."""
    template = '{# Set aside. #}\n<p class="letter">{{ reader }}</p>\n<style>.house {}</style>\nWhoever\n'
    assert list(map(str, check_template("x.j2", template))) == [
        "x.j2:1: Set aside → skip, reject or quarantine",
        "x.j2:4: Whoever → a person who, a program that",
    ]
