"""``publish init``: create a site with commented settings and a first article."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

from publisher.errors import SettingsError, StageError
from publisher.private_files import FOLDER_MODE
from publisher.settings import SETTINGS_FILE, read_site

_SITE_TEMPLATE = Path(__file__).parent.parent / "templating" / "site_template"


def create_site(folder: Path | str, *, title: str, base_url: str) -> list[Path]:
    """Create a site and its folder, and return the new files; existing ones stay as they are.

    Raises:
        SettingsError: the folder is already a site, or the title or URL is invalid.
        StageError: the folder is not writable.
    """
    folder = Path(folder)
    settings = folder / SETTINGS_FILE
    if settings.exists():
        raise SettingsError(f"{settings} exists already. Run 'publish now' in this site, or choose another folder.")
    text = (_SITE_TEMPLATE / "publisher.toml").read_text("utf-8")
    for name, value in (
        ("@TITLE@", title),
        ("@BASE_URL@", base_url),
        # A random ID makes the article IDs of this site unique and independent of its URL.
        ("@ID@", uuid.uuid4().urn),
    ):
        # A JSON string is a TOML basic string.
        text = text.replace(name, json.dumps(value, ensure_ascii=False))
    files = {
        settings: text,
        folder / "articles" / "welcome.md": (_SITE_TEMPLATE / "welcome.md").read_text("utf-8"),
        folder
        / ".gitignore": "/publisher.db*\n/publisher.key\n/dkim-*.pem\n/.publish.lock\n/.publish.errors.log*\n/.publish.senders/\n/.publish.runners/\n/feeds/\n/outbox/\n",
    }
    created = []
    try:
        for path, content in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists():
                path.write_text(content, "utf-8")
                created.append(path)
        for name in ("feeds", "outbox", "templates"):
            (folder / name).mkdir(mode=FOLDER_MODE if name == "outbox" else 0o777, exist_ok=True)
    except OSError as error:
        raise StageError(f"cannot create a site in {folder}: {error.strerror} ({error.filename})") from error
    try:
        read_site(folder)
    except SettingsError:
        settings.unlink()
        raise
    return created
