"""Inputs that once broke a parser, and random ones: parsers raise documented errors only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS

CORPUS = Path(__file__).parents[1] / "fuzz" / "corpus"
FILES = sorted(path for path in CORPUS.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_inputs_of_the_corpus_are_parsed_or_rejected(path: Path) -> None:
    """Each file of the corpus goes through its parser."""
    TARGETS[path.parent.name](path.read_bytes())


def test_every_target_has_a_corpus() -> None:
    """The fuzzer starts with valid inputs of each parser."""
    assert {path.parent.name for path in FILES} == set(TARGETS)


@pytest.mark.parametrize("name", sorted(TARGETS))
@given(data=st.data())
def test_any_bytes_are_parsed_or_rejected(name: str, data: st.DataObject) -> None:
    """Random bytes, and files of the corpus with a replaced part, raise no other error."""
    seed = data.draw(st.sampled_from([path for path in FILES if path.parent.name == name])).read_bytes()
    at = data.draw(st.integers(0, len(seed)))
    TARGETS[name](seed[:at] + data.draw(st.binary(max_size=20)) + seed[at + data.draw(st.integers(0, 20)) :])
