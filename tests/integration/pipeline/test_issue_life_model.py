"""Random steps of editors, subscribers, runs and kills: every subscriber gets each article once, as it was approved."""

from __future__ import annotations

import pytest
from hypothesis import seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.support.databases import PostgresServer
from tests.support.examples import examples
from tests.support.issue_life.article_steps import ArticleSteps
from tests.support.issue_life.editor_steps import EditorSteps
from tests.support.issue_life.operator_steps import OperatorSteps
from tests.support.issue_life.people_steps import PeopleSteps

_STEPS = settings(deadline=None, database=None, stateful_step_count=35, report_multiple_bugs=False)


class IssueLife(ArticleSteps, EditorSteps, OperatorSteps, PeopleSteps):
    """Each rule is a step; at the end everything is sent."""


def run(machine: type[IssueLife], number: int, count: int) -> None:
    """Run a number of sequences of steps, the same ones each time."""
    run_state_machine_as_test(seed(number)(machine), settings=settings(_STEPS, max_examples=examples(count)))


@pytest.mark.hypothesis
@pytest.mark.timeout(1800)
def test_every_subscriber_gets_each_article_once() -> None:
    """The random steps keep the promises to subscribers."""
    run(IssueLife, 1, 15)


@pytest.mark.slow(reason="dozens of sequences of commands")
def test_every_subscriber_gets_each_article_once_in_more_sequences() -> None:
    """Other random steps keep them, too."""
    run(IssueLife, 2, 25)


@pytest.mark.slow(reason="a database server does each of thousands of transactions")
def test_every_subscriber_gets_each_article_once_on_postgresql(postgres_server: PostgresServer) -> None:
    """The random steps keep the promises to subscribers on PostgreSQL."""

    class OnPostgres(IssueLife):
        """Each sequence of steps with an empty database."""

        def __init__(self) -> None:
            super().__init__()
            self.database_url = postgres_server.create(prepared=True)

        def teardown(self) -> None:
            try:
                super().teardown()
            finally:
                postgres_server.drop(self.database_url)

    run(OnPostgres, 4, 5)
