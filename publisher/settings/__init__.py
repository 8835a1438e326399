"""``publisher.toml`` and the environment → a frozen :class:`Site`.

Unknown keys are refused, and every mistake is reported at once with its key and what is allowed.
"""

from publisher.settings.models import Secret, Site
from publisher.settings.read import SETTINGS_FILE, read_site

__all__ = ["SETTINGS_FILE", "Secret", "Site", "read_site"]
