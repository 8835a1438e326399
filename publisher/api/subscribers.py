"""The people on the lists of a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.subscriptions.add import add_subscriber
from publisher.subscriptions.confirm import answer_confirmation, open_confirmation
from publisher.subscriptions.import_list import import_list
from publisher.subscriptions.manage import (
    erase_subscriber,
    export_subscribers,
    list_subscribers,
    suppress_by_operator,
)
from publisher.subscriptions.preferences import (
    load_preferences,
    pause_mail,
    request_address_change,
    request_data,
    resolve_access,
    resume_mail,
    save_preferences,
    set_personal_feed,
)
from publisher.subscriptions.review import doubtful_suppressions, lift_suppressions, unclear_states
from publisher.subscriptions.subscribe import interest_choices, request_subscription
from publisher.subscriptions.unsubscribe import link_status, resubscribe_by_link, unsubscribe_by_link


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

    # -- self-service by forms and links --
    interest_choices = use_case(interest_choices)
    request_subscription = use_case(request_subscription)
    open_confirmation = use_case(open_confirmation)
    answer_confirmation = use_case(answer_confirmation)
    link_status = use_case(link_status)
    unsubscribe_by_link = use_case(unsubscribe_by_link)
    resubscribe_by_link = use_case(resubscribe_by_link)
    resolve_access = use_case(resolve_access)
    preferences = use_case(load_preferences)
    save_preferences = use_case(save_preferences)
    pause_mail = use_case(pause_mail)
    resume_mail = use_case(resume_mail)
    set_personal_feed = use_case(set_personal_feed)
    request_address_change = use_case(request_address_change)
    request_data = use_case(request_data)
