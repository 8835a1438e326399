"""The articles of a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.articles.public_articles import article_at, newest_articles
from publisher.pipeline.correct import correct, reinstate, retract


class Articles(Subject):
    """The articles of a site."""

    correct = use_case(correct)
    retract = use_case(retract)
    reinstate = use_case(reinstate)
    newest = use_case(newest_articles)
    at_path = use_case(article_at)
