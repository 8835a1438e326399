"""Which articles of a batch are new, edited or moved: `publisher.pipeline.batch_plan`."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import date

import pytest

from publisher.articles.parsers import ParsedRecord
from publisher.articles.store import ArticleRow
from publisher.model.articles import Record
from publisher.pipeline.batch_plan import BatchPlan, IncomingRecord, KnownArticles, plan_batch

STORED = ArticleRow(
    seq=7,
    id="urn:7",
    path="/p",
    asked_at=0,
    published_at=0,
    changed_at=0,
    updated_at=None,
    retracted_at=None,
    hash="old",
    source="a.md",
)
DRAFT = replace(STORED, draft="draft: true")


def incoming(name: str, *ids: str, content_hash: str = "new") -> IncomingRecord:
    """Return the record of a file, with an external ID if one is given."""
    external_id = ids[0] if ids else None
    record = Record(title="T", date=date(2026, 11, 20), external_id=external_id)
    keys = (*(f"id:{one}" for one in ids), f"file:{name}")
    return IncomingRecord(
        name=name, parsed=ParsedRecord(record=record, where=name), keys=keys, json="{}", hash=content_hash
    )


def plan(
    *records: IncomingRecord,
    row: ArticleRow = STORED,
    keys: Collection[str] = ("file:a.md",),
    files: Collection[str] = ("a.md", "b.md"),
    former: Collection[str] = (),
    has_id: bool = False,
) -> BatchPlan:
    """Return the plan of records for a store with one article."""
    return plan_batch(
        records,
        KnownArticles(
            seqs=dict.fromkeys(keys, row.seq),
            rows={row.seq: row},
            by_hash={row.hash: [row]},
            next_seq=8,
            has_id=lambda seq: has_id,
            is_there=files.__contains__,
            former_names=lambda name: list(former),
        ),
    )


def numbers(planned: BatchPlan) -> tuple[list[int], list[int], list[int]]:
    """Return the arrival numbers of new, edited and moved articles."""
    return tuple([item.seq for item in items] for items in (planned.new, planned.edited, planned.moved))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("planned", "expected"),
    [
        pytest.param(plan(incoming("a.md", content_hash="old")), ([], [], []), id="unchanged"),
        pytest.param(plan(incoming("a.md")), ([], [7], []), id="edited"),
        pytest.param(plan(incoming("b.md")), ([8], [], []), id="another file is another article"),
        pytest.param(plan(incoming("b.md", content_hash="old"), files=["b.md"]), ([], [], [7]), id="renamed file"),
        pytest.param(plan(incoming("b.md", content_hash="old")), ([8], [], []), id="copied file"),
        pytest.param(plan(incoming("b.md"), former=["a.md"], files=["b.md"]), ([], [7], []), id="moved and edited"),
        pytest.param(plan(incoming("b.md", "1"), keys=["id:1"]), ([], [7], []), id="known ID in another file"),
        pytest.param(plan(incoming("a.md", "2"), has_id=True), ([8], [], []), id="another ID in the same file"),
        pytest.param(plan(incoming("b.md"), incoming("c.md")), ([8, 9], [], []), id="numbers in order"),
        pytest.param(
            plan(incoming("a.md", content_hash="old"), row=DRAFT), ([], [7], []), id="published as it was drafted"
        ),
        pytest.param(
            plan(incoming("a.md"), row=replace(DRAFT, source="drafts/a.md"), files=["a.md", "drafts/a.md"]),
            ([8], [], []),
            id="the old file name of a moved draft is free",
        ),
    ],
)
def test_a_record_is_new_edited_moved_or_unchanged(
    planned: BatchPlan, expected: tuple[list[int], list[int], list[int]]
) -> None:
    """A record that is taken for a new article is delivered again to every subscriber."""
    assert numbers(planned) == expected
    assert planned.warnings == []


def test_of_two_records_of_one_article_the_last_one_counts() -> None:
    """The first is named in a warning, and its keys find the article too."""
    planned = plan(incoming("b.md", "1"), incoming("c.md", "1", content_hash="newer"))
    assert numbers(planned) == ([8], [], []) and planned.new[0].hash == "newer"
    assert [reason for _, reason in planned.warnings] == ["the same article as in b.md"]
    assert planned.keys == {"id:1": 8, "file:b.md": 8, "file:c.md": 8}


def test_a_record_is_not_published_while_another_file_calls_it_a_draft() -> None:
    """The draft wins, so that nothing unfinished is published; without its file the record is published."""
    planned = plan(incoming("b.md", "1"), row=DRAFT, keys=["id:1"])
    assert numbers(planned) == ([], [], [])
    assert [reason for _, reason in planned.warnings] == [
        "not published, because a.md calls the same article a draft. Remove one of the two"
    ]
    assert numbers(plan(incoming("b.md", "1"), row=DRAFT, keys=["id:1"], files=["b.md"])) == ([], [7], [])


def test_two_possible_former_names_of_different_articles_are_no_match() -> None:
    """A guess between two articles would replace the wrong one."""
    other = replace(STORED, seq=6, hash="other")
    known = KnownArticles(
        seqs={"file:a.md": 7, "file:x/a.md": 6},
        rows={7: STORED, 6: other},
        by_hash={},
        next_seq=8,
        has_id=lambda seq: False,
        is_there=lambda name: False,
        former_names=lambda name: ["a.md", "x/a.md"],
    )
    assert numbers(plan_batch([incoming("b.md")], known)) == ([8], [], [])
