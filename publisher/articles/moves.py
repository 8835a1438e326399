"""Find the file that a file was before it moved into a drafts folder, or out of one. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from publisher.articles.parsers import is_in_drafts_folder

__all__ = ["FileMoves"]

#: Jekyll's posts carry their date in the file name, its drafts do not.
_DATE_PREFIX: Final = re.compile(r"\d{4}-\d{1,2}-\d{1,2}-")
#: Files that are named by their folder.
_FOLDER_FILES: Final = frozenset(["index", "_index"])
_STATE_FOLDERS: Final = frozenset(["_drafts", "_posts"])


class FileMoves:
    """The files that went away since the last run, by what identifies a file in whatever folder it lies."""

    def __init__(self, gone: Iterable[str]) -> None:
        self._gone: dict[str, list[str]] = {}
        for name in gone:
            self._gone.setdefault(_stem(name)[-1], []).append(name)

    def before(self, name: str) -> list[str]:
        """Return the names that a file may have had, relative to articles/.

        Several only where none of them is likelier than another. A draft whose former file went away in an
        earlier run is looked for where it would be without the drafts folder; the caller has to make sure
        that no file of that name is there.
        """
        is_draft = is_in_drafts_folder(name)
        if not self._gone and not is_draft:
            return []
        stem = _stem(name)
        gone = [one for one in self._gone.get(stem[-1], ()) if is_draft or is_in_drafts_folder(one)]
        if gone:
            common = [_common_end(stem, _stem(one)) for one in gone]
            return [one for one, length in zip(gone, common, strict=True) if length == max(common)]
        return _without_drafts_folder(name) if is_draft else []


def _stem(name: str) -> list[str]:
    """Return a file's folders and its name without folders of states, date and suffix: ``a/_drafts/b.md`` → a, b."""
    *folders, last = name.casefold().split("/")
    folders = [folder for folder in folders if folder not in _STATE_FOLDERS]
    plain = _DATE_PREFIX.sub("", last, count=1).rpartition(".")[0]
    if plain in _FOLDER_FILES and folders:
        plain = f"{folders.pop()}/{plain}"
    return [*folders, plain]


def _common_end(one: list[str], other: list[str]) -> int:
    length = 0
    for first, second in zip(reversed(one), reversed(other), strict=False):
        if first != second:
            break
        length += 1
    return length


def _without_drafts_folder(name: str) -> list[str]:
    *folders, last = name.split("/")
    at = next(number for number, folder in enumerate(folders) if folder.casefold() == "_drafts")
    before, after = folders[:at], folders[at + 1 :]
    return ["/".join([*before, *after, last]), "/".join([*before, "_posts", *after, last])]
