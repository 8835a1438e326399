"""Random steps of authors."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.issue_life.machine import KILLS, TOPICS, Kill, LifeMachine, action
from tests.support.issue_life.records import Story

_EDITS = st.sampled_from(["text", "text", "draft", "faulty"])


class ArticleSteps(LifeMachine):
    """Articles are written, edited, corrected and withdrawn."""

    @action(
        3,
        always=True,
        topic=TOPICS,
        hours=st.sampled_from([-1, -1, -1, 5, 30]),
        is_draft=st.integers(0, 5),
        is_faulty=st.integers(0, 5),
        kill=KILLS,
    )
    def articles(self, topic: str, hours: int, is_draft: int, is_faulty: int, kill: Kill) -> None:
        for number in range(2):
            self.write_new(topic, hours, is_draft=not is_draft, is_faulty=not is_faulty and not number)
        self.publish(kill)

    @action(data=st.data(), kind=_EDITS, kill=KILLS)
    def an_edit(self, data: st.DataObject, kind: str, kill: Kill) -> None:
        number = self.draw_story(data)
        story = self.model.stories[number]
        story.version += 1
        story.is_draft = kind == "draft" and not story.is_draft
        story.is_faulty = kind == "faulty"
        self.write(number)
        self.publish(kill)

    @action(kill=KILLS)
    def a_fix_of_all_faults(self, kill: Kill) -> None:
        for number, story in self.model.stories.items():
            if story.is_faulty:
                story.version += 1
                story.is_faulty = False
                self.write(number)
        self.publish(kill)

    @action(data=st.data(), kill=KILLS)
    def a_correction(self, data: st.DataObject, kill: Kill) -> None:
        out = {number for number, story in self.model.stories.items() if story.is_out(self.site.now)}
        if not out:
            return
        number = self.draw_story(data, out)
        self.begin_step()
        self.model.stories[number].corrected = self.model.step
        self.run_step(lambda: self.site.correct(number), kill)

    def published_stories(self) -> dict[int, Story]:
        return {number: story for number, story in self.model.stories.items() if not story.is_draft}

    @action(when=lambda machine: machine.published_stories(), data=st.data(), kill=KILLS)
    def a_retraction_or_its_undoing(self, data: st.DataObject, kill: Kill) -> None:
        number = self.draw_story(data, set(self.published_stories()))
        story = self.model.stories[number]
        self.begin_step()
        command = self.site.reinstate if story.is_retracted else self.site.retract
        self.run_step(lambda: command(number), kill)
        story.is_retracted = not story.is_retracted
