"""Read ``publisher.toml`` into a :class:`Site`, or report every error in it at once."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from publisher.errors import PublisherError, SettingsError
from publisher.settings.site import Site

#: The settings file; its folder is the site.
SETTINGS_FILE = "publisher.toml"

#: Keys of earlier versions → why each was removed and what to do.
_REMOVED: Final = {
    "web.deltas": "was removed, because feed readers that ask for new entries only (RFC 3229) lose the other "
    "entries; delete the line",
}


def _allowed(location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that are allowed in the table at LOCATION."""
    model: Any = Site
    for part in location:
        if isinstance(part, int):
            # The position in a list of tables, whose model is known already.
            continue
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            # A dict of tables: the site chooses the keys.
            model = model.__args__[1]
            continue
        info = model.model_fields.get(str(part))
        if info is None:
            return []
        model = info.annotation
        options = [
            option
            for option in getattr(model, "__args__", ())
            if isinstance(option, type) and issubclass(option, BaseModel)
        ]
        if options and getattr(model, "__origin__", None) is not dict:
            model = options[0]
    return sorted(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _error_line(error: Mapping[str, Any]) -> str:
    location = tuple(part for part in error["loc"] if part not in ("str", "int", "Secret", "[key]"))
    key = ".".join(str(part) for part in location) or "(top)"
    if error["type"] == "extra_forbidden":
        if key in _REMOVED:
            return f"{key}: {_REMOVED[key]}"
        allowed = _allowed(location[:-1])
        return f"{key}: unknown key{_hint(str(location[-1]), allowed)} (allowed here: {', '.join(allowed)})"
    if error["type"] == "missing":
        return f"{key}: is missing; add it"
    if error["type"] in ("model_type", "dataclass_type") and "Secret" in str(error["msg"]):
        return f'{key}: is a secret, which must not be in the settings; write {{ env = "NAME" }} or {{ file = "path" }}'
    return f"{key}: {_in_our_words(str(error['msg']).removeprefix('Value error, '))}"


def _hint(name: str, allowed: list[str]) -> str:
    """Return what may be meant by an unknown key: a key of the same table, or of a table whose heading is missing."""
    if close := difflib.get_close_matches(name, allowed, n=1):
        return f"; did you mean {close[0]}?"
    tables = [f"[{table}]" for table in Site.model_fields if name in _allowed((table,))]
    if not tables:
        return ""
    return f"; it is a key of {' and '.join(tables)}: move it below that heading, and remove any # before the heading"


#: Pydantic's words for a value of a wrong type → ours.
_EXPECTED: Final = {
    "input should be a valid string": "must be text in quotation marks",
    "input should be a valid integer": "must be a whole number",
    "input should be a valid number": "must be a number",
    "input should be a valid boolean": "must be true or false",
    "input should be a valid tuple": 'must be a list, as in ["a", "b"]',
    "input should be a valid list": 'must be a list, as in ["a", "b"]',
    "input should be a valid dictionary": "must be a table of keys",
    "string should have at least 1 character": "must not be empty",
    "string should ": "must ",
    "input should be ": "must be ",
}


def _in_our_words(message: str) -> str:
    """Return an error message with "must" as in our own messages."""
    message = message[:1].lower() + message[1:]
    for theirs, ours in _EXPECTED.items():
        if message.startswith(theirs):
            rest = message.removeprefix(theirs)
            return ours + (rest if theirs.endswith(" ") else "")
    return message


def read_site(root: Path) -> Site:
    """Return the settings of the site in folder ROOT.

    Raises:
        SettingsError: there is no readable ``publisher.toml``, or it has errors: all of them are listed, one per
            line.
    """
    path = root / SETTINGS_FILE
    try:
        text = path.read_bytes().decode("utf-8-sig")
        data = tomllib.loads(text.replace("\r\n", "\n"))
    except FileNotFoundError:
        where = "the current folder" if root == Path() else root
        raise SettingsError(
            f"no {SETTINGS_FILE} in {where}. Run 'publish init' there, or name a site with --site"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from error
    try:
        return Site.model_validate(data, context={"root": root.resolve()})
    except ValidationError as error:
        lines = list(
            dict.fromkeys(_error_line(details) for details in error.errors(include_url=False, include_input=False))
        )
        count = f"{len(lines)} error{'' if len(lines) == 1 else 's'}"
        raise SettingsError(f"{path} has {count}:\n" + "\n".join(f"  {line}" for line in lines)) from None


def settings_signature(root: Path) -> tuple[int, int, int] | None:
    """Return a value that changes with a site's settings file; None without such a file."""
    try:
        status = (root / SETTINGS_FILE).stat()
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


class RereadSettings:
    """The settings of a task, read again when the file has changed. A file with errors changes nothing."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._signature = settings_signature(site.root)

    def current(self) -> Site:
        """Return the newest valid settings."""
        signature = settings_signature(self._site.root)
        if signature != self._signature:
            self._signature = signature
            with suppress(PublisherError):
                self._site = read_site(self._site.root)
        return self._site
