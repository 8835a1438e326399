"""Random steps of editors."""

from __future__ import annotations

from hypothesis import strategies as st

from publisher.pipeline.approve import ApprovalTime
from tests.support.issue_life.machine import KILLS, Kill, LifeMachine, action
from tests.support.issue_life.records import Note
from tests.support.issue_life.site import NoteOptions

_TIMES = st.sampled_from([ApprovalTime.NOW, ApprovalTime.OUT_OF_TURN])


class EditorSteps(LifeMachine):
    """Drafts are approved, forced, annotated and discarded; issues are reopened, paused, forced and cancelled."""

    @action(1, always=True, data=st.data(), kill=KILLS)
    def an_approval(self, data: st.DataObject, kill: Kill) -> None:
        self._approve(self.draw_slug(data), ApprovalTime.SLOT, kill)

    @action(1, always=True, data=st.data(), time=_TIMES, kill=KILLS)
    def an_approval_at_once(self, data: st.DataObject, time: ApprovalTime, kill: Kill) -> None:
        self._approve(self.draw_slug(data), time, kill)

    @action(3, always=True, kill=KILLS)
    def an_approval_of_all_drafts(self, kill: Kill) -> None:
        for slug in self.present_drafts():
            self._approve(slug, ApprovalTime.SLOT, kill)

    def _approve(self, slug: str, time: ApprovalTime, kill: Kill) -> None:
        self.begin_step()
        is_at_once = time is not ApprovalTime.SLOT
        self.run_step(lambda: self.site.approve(slug, time=time), kill, by_person=slug, is_at_once=is_at_once)
        if "cannot be approved" in self.site.refusal:
            draft = self.drafts()[slug]
            assert any(self._is_faulty(seq) for seq in draft.articles), self.site.refusal

    def present_drafts(self) -> list[str]:
        """Return the newsletters of the settings that have a draft."""
        return sorted(set(self.drafts()) & set(self.site.newsletters))

    def _number(self, seq: int) -> int:
        assert self.model.state is not None
        return self.model.state.numbers[seq]

    def _is_faulty(self, seq: int) -> bool:
        return self.model.stories[self._number(seq)].is_faulty

    @action(when=lambda machine: machine.present_drafts(), data=st.data(), is_edited=st.booleans())
    def an_approval_of_a_version_that_was_seen(self, data: st.DataObject, is_edited: bool) -> None:
        slug = data.draw(st.sampled_from(self.present_drafts()), "newsletter")
        self.publish()
        seen = self.drafts().get(slug)
        if seen is None:
            return
        if is_edited:
            number = self._number(seen.articles[0])
            self.model.stories[number].version += 1
            self.write(number)
        self.begin_step()
        before = len(self.issues())
        self.run_step(lambda: self.site.approve(slug, expect=seen.hash), by_person=slug)
        assert not is_edited or len(self.issues()) == before, "a version that no editor has seen was approved"
        if not is_edited:
            assert "any more" not in self.site.refusal, self.site.refusal

    @action(when=lambda machine: machine.present_drafts(), data=st.data())
    def forced_errors(self, data: st.DataObject) -> None:
        """The errors of the draft as it is now are accepted: faults that come later are not."""
        slug = data.draw(st.sampled_from(self.present_drafts()), "newsletter")
        self.publish()
        if slug not in self.drafts():
            return
        self.begin_step()
        if self.run_step(lambda: self.site.check(slug, force="It is about templates.")):
            numbers = [self._number(seq) for seq in self.drafts()[slug].articles]
            stories = {number: self.model.stories[number] for number in numbers}
            self.model.forced[slug] = {one: story.version for one, story in stories.items() if story.is_faulty}

    @action(data=st.data())
    def a_forced_issue(self, data: st.DataObject) -> None:
        """The articles that hold an issue now are accepted: another withdrawal holds it again."""
        rows = [row for row in self.issues() if row.cancelled_at is None and row.digest in self.site.newsletters]
        if not rows:
            return
        row = self.draw_issue(data, rows)
        self.begin_step()
        if self.run_step(lambda: self.site.check(row.path, force="It is right.")):
            known = self.model.fixed[row.id]
            known.accepted = {one for one in known.versions if self.model.stories[one].is_withdrawn}

    @action(data=st.data(), kill=KILLS)
    def a_note(self, data: st.DataObject, kill: Kill) -> None:
        slug = self.draw_slug(data)
        options = self._draw_note(data, slug)
        self.begin_step()
        if not self.run_step(lambda: self.site.note(slug, options), kill, by_person=slug):
            return
        known = Note() if options.clear else self.model.notes[slug]
        lead = known.lead if options.lead is None else options.lead
        order = options.order or known.order
        self.model.notes[slug] = Note(
            text=known.text if options.text is None else options.text,
            lead=None if lead in options.leave_out else lead,
            order=tuple(one for one in order if one not in options.leave_out),
        )
        named = {*options.add, *options.order, *([options.lead] if options.lead is not None else [])}
        if slug in self.model.expected:
            self.model.expected[slug] |= named

    def _draw_note(self, data: st.DataObject, slug: str) -> NoteOptions:
        numbers = st.sampled_from(sorted(self.model.stories))
        draft = self.drafts().get(slug)
        carried = [self._number(seq) for seq in draft.articles] if draft is not None else []
        match data.draw(st.sampled_from(["text", "lead", "add", "leave out", "order", "clear"]), "option"):
            case "text":
                return NoteOptions(text=f"Note {self.model.step}n")
            case "lead":
                return NoteOptions(lead=data.draw(numbers, "lead"))
            case "add":
                return NoteOptions(add=[data.draw(numbers, "article")])
            case "leave out" if carried:
                return NoteOptions(leave_out=[data.draw(st.sampled_from(carried), "article")])
            case "order":
                return NoteOptions(order=tuple(data.draw(st.lists(numbers, min_size=1, max_size=3, unique=True))))
        return NoteOptions(clear=True)

    @action(data=st.data(), kill=KILLS)
    def a_reopening(self, data: st.DataObject, kill: Kill) -> None:
        waiting = [row for row in self.issues() if row.is_waiting]
        if not waiting:
            return
        row = self.draw_issue(data, waiting)
        target = row.path if kill else data.draw(st.sampled_from([row.digest, row.path]), "target")
        self.begin_step()
        self.run_step(lambda: self.site.reopen(target), kill, by_person=row.digest)
        self.publish()

    @action(data=st.data(), how=st.sampled_from(["discard", "discard", "later", "undo"]), kill=KILLS)
    def a_discarded_draft(self, data: st.DataObject, how: str, kill: Kill) -> None:
        slug = self.draw_slug(data)
        self.begin_step()
        if how == "undo":
            self.run_step(lambda: self.site.undo_discard(slug), kill, by_person=slug)
        else:
            self.run_step(lambda: self.site.discard(slug, until_next=how == "later"), kill, by_person=slug)
        self.publish()

    @action(data=st.data(), count=st.integers(0, 2), kill=KILLS)
    def a_cancelled_send(self, data: st.DataObject, count: int, kill: Kill) -> None:
        opened = [row for row in self.issues() if row.opened_at is not None and row.cancelled_at is None]
        if not opened:
            return
        row = self.draw_issue(data, opened)
        self.begin_step()
        self.run_step(lambda: self.site.send(row.path, limit=count), by_person=row.digest)
        self.begin_step()
        self.run_step(lambda: self.site.cancel(row.path), kill, by_person=row.digest)

    @action(data=st.data())
    def a_pause_of_an_issue(self, data: st.DataObject) -> None:
        rows = self.issues()
        if not rows:
            return
        row = self.draw_issue(data, rows)
        self.begin_step()
        self.run_step(lambda: self.site.pause_issue(row.path, is_paused=not row.is_paused))
