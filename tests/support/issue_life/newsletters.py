"""The newsletters of a site: each send policy, with and without a cadence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import time, timedelta
from typing import Final

#: The time of day at which each slot of a day has come, and none is late.
AFTER_SLOTS: Final = timedelta(hours=7, minutes=12)

#: Hours after a slot within which local delivery times count from the slot: the default of ``late_hours``.
LATE: Final = timedelta(hours=6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Newsletter:
    """The settings of a newsletter."""

    slug: str
    send: str = "review"
    #: Crontab text; empty for none.
    cadence: str = ""
    at_most: int = 2
    at_least: int = 1
    catch_up: str = "latest"
    #: Local time of its deliveries; empty for at once.
    deliver_at: str = ""
    repeat: bool = False

    @property
    def text(self) -> str:
        """Its table in ``publisher.toml``."""
        lines = [
            f'title = "The {self.slug.title()}"',
            f'send = "{self.send}"',
            f"at_most = {self.at_most}",
            f"at_least = {self.minimum}",
            f'catch_up = "{self.catch_up}"',
            f"repeat = {str(self.repeat).lower()}",
            'template = "short"',
            *([f'cadence = "{self.cadence}"'] if self.cadence else []),
            *([f'deliver_at = "{self.deliver_at} local"'] if self.deliver_at else []),
        ]
        return f"\n[digests.{self.slug}]\n" + "\n".join(lines) + "\n"

    @property
    def minimum(self) -> int:
        """The number of new articles that make an issue."""
        return min(self.at_least, self.at_most)

    @property
    def is_mailed(self) -> bool:
        return self.send != "none"

    @property
    def opens_at_slot(self) -> bool:
        """Whether a run of a slot fixes its issues without a person."""
        return bool(self.cadence) and self.send != "review"

    @property
    def opens_with_news(self) -> bool:
        """Whether each run with a new article fixes an issue without a person."""
        return not self.cadence and self.send == "auto"

    @property
    def local_time(self) -> time | None:
        return time.fromisoformat(self.deliver_at) if self.deliver_at else None


NEWSLETTERS: Final = {
    newsletter.slug: newsletter
    for newsletter in (
        Newsletter(slug="weekly", cadence="0 7 * * mon,wed,fri"),
        Newsletter(slug="daily", send="auto", cadence="5 7 * * *"),
        Newsletter(slug="extra"),
        Newsletter(slug="flash", send="auto"),
        Newsletter(slug="again", send="auto", cadence="10 7 * * *", repeat=True),
        Newsletter(slug="archive", send="none", cadence="0 7 * * *"),
        Newsletter(slug="leaflet", send="none"),
    )
}
