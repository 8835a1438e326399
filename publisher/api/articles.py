"""The articles of a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.pipeline.correct import correct, reinstate, retract

__all__ = ["Articles"]


class Articles(Subject):
    """The articles of a site."""

    correct = use_case(correct)
    retract = use_case(retract)
    reinstate = use_case(reinstate)
