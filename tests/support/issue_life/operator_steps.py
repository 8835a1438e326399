"""Random steps of operators: settings, runs and time."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from tests.support.issue_life.machine import KILLS, NAMES, OTHER_SETTINGS, Kill, LifeMachine, action

_SPANS = st.sampled_from([timedelta(hours=7), timedelta(hours=26), timedelta(hours=1), timedelta(days=2)])
_DEFERRED = st.sets(st.sampled_from(NAMES), max_size=1)


class OperatorSteps(LifeMachine):
    """Settings change, and runs come sooner or later."""

    @action()
    def another_mail_setting_or_the_old_one(self) -> None:
        self.site.mail_settings = "" if self.site.mail_settings else OTHER_SETTINGS
        self.site.write_settings()
        self.publish()

    @action(data=st.data())
    def a_newsletter_taken_out_or_put_back(self, data: st.DataObject) -> None:
        slug = self.draw_slug(data)
        if slug in self.site.newsletters:
            del self.site.newsletters[slug]
        else:
            self.site.newsletters[slug] = self.model.newsletters[slug]
        self.site.write_settings()
        self.publish()

    @action(kill=KILLS)
    def publish_now(self, kill: Kill) -> None:
        self.publish(kill)
        staged = self.site.kit.staged()
        report = self.site.publish()
        assert not report.changed
        assert self.site.kit.staged() == staged

    @action(4, always=True, kill=KILLS, deferred=_DEFERRED)
    def a_tick_after_the_next_slots(self, kill: Kill, deferred: set[str]) -> None:
        self._tick_after(self.until_slots(), kill, deferred)

    @action(2, always=True, span=_SPANS, kill=KILLS, deferred=_DEFERRED)
    def a_later_tick(self, span: timedelta, kill: Kill, deferred: set[str]) -> None:
        self._tick_after(span, kill, deferred)

    def _tick_after(self, span: timedelta, kill: Kill, deferred: set[str]) -> None:
        self.site.advance(span)
        self.site.deferred = deferred
        self.tick(kill)
        self.site.deferred = set()

    @action(data=st.data(), limit=st.sampled_from([1, None]), kill=KILLS)
    def a_send(self, data: st.DataObject, limit: int | None, kill: Kill) -> None:
        rows = [row for row in self.issues() if row.cancelled_at is None]
        if not rows:
            return
        row = self.draw_issue(data, rows)
        self.begin_step()
        self.run_step(lambda: self.site.send(row.path, limit=limit), kill, by_person=row.digest)

    @action(data=st.data(), kill=KILLS)
    def a_decision_about_uncertain_deliveries(self, data: st.DataObject, kill: Kill) -> None:
        assert self.model.state is not None
        rows = [self.model.state.rows[number] for _, number in self.model.state.uncertain]
        if rows:
            self.settle_uncertain(self.draw_issue(data, rows), kill)
