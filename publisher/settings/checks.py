"""Settings of ``publish check``: silenced rules."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from publisher.findings.silence import Silence, parse_silence
from publisher.settings.field_types import SettingsTable

__all__ = ["CheckSettings"]


def _silence(text: str) -> str:
    """Accept an entry of ``silence``; return it with the current ID of its rule."""
    return str(parse_silence(text))


class CheckSettings(SettingsTable):
    """Checks of feeds and issues."""

    #: Rules whose findings are left out: ``ID`` on the whole site, ``ID@NEWSLETTER``, ``ID@NEWSLETTER/ISSUE`` or
    #: ``ID@ARTICLE``.
    silence: tuple[Annotated[str, AfterValidator(_silence)], ...] = ()

    @property
    def silences(self) -> tuple[Silence, ...]:
        """The silenced rules."""
        return tuple(map(parse_silence, self.silence))
