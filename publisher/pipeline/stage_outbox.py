"""Stage drafts and issues in outbox/, and remove the folders of those that ended."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection

from publisher.context import Context
from publisher.digests import issue_drafts_store as drafts
from publisher.digests import store as issues
from publisher.errors import StageError
from publisher.feeds import store as table
from publisher.feeds.store import StagedFile
from publisher.model.report import PublishResult
from publisher.staging.folder import StagedFolder
from publisher.storage.engine import Database

#: The folder of a draft, below the folder of its digest.
_NEXT: Final = "next"


def stage_outbox(context: Context) -> PublishResult:
    """Write unstaged drafts and issues into outbox/, restore missing files, and remove what ended.

    Raises:
        StageError: a draft or an issue cannot be staged; the others are.
    """
    site, db = context.site, context.db
    restaged: list[str] = []
    errors: list[StageError] = []
    with StagedFolder(site.outbox_dir, dry_run=db.is_dry_run, is_private=True) as stage:
        with _collected(errors):
            _remove_ended(db, stage)
        with db.read() as connection:
            new = drafts.drafts_to_stage(connection)
            lost = {file.owner.partition(":")[2] for file in _lost_files(connection, stage, "draft")}
            known = [draft.digest for draft in drafts.list_drafts(connection)]
        for slug in known:
            if slug not in new and slug not in lost:
                continue
            with _collected(errors):
                with db.write() as connection:
                    files = drafts.draft_files(connection, slug)
                    changed = _put(connection, stage, f"{slug}/{_NEXT}", f"draft:{slug}", files)
                    drafts.mark_draft_staged(connection, slug)
                if slug in lost and slug not in new and changed:
                    restaged.append(f"{site.paths.outbox}/{slug}/{_NEXT}")
        restaged += [f"{site.paths.outbox}/{path}" for path in _stage_issues(db, stage, errors)]
    if errors:
        raise errors[0]
    return PublishResult(restaged=tuple(restaged))


@contextmanager
def _collected(errors: list[StageError]) -> Iterator[None]:
    """Add an error of the block to the list: one folder that cannot be written stops no other."""
    try:
        yield
    except StageError as error:
        errors.append(error)


def _stage_issues(db: Database, stage: StagedFolder, errors: list[StageError]) -> list[str]:
    """Stage issues, and return those whose missing files were staged again."""
    restaged = []
    with db.read() as connection:
        unstaged = issues.issues_to_stage(connection)
        lost = {int(file.owner.partition(":")[2]) for file in _lost_files(connection, stage, "issue")}
        rows = issues.list_issues(connection, only={*unstaged, *lost}) if unstaged or lost else []
    for row in sorted(rows, key=lambda row: row.id):
        with _collected(errors):
            with db.write() as connection:
                files = issues.issue_files(connection, row.id)
                changed = _put(connection, stage, row.path, f"issue:{row.id}", files)
                issues.mark_staged(connection, row.id)
            if row.id in lost and changed:
                restaged.append(row.path)
    return restaged


def _lost_files(connection: Connection, stage: StagedFolder, kind: str) -> list[StagedFile]:
    """Return staged files of drafts or issues that are missing or were changed by others."""
    return [
        file
        for file in table.staged_files(connection, kind, below=True)
        if not stage.is_unchanged(file.path.removeprefix("outbox/"), file.size, file.mtime_ns)
    ]


def _put(connection: Connection, stage: StagedFolder, folder: str, owner: str, contents: Mapping[str, bytes]) -> bool:
    """Write the files of one folder; return whether any of them changed."""
    files = []
    changed = False
    for name, data in contents.items():
        written = stage.put(f"{folder}/{name}", [data])
        changed = changed or written.changed
        files.append(StagedFile.of(written, "outbox", owner))
    stage.sync()
    table.save_staged_files(connection, files)
    return changed


def _remove_ended(db: Database, stage: StagedFolder) -> None:
    """Remove the files of drafts that ended and of issues that were reopened."""
    with db.read() as connection:
        known = {f"draft:{draft.digest}" for draft in drafts.list_drafts(connection)}
        known |= {f"issue:{number}" for number in issues.issue_ids(connection)}
        staged = [file for kind in ("draft", "issue") for file in table.staged_files(connection, kind, below=True)]
    ended = [file for file in staged if file.owner not in known]
    if not ended:
        return
    for file in ended:
        stage.remove(file.path.removeprefix("outbox/"))
    with db.write() as connection:
        table.delete_staged_files(connection, [file.path for file in ended])
