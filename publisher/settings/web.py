"""Settings of the web server: pages, proxies, rate limits."""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field

from publisher.settings import validators
from publisher.settings.field_types import SettingsTable
from publisher.settings.secrets import Secret


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("must be an address or a network, as in 127.0.0.1 or 10.0.0.0/8") from None


def _origin(value: str) -> str:
    url = validators.base_url(value)
    if url.count("/") != 2:
        raise ValueError("must be an origin, as in https://www.example.org, without a path")
    return url.lower()


Network = Annotated[str, AfterValidator(_network)]
#: As in ``20/hour``.
Rate = Annotated[
    str,
    validators.matching(
        re.compile(r"[1-9][0-9]{0,5}/(second|minute|hour|day)"),
        "must be a number per second, minute, hour or day, as in 20/hour",
    ),
]


class WebSettings(SettingsTable):
    """The pages and limits of ``publish serve``."""

    #: Whether people can subscribe by a form, if there are digests and a mail server.
    join: bool = True
    #: Whether to serve articles at the URLs of article_url, and the images of media/.
    articles: bool = False
    #: Origins whose pages may post the subscribe form.
    embed: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    #: Whether to run a WebSub hub at base_url + /hub.
    hub: bool = False
    #: Private networks that the hub may send to; others that are not public it rejects.
    hub_networks: tuple[Network, ...] = ()
    #: Whether to count clicks on articles in issues.
    clicks: bool = False
    #: Reverse proxies whose X-Forwarded-For and X-Forwarded-Proto headers are trusted.
    proxies: tuple[Network, ...] = ()
    #: Rate limits of forms, for one IP address and for its network.
    form_limit: Rate = "20/hour"
    network_limit: Rate = "200/hour"
    #: Rate limit of the subscribe form for all clients: each request may send an unrequested email.
    join_limit: Rate = "2000/hour"
    #: Keys that sign links in confirmation emails, the newest first; derived from the site's secret by
    #: default.
    keys: tuple[Secret, ...] = ()
    #: Days of Strict-Transport-Security if base_url is https; 0 for none.
    hsts_days: Annotated[int, Field(ge=0, le=730)] = 180
    #: Whether to log each request.
    access_log: bool = False
