"""Read ``publisher.toml`` and the environment into a frozen :class:`Site`.

The package says what a site wants. It never reads the database or articles, and never writes anything.
"""

from publisher.settings.read import SETTINGS_FILE, RereadSettings, read_site
from publisher.settings.secrets import Secret
from publisher.settings.site import Site

__all__ = ["SETTINGS_FILE", "RereadSettings", "Secret", "Site", "read_site"]
