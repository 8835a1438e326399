"""``publish init``: a folder → a site with commented settings and a first article."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from publisher.errors import SettingsError, StageError
from publisher.private_files import FOLDER_MODE
from publisher.settings import SETTINGS_FILE, read_site

__all__ = ["create_site"]

_KIT = Path(__file__).parent.parent / "templating" / "site_template"


def create_site(folder: Path, *, title: str, base_url: str) -> list[Path]:
    """Make a site in ``folder`` and return the files that were made.

    Args:
        folder: made if it is not there; nothing in it is overwritten.
        title: the site's name.
        base_url: the site's address.

    Raises:
        SettingsError: the folder is a site already, or title or address cannot be used.
        StageError: the folder cannot be written.
    """
    settings = folder / SETTINGS_FILE
    if settings.exists():
        raise SettingsError(f"{settings} exists already; this is a site, run publish now")
    text = (_KIT / "publisher.toml").read_text("utf-8")
    for name, value in (
        ("@TITLE@", title),
        ("@BASE_URL@", base_url),
        # Drawn once: it makes the ids of this site's articles its own, wherever it moves.
        ("@ID@", uuid.uuid4().urn),
    ):
        # A JSON string is a TOML basic string.
        text = text.replace(name, json.dumps(value, ensure_ascii=False))
    files = {
        settings: text,
        folder / "articles" / "welcome.md": (_KIT / "welcome.md").read_text("utf-8"),
        folder
        / ".gitignore": "/publisher.db*\n/publisher.key\n/dkim-*.pem\n/.publish.lock\n/.publish.errors.log*\n/.publish.senders/\n/.publish.runners/\n/feeds/\n/outbox/\n",
    }
    made = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(content, "utf-8")
                made.append(path)
        for name in ("feeds", "outbox", "templates"):
            (folder / name).mkdir(mode=FOLDER_MODE if name == "outbox" else 0o777, exist_ok=True)
    except OSError as error:
        raise StageError(f"cannot make a site in {folder}: {error.strerror} ({error.filename})") from error
    try:
        read_site(folder)
    except SettingsError:
        settings.unlink()
        raise
    return made
