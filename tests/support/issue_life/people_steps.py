"""Random steps of subscribers."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import strategies as st

from publisher.digests.store import list_issues
from tests.support.issue_life.machine import NAMES, TOPICS, ZONES, LifeMachine, action
from tests.support.issue_life.mail_server import RecordedMail

_PEOPLE = st.sampled_from(NAMES)
_SECONDS = timedelta(seconds=2)


class PeopleSteps(LifeMachine):
    """People subscribe, unsubscribe, move and pause mail."""

    @action(2, always=True, name=_PEOPLE, data=st.data(), topic=st.none() | TOPICS, zone=ZONES)
    def preferences(self, name: str, data: st.DataObject, topic: str | None, zone: str | None) -> None:
        self._save_preferences(name, data.draw(st.sets(st.sampled_from(self.slugs)), "newsletters"), topic, zone)

    @action(2, always=True, name=_PEOPLE, topic=st.none() | TOPICS)
    def everything(self, name: str, topic: str | None) -> None:
        self._save_preferences(name, set(self.slugs), topic, None)

    def _save_preferences(self, name: str, chosen: set[str], topic: str | None, zone: str | None) -> None:
        person, available = self.model.people[name], set(self.site.newsletters)
        chosen &= available
        if person.is_suppressed or not (chosen or person.is_known):
            return
        self.site.advance(_SECONDS)
        zone = zone or person.zone
        save = self.site.save_preferences if person.is_known else self.site.add_person
        save(name, sorted(chosen), topic, zone)
        person.is_known = True
        self.model.end_mail(name, (person.digests & available) - chosen)
        self.model.move(name, zone, self.site.now, available)
        person.digests, person.topic = chosen | (person.digests - available), topic

    @action(1, always=True, topic=TOPICS)
    def a_person_unsubscribes_while_messages_are_sent(self, topic: str) -> None:
        """After the first message of a run, the next recipient of that issue unsubscribes."""
        self.write_new(topic, 0)
        self.site.advance(self.until_slots())
        self.site.after_message = self._unsubscribe_next
        self.tick()
        self.site.after_message = lambda mail: None

    def _unsubscribe_next(self, mail: RecordedMail) -> None:
        attempt = mail.attempt
        with self.site.kit.open() as db, db.read() as connection:
            (row,) = list_issues(connection, only=[attempt.issue])
        people = self.model.people
        later = [name for name, person in people.items() if name > attempt.name and person.is_mailed(row.digest)]
        if later:
            name = min(later)
            person = people[name]
            chosen = (person.digests - {row.digest}) & set(self.site.newsletters)
            self.site.save_preferences(name, sorted(chosen), person.topic, person.zone)
            person.digests.discard(row.digest)
            self.site.after_message = lambda mail: None

    @action(name=_PEOPLE)
    def a_pause_of_mail(self, name: str) -> None:
        person = self.model.people[name]
        if not person.is_known or person.is_suppressed:
            return
        self.site.pause_person(name, is_paused=not person.is_paused)
        person.is_paused = not person.is_paused
        if person.is_paused:
            self.model.end_mail(name, set(self.slugs))

    @action(name=_PEOPLE, is_rare=st.integers(0, 3))
    def a_suppression(self, name: str, is_rare: int) -> None:
        if not self.model.people[name].is_known or is_rare:
            return
        self.site.suppress_person(name)
        self.model.people[name].is_suppressed = True
        self.model.end_mail(name, set(self.slugs))
