"""Random operations of a newsroom: feeds stay valid and complete, and unchanged pages keep their bytes."""

from __future__ import annotations

import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.conftest import NOW, SiteKit
from tests.integration.feeds.test_archives import crawl, pages, stored
from tests.support.examples import examples
from tests.support.use_cases import check_site, correct, reinstate, retract

LIMIT = 3
NAMES = st.integers(min_value=0, max_value=11)
TAGS = st.sampled_from(["[A]", "[B]", "[A, B]", "[]"])


class Newsroom(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.kit = SiteKit(Path(self.folder.name) / "site")
        self.kit.add_settings(
            f'\n[feeds]\nlimit = {LIMIT}\narchive = ["all", "tag", "channel"]\n'
            '[feeds.channels.mine]\ntitle = "Mine"\ntag = ["A"]\n'
        )
        self.now = NOW
        #: Number of a file → (title, day, tags), of those that were written.
        self.files: dict[int, tuple[str, int, str]] = {}
        self.withdrawn: set[int] = set()
        self.touched = False
        self.kit.publish(self.now)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def write(self, number: int, title: str, day: int, tags: str) -> None:
        self.files[number] = (title, day, tags)
        moment = NOW - timedelta(days=day, hours=number)
        self.kit.article(f"{number}.md", title=title, date=f"{moment:%Y-%m-%dT%H:%M:%SZ}", tags=tags)

    def publish(self) -> None:
        self.now += timedelta(minutes=1)
        self.kit.publish(self.now)

    @rule(number=NAMES, day=st.integers(min_value=0, max_value=90), tags=TAGS)
    def a_new_article_or_another_date(self, number: int, day: int, tags: str) -> None:
        is_new = number not in self.files
        before = pages(self.kit)
        self.write(number, f"T{number}", day, tags)
        self.publish()
        if is_new:
            # New articles change no closed archive page, whatever their date.
            after = pages(self.kit)
            assert {path: after.get(path) for path in before} == before

    @precondition(lambda self: self.files)
    @rule(data=st.data(), tags=TAGS)
    def an_edit(self, data: st.DataObject, tags: str) -> None:
        number = data.draw(st.sampled_from(sorted(self.files)))
        title, day, _ = self.files[number]
        self.write(number, title + "!", day, tags)
        self.publish()

    @precondition(lambda self: set(self.files) - self.withdrawn)
    @rule(data=st.data())
    def a_correction(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.files) - self.withdrawn)))
        self.now += timedelta(minutes=1)
        correct(self.kit.site, self.now, f"{number}.md", "A note.")
        (subscription, *_) = crawl(self.kit)
        assert len(subscription) >= min(LIMIT, len(stored(self.kit)))

    @precondition(lambda self: set(self.files) - self.withdrawn)
    @rule(data=st.data())
    def a_withdrawal(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(set(self.files) - self.withdrawn)))
        self.now += timedelta(minutes=1)
        retract(self.kit.site, self.now, f"{number}.md", "A reason.")
        self.withdrawn.add(number)

    @precondition(lambda self: self.withdrawn)
    @rule(data=st.data())
    def a_withdrawal_taken_back(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.withdrawn)))
        self.now += timedelta(minutes=1)
        reinstate(self.kit.site, self.now, f"{number}.md")
        self.withdrawn.discard(number)

    @invariant()
    def feeds_and_pages_are_the_whole(self) -> None:
        if not hasattr(self, "kit"):
            return
        found = crawl(self.kit)
        assert {one for page in found for one in page} == stored(self.kit)
        # No article is on two pages.
        status = [one for page in found[1:] for one in page]
        assert len(status) == len(set(status))
        assert len(stored(self.kit)) == len(self.files) - len(self.withdrawn)
        if (self.kit.root / "feeds/mine.atom").exists():
            mine = {one for page in crawl(self.kit, "mine") for one in page}
            tagged = {n for n, (_, _, tags) in self.files.items() if "A" in tags} - self.withdrawn
            assert len(mine) == len(tagged)

    @invariant()
    def feeds_are_clean_and_a_second_run_changes_nothing(self) -> None:
        if not hasattr(self, "kit"):
            return
        assert check_site(self.kit.site, [], self.now).findings == 0
        assert not self.kit.publish(self.now).changed


Newsroom.TestCase.settings = settings(max_examples=examples(12), stateful_step_count=14, deadline=None)
TestNewsroom = pytest.mark.timeout(900)(Newsroom.TestCase)
