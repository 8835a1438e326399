"""The people on the lists of a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.subscriptions.add import add_subscriber
from publisher.subscriptions.import_list import import_list
from publisher.subscriptions.manage import (
    erase_subscriber,
    export_subscribers,
    list_subscribers,
    suppress_by_operator,
)
from publisher.subscriptions.review import doubtful_suppressions, lift_suppressions, unclear_states

__all__ = ["Subscribers"]


class Subscribers(Subject):
    """The people on the lists of a site."""

    add = use_case(add_subscriber)
    import_list = use_case(import_list)
    export = use_case(export_subscribers)
    list = use_case(list_subscribers)
    suppress = use_case(suppress_by_operator)
    erase = use_case(erase_subscriber)
    doubtful_suppressions = use_case(doubtful_suppressions)
    unclear_states = use_case(unclear_states)
    lift_suppressions = use_case(lift_suppressions)
