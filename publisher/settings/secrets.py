"""Secrets: read from the environment or from files, never from the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pydantic import field_validator

from publisher.errors import SettingsError
from publisher.settings.field_types import SettingsTable


class Secret(SettingsTable):
    """The place of a secret value: ``{ env = "NAME" }`` or ``{ file = "path" }``."""

    #: The environment variable with the value.
    env: str | None = None
    #: The file with the value, relative to the site; its last line end is removed.
    file: str | None = None

    @field_validator("file")
    @classmethod
    def _only_one(cls, value: str | None, info: Any) -> str | None:
        if value is not None and info.data.get("env") is not None:
            raise ValueError("give env or file, not both")
        return value

    def reveal(self, root: Path) -> str:
        """Return the value.

        Raises:
            SettingsError: the variable is not set, or the file cannot be read or is not UTF-8.
        """
        if self.env is not None:
            if self.env not in os.environ:
                raise SettingsError(f"the environment variable {self.env} is not set; set it or change the settings")
            return os.environ[self.env]
        path = root / (self.file or "")
        try:
            return path.read_text("utf-8").rstrip("\r\n")
        except OSError as error:
            raise SettingsError(f"cannot read the secret file {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise SettingsError(f"the secret file {path} is not UTF-8 text. Save it as UTF-8") from error
