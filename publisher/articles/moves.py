"""Find the former name of a file that was moved into or out of a drafts folder. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import takewhile
from typing import Final

from publisher.articles.parsers import is_in_drafts_folder

#: Jekyll posts have their date in the file name, drafts do not.
_DATE_PREFIX: Final = re.compile(r"\d{4}-\d{1,2}-\d{1,2}-")
#: File names that are the same in many folders, so that the folder identifies the file.
_FOLDER_FILES: Final = frozenset(["index", "_index"])
_STATE_FOLDERS: Final = frozenset(["_drafts", "_posts"])


class FileMoves:
    """The files removed since the last run, indexed by name without folder, date and suffix."""

    def __init__(self, gone: Iterable[str]) -> None:
        self._gone: dict[str, list[str]] = {}
        for name in gone:
            self._gone.setdefault(_stem(name)[-1], []).append(name)

    def before(self, name: str) -> list[str]:
        """Return the possible former names of a file, relative to articles/.

        Several names are returned only if they match equally well. For a draft whose former file was removed
        in an earlier run, the names without the drafts folder are returned; the caller must check that no
        file has such a name.
        """
        is_draft = is_in_drafts_folder(name)
        if not self._gone and not is_draft:
            return []
        stem = _stem(name)
        removed = [other for other in self._gone.get(stem[-1], ()) if is_draft or is_in_drafts_folder(other)]
        if removed:
            common = [_common_suffix_length(stem, _stem(other)) for other in removed]
            return [other for other, length in zip(removed, common, strict=True) if length == max(common)]
        return _without_drafts_folder(name) if is_draft else []


def _stem(name: str) -> list[str]:
    """Return the folders and the name of a file, without state folders, date and suffix.

    ``a/_drafts/b.md`` becomes ``["a", "b"]``.
    """
    *folders, last = name.casefold().split("/")
    folders = [folder for folder in folders if folder not in _STATE_FOLDERS]
    plain = _DATE_PREFIX.sub("", last, count=1).rpartition(".")[0]
    if plain in _FOLDER_FILES and folders:
        plain = f"{folders.pop()}/{plain}"
    return [*folders, plain]


def _common_suffix_length(stem: list[str], other: list[str]) -> int:
    pairs = zip(reversed(stem), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _without_drafts_folder(name: str) -> list[str]:
    *folders, last = name.split("/")
    at = next(number for number, folder in enumerate(folders) if folder.casefold() == "_drafts")
    before, after = folders[:at], folders[at + 1 :]
    return ["/".join([*before, *after, last]), "/".join([*before, "_posts", *after, last])]
