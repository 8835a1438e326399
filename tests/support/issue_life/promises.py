"""The promises to subscribers: what each gets when sends open, and once everything was sent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from publisher.digests.store import IssueRow
from tests.support.issue_life.records import Person

if TYPE_CHECKING:
    from tests.support.issue_life.model import Model
    from tests.support.issue_life.site import LifeSite

_RETRY = timedelta(days=10)


def check_person(
    model: Model,
    name: str,
    person: Person,
    opened: Sequence[IssueRow],
    audiences: Mapping[int, Mapping[str, set[int]]],
) -> None:
    """Assert that a person gets each article that they follow and do not have, once."""
    repeated: set[int] = set()
    sent: set[int] = set()
    followed: set[int] = set()
    for row in opened:
        newsletter = model.newsletters[row.digest]
        wanted = {one for one in model.fixed[row.id].versions if person.follows(row.digest, model.stories[one])}
        wanted = wanted if newsletter.is_mailed else set()
        gets = audiences[row.id].get(name, set())
        assert gets <= wanted, f"{name} gets {gets - wanted} of {row.path}, which is not for them"
        if newsletter.repeat:
            has, may_have = _has(model, name, row.digest), model.queued(model.optional, name, row.digest)
            assert not gets & has, f"{name} gets {gets & has} again in {row.path}"
            assert wanted - has - may_have <= gets, f"{name} does not get {wanted - has - gets} of {row.path}"
            repeated |= gets
            continue
        assert not gets & (_has(model, name) | sent), f"{name} gets {gets} again in {row.path}"
        sent |= gets
        followed |= wanted
    missed = followed - _has(model, name) - model.queued(model.optional, name, "") - repeated - sent
    assert not missed, f"{name} does not get {missed} of {[row.path for row in opened]}"


def _has(model: Model, name: str, slug: str = "") -> set[int]:
    received = {one for where, one in model.received[name] if where == slug or not slug}
    return received | model.queued(model.required, name, slug)


def check_drafts(model: Model, site: LifeSite) -> None:
    """Assert that each newsletter with news has a draft, after a run that was not killed."""
    assert model.state is not None
    slugs = set(model.state.drafts)
    folders = {path.parent.name for path in (site.kit.root / "outbox").glob("*/next")}
    assert folders == slugs, f"outbox/ has {folders}, the store {slugs}"
    for slug in set(site.newsletters) & set(model.expected):
        news = {number for number in model.fresh[slug] if model.stories[number].is_out(site.now)}
        assert not news or slug in slugs, f"{slug} has no draft, although {news} are new"


def missing(model: Model, now: datetime) -> Iterator[str]:
    """Yield which articles a subscriber should have and does not, once everything was sent."""
    for (name, issue_id), queued in model.required.items():
        if now - model.opened_at(issue_id, now) < _RETRY:
            yield f"{name} has not got {queued.numbers} of {model.fixed[issue_id].row.path}"
    for slug in model.expected:
        if not model.newsletters[slug].is_mailed:
            continue
        is_repeated = model.newsletters[slug].repeat
        for name, person in model.people.items():
            arrived = {one for where, one in model.received[name] if not is_repeated or where == slug}
            has = arrived | model.queued(model.required, name, "")
            for number in model.expected[slug] - model.discarded[slug] - has:
                if person.follows(slug, model.stories[number]) and (name, slug, number) not in model.excused:
                    yield f"{name} follows {slug} and has not got {number}"
