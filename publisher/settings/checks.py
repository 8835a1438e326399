"""Settings of ``publish check``: silenced rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from publisher.settings.field_types import SettingsTable

if TYPE_CHECKING:
    from publisher.findings.silence import Silence


def _silence(text: str) -> str:
    """Accept an entry of ``silence``; return it with the current ID of its rule."""
    # Imported here, because most sites silence nothing, and every command reads the settings.
    from publisher.findings.silence import parse_silence

    return str(parse_silence(text))


class CheckSettings(SettingsTable):
    """Checks of feeds and issues."""

    #: Rules whose findings are left out: ``ID`` on the whole site, ``ID@NEWSLETTER``, ``ID@NEWSLETTER/ISSUE`` or
    #: ``ID@ARTICLE``.
    silence: tuple[Annotated[str, AfterValidator(_silence)], ...] = ()

    @property
    def silences(self) -> tuple[Silence, ...]:
        """The silenced rules."""
        if not self.silence:
            return ()
        from publisher.findings.silence import parse_silence

        return tuple(map(parse_silence, self.silence))
