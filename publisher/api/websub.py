"""The site's own WebSub hub."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.websub.hub import request_subscription


class WebSub(Subject):
    """The site's own WebSub hub."""

    request_subscription = use_case(request_subscription)
