"""``publish preview``: render a digest's next issue without changing anything."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from publisher.articles import sources_store as sources
from publisher.articles import store
from publisher.articles.failure_isolation import failure_problem, render_with_fallback
from publisher.chromium import BackgroundBrowser, Browser, Viewport
from publisher.context import Context
from publisher.digests import issue_drafts_store as drafts
from publisher.digests.compose import ComposedIssue
from publisher.digests.draft_content import load_content
from publisher.digests.local_media import local_media_loader
from publisher.digests.update_draft import compose_content, content_hash
from publisher.errors import BrowserMissing, SettingsError, StageError
from publisher.feeds.definitions import sync_custom_feeds
from publisher.findings import Finding
from publisher.model.articles import Article
from publisher.model.digests import Digest
from publisher.model.problems import Problem
from publisher.model.query import matches_query
from publisher.model.report import Progress
from publisher.model.result import Result
from publisher.pipeline.ingest import ingest
from publisher.private_files import make_private_folder, private_opener
from publisher.settings import Site

#: The views of the screenshots.
VIEWS: Final = tuple(
    Viewport(name=name, width=width, is_dark=dark, loads_images=pictures)
    for name, width in (("phone", 375), ("desktop", 1280))
    for dark in (False, True)
    for pictures in (True, False)
)
#: Newest articles that are searched for matching ones if none is pending.
_MAX_SEARCHED: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview(Result):
    """The written files and the findings."""

    folder: Path
    #: Names in the folder.
    files: tuple[str, ...]
    subject: str
    articles: int
    #: True if no article is pending and the newest ones are used.
    uses_newest_articles: bool
    #: The version of the draft, as 'publish approve --expect' takes it; empty if no article is pending.
    hash: str
    findings: tuple[Finding, ...]
    #: Findings that the settings silence.
    silenced: tuple[Finding, ...] = ()
    #: Why there are no screenshots; empty if there are.
    screenshot_error: str = ""
    #: Skipped records with the reason.
    refused: tuple[str, ...] = ()


def preview(
    context: Context, digest: str, *, folder: Path | str | None = None, browser: BackgroundBrowser | None = None
) -> Preview:
    """Write the digest's next issue as HTML, plain text and, with a browser, screenshots.

    articles/ is read as by 'publish now', and nothing is stored. If no article is pending, the newest ones are used.

    Args:
        folder: the output folder; ``outbox/_preview/DIGEST`` by default.
        browser: for callers that have one already; one is started by default.

    Raises:
        SettingsError: there is no such digest, or no article for it.
        TemplateError: its template is missing or broken.
        StageError: the folder is not writable.
    """
    site = context.site
    settings = site.digest(digest)
    target = Path(folder or site.outbox_dir / "_preview" / digest)
    # A browser takes as long to start as the issue takes to compose.
    with ExitStack() as stack:
        browser = browser or stack.enter_context(BackgroundBrowser(local_media_loader(site)))
        with context.dry_run() as trial:
            composed, uses_newest_articles, skipped = _read_and_compose(trial, settings)
        files, missing = _files(composed, browser, context.progress)
    _write(target, files)
    return Preview(
        folder=target,
        files=tuple(files),
        subject=composed.issue.subject,
        articles=len(composed.articles),
        uses_newest_articles=uses_newest_articles,
        hash="" if uses_newest_articles else content_hash(site, composed),
        findings=composed.findings,
        silenced=composed.silenced,
        screenshot_error=missing,
        refused=tuple(f"{problem.where}: {problem.reason}" for problem in skipped),
    )


def _read_and_compose(context: Context, digest: Digest) -> tuple[ComposedIssue, bool, Sequence[Problem]]:
    """Return the issue, whether it has the newest articles because none is pending, and what was skipped."""
    with context.db.write() as connection:
        sync_custom_feeds(connection, context.site)
    result = ingest(context)
    with context.db.write() as connection:
        composed, uses_newest_articles, left_out = _composed(connection, context, digest)
        stored = sources.list_problems(connection, rejected=True)
    return composed, uses_newest_articles, (*stored, *result.rejected, *left_out)


def _composed(connection: Connection, context: Context, digest: Digest) -> tuple[ComposedIssue, bool, list[Problem]]:
    site, now = context.site, context.now
    stored = drafts.load_draft(connection, digest.slug)
    waiting_slot = stored.waiting_slot if stored is not None else None
    content = load_content(connection, site, digest, now, waiting_slot=waiting_slot)
    uses_newest_articles = not content.articles
    if uses_newest_articles:
        articles = _newest(connection, site, digest, now)
        if not articles:
            raise SettingsError(f"no article matches the query of {digest.slug}: put one into {site.paths.articles}/")
        rows = store.rows_by_seq(connection, [article.seq for article in articles])
        content = replace(content, articles=tuple(articles), rows=rows)
    composed, failing = render_with_fallback(partial(compose_content, site, digest, content), content.articles)
    left_out = [
        failure_problem(context, content.rows[article.seq].source, f"{article.title!r} was left out", error)
        for article, error in failing
    ]
    return composed, uses_newest_articles, left_out


def _newest(connection: Connection, site: Site, digest: Digest, now: datetime) -> list[Article]:
    seqs = store.newest_seqs(connection, int(now.timestamp()), _MAX_SEARCHED)
    articles = store.articles_by_seq(connection, seqs, site.base_url, site.tz)
    return [articles[seq] for seq in seqs if matches_query(digest.query, articles[seq])][: digest.at_most]


def _files(composed: ComposedIssue, browser: BackgroundBrowser, progress: Progress) -> tuple[dict[str, bytes], str]:
    """Return the files of a preview, and why there are no screenshots; empty if there are."""
    files = {name: composed.issue.files[name] for name in ("index.html", "message.txt")}
    try:
        return files | browser.run(partial(_screenshots, files["index.html"].decode(), progress)), ""
    except BrowserMissing as error:
        return files, str(error)


def _screenshots(html: str, progress: Progress, browser: Browser) -> dict[str, bytes]:
    images: dict[Viewport, bytes] = {}
    for view, image in browser.screenshots(html, VIEWS):
        images[view] = image
        progress("taking screenshots", len(images), len(VIEWS))
    return {f"{view.label}.png": images[view] for view in VIEWS}


def _write(folder: Path, files: dict[str, bytes]) -> None:
    try:
        make_private_folder(folder)
        for view in VIEWS:
            # Screenshots of an earlier preview would be wrong.
            (folder / f"{view.label}.png").unlink(missing_ok=True)
        for name, data in files.items():
            with open(folder / name, "wb", opener=private_opener) as file:
                file.write(data)
    except OSError as error:
        raise StageError(f"cannot write the preview into {folder}: {error.strerror}") from error
