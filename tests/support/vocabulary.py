"""Find words in code, templates and documentation that the vocabulary of the project replaces."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

#: A pattern of whole words → the term to use instead. Feed readers and screen readers are programs and keep their name.
TERMS: Final[dict[str, str]] = {
    r"reader programs?": "feed reader",
    r"readers?(?!-facing)": "subscriber (a person), feed reader or parser (a program)",
    r"mail programs?": "mail client",
    r"she|her|hers|herself|he|him|himself": "they, their",
    r"nobody's|somebody's|anybody's|everybody's": "of no one, of a person",
    r"letterheads?": "branding",
    r"(?:opt-in|welcome|confirmation|her|a|the|this|each|every|one|no) letters?(?!,| (?:theme|or|and|before|after|in))": "confirmation email",
    r"letters (?:leave|left|wait|are|were|go|went)": "confirmation emails",
    r"(?:set|sets|setting|put|puts) (?:it |them |\w+ )?aside": "skip, reject or quarantine",
    r"(?:hand|hands|handed|handing) (?:\w+ )?out": "serve or publish",
    r"(?:strike|strikes|struck|striking) (?:\w+ )?off": "suppress",
    r"(?:what|who|whoever|people|person|subscribers?|readers?|letters?|mail|they|she) (?:came|comes|come) back": "bounce (mail), resubscribe (people)",
    r"twins?": "precompressed file",
    r"shelf|shelves": "cache",
    r"lanes?": "connection or background job",
    r"house|houses": "site",
    r"skeletons?": "template",
    r"tally|tallies": "counts",
    r"seals?|sealed": "sign, signature",
    r"wish(?:es)?": "request or preference",
    r"filings?": "taxonomy",
    r"patience": "timeout or backoff",
    r"strangers?": "other people, clients",
    r"town|post office": "site",
    r"anew": "again",
    r"mend|mends|mended|mending": "fix, correct",
    r"cures?": "fix",
    r"(?:is|are|was|were|be|been|being) told(?! apart)": "is notified, is reported",
    r"stands? (?:in|at|on|below|above|there|once|alone|within|before|after|beside|between|under|here|over)": "is",
    r"(?:a|the|each|every|this|next|last|its|one|first|second) turn(?! (?:of|into|to))": "run",
    r"(?:copy|copies) (?:leaves?|left|queued|wait|waits|waiting|sent|accepted|accepts)": "delivery",
    r"(?:reader|subscriber|person)'s (?:own )?cop(?:y|ies)|her copy|their cop(?:y|ies)": "delivery, message",
    r"(?:people|person|subscribers?|readers?|who|whoever|somebody|they) (?:leave|leaves|join|joins|joined)": "subscribe, unsubscribe",
    r"(?:mail|letters?|messages?|issues?) (?:leave|leaves|left)": "is sent",
    r"taken up|take up|takes up|put down|puts down": "claim, save, store",
    r"(?:let|lets) (?:\w+ )?(?:in|go of|through)(?= |\.|,|;)": "admit: accept, close, allow",
    r"(?:its|her|their|the) rhythm": "schedule",
    r"gives? up the ghost|comes? to an end": "ends",
    r"whoever|whosoever": "a person who, a program that",
}
#: Words that no identifier has, in snake_case or CamelCase → the term to use instead.
NAME_WORDS: Final[dict[str, str]] = {
    "letter": "confirmation_email",
    "letters": "confirmation_emails",
    "letterhead": "branding",
    "twin": "precompressed",
    "twins": "precompressed",
    "shelf": "cache",
    "lane": "connection",
    "lanes": "connections",
    "house": "site_info",
    "skeleton": "template",
    "tally": "counts",
    "seal": "signed_links",
    "standing": "state, status",
    "wish": "request",
    "rhythm": "schedule",
    "patience": "timeout",
    "resting": "paused",
    "said": "the name of the text",
    "mine": "the name of the thing",
    "her": "their",
    "she": "they",
    "reader": "subscriber, parser",
    "readers": "subscribers, parsers",
    "edition": "variant",
    "editions": "variants",
    "aside": "skipped",
    "cure": "fix",
    "town": "site",
}
#: Names of the standard library that hold such a word.
STANDARD_NAMES: Final = frozenset(["add_reader", "remove_reader", "StreamReader"])
#: The word before "reader" if it is a program that reads feeds or screens.
READER_PROGRAM: Final = re.compile(r"\b(?:feed|screen)\s+\Z", re.IGNORECASE)
#: Beginnings of a docstring that are no summary: of anything, and of a function that is not a property.
NO_SUMMARY: Final = re.compile(r"(?:What|Who|Whom|Whose|Whoever)\b")
NO_FUNCTION_SUMMARY: Final = re.compile(r"(?:Whether|Which|How|Where|Why|When)\b")


def _whole_words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])", re.IGNORECASE)


_TERMS: Final = [(_whole_words(pattern), term) for pattern, term in TERMS.items()]
#: Any of them: most texts hold none.
_ANY_TERM: Final = _whole_words("|".join(TERMS))


@dataclass(frozen=True, order=True)
class Finding:
    """A word that has a better one, or a docstring without a summary."""

    path: str
    line: int
    word: str
    instead: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.word} → {self.instead}"


def _check_prose(path: str, line: int, text: str) -> Iterator[Finding]:
    """Check a piece of prose that begins at a line."""
    if not _ANY_TERM.search(text):
        return
    for pattern, term in _TERMS:
        for match in pattern.finditer(text):
            if match[0].lower().startswith("reader") and READER_PROGRAM.search(text, 0, match.start()):
                continue
            yield Finding(path, line + text.count("\n", 0, match.start()), " ".join(match[0].split()), term)


def _words(name: str) -> list[str]:
    """Return the words of an identifier in snake_case or CamelCase, in lower case."""
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", name)]


def check_python(path: str, source: str) -> Iterator[Finding]:
    """Check the comments, strings, docstrings and identifiers of a module."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            yield from _check_prose(path, token.start[0], token.string)
        elif token.type == tokenize.NAME and token.string not in STANDARD_NAMES:
            words = _words(token.string)
            for before, word in zip(["", *words], words, strict=False):
                if word in NAME_WORDS and before not in ("feed", "stream"):
                    yield Finding(path, token.start[0], token.string, NAME_WORDS[word])
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _check_prose(path, node.lineno, node.value)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            summary = (ast.get_docstring(node) or "").split("\n", 1)[0]
            is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list
            if NO_SUMMARY.match(summary) or (is_function and NO_FUNCTION_SUMMARY.match(summary)):
                yield Finding(path, getattr(node, "lineno", 1), summary, "an imperative summary, or a noun for a class")


def check_markdown(path: str, text: str) -> Iterator[Finding]:
    """Check the prose of a page, without code blocks, inline code and addresses."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    text = re.sub(r"^```.*?^```", blank, text, flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`[^`\n]*`|\]\([^)]*\)|<[^>\n]*>", blank, text)
    yield from _check_prose(path, 1, text)


def check_template(path: str, text: str) -> Iterator[Finding]:
    """Check the text and the comments of a Jinja2 template, without tags, expressions and style sheets."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", " ", match[0])

    text = re.sub(r"\{\{.*?\}\}|\{%.*?%\}", blank, text, flags=re.DOTALL)
    text = re.sub(r"<style.*?</style>|<[^>]*>", blank, text, flags=re.DOTALL)
    yield from _check_prose(path, 1, text)
