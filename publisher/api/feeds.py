"""The feeds of a site."""

from __future__ import annotations

from publisher.api.subject import Subject, use_case
from publisher.feeds.definitions import feeds_of_article
from publisher.feeds.hosting import render_hosting
from publisher.subscriptions.personal_feed import personal_feed_state, render_personal_feed
from publisher.websub.notify import send_notifications


class Feeds(Subject):
    """The feeds of a site."""

    of_article = use_case(feeds_of_article)
    notify_hubs = use_case(send_notifications)
    personal = use_case(render_personal_feed)
    personal_state = use_case(personal_feed_state)

    def hosting(self, server: str) -> str:
        """Return the configuration of a web server that serves feeds/.

        Args:
            server: ``nginx``, ``caddy`` or ``apache``.

        Raises:
            TemplateError: there is no template for this server, or the site's own one is invalid.
        """
        return render_hosting(self._publisher.site, server)
