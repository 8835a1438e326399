"""The settings of the web: what is on it, who is believed, how often who may ask."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from publisher.settings import checks
from publisher.settings.kinds import SettingsTable
from publisher.settings.secrets import Secret

__all__ = ["WebSettings"]


def _network(value: str) -> str:
    try:
        return str(ip_network(value, strict=False))
    except ValueError:
        raise ValueError("must be an address or a network, as in 127.0.0.1 or 10.0.0.0/8") from None


def _origin(value: str) -> str:
    found = checks.base_url(value)
    if found.count("/") != 2:
        raise ValueError("must be an origin, as in https://www.example.org, without a path")
    return found.lower()


Network = Annotated[str, AfterValidator(_network)]
#: As in ``20/hour``.
Rate = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,5}/(second|minute|hour|day)$")]


class WebSettings(SettingsTable):
    """What ``publish serve`` shows, and to whom."""

    #: Whether readers may join by themselves, where there are digests and a mail server.
    join: bool = True
    #: Whether articles have pages here, at the addresses that article_url says; and pictures of media/.
    articles: bool = False
    #: Origins whose pages may post the form by which readers join.
    embed: tuple[Annotated[str, AfterValidator(_origin)], ...] = ()
    #: Whether a WebSub hub is here, at base_url + /hub.
    hub: bool = False
    #: Networks of this house that the hub may reach; others that are not on the internet it refuses.
    hub_networks: tuple[Network, ...] = ()
    #: Whether clicks on articles in issues are counted.
    clicks: bool = False
    #: Servers in front of this one: what they say of who asks (X-Forwarded-For, X-Forwarded-Proto) is believed.
    proxies: tuple[Network, ...] = ()
    #: How often one address may post a form, and how often all of its network together.
    form_limit: Rate = "20/hour"
    network_limit: Rate = "200/hour"
    #: How often everybody together may ask to join: each time may be a letter to somebody who has not asked.
    join_limit: Rate = "2000/hour"
    #: What links in confirmations are signed with, the newest first; made of the site's secret by default.
    keys: tuple[Secret, ...] = ()
    #: Days for which browsers are told to come by https only, where base_url is https; 0 for not.
    hsts_days: Annotated[int, Field(ge=0, le=730)] = 180
    #: Whether programs that ask for it get new entries alone (RFC 3229). rss2email and others ask, and lose the rest.
    deltas: bool = False
    #: Whether each request has a line in the log.
    access_log: bool = False
