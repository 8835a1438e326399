"""``publish check``: feeds on the disk and on the web, and issues, against their rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from publisher.digests.run_preflight import IssueCheck, check_issues, is_issue_target
from publisher.errors import RemoteError, SettingsError
from publisher.feeds.checks.feed import MEDIA_TYPES, check_feed, detect_format, previous_page_url
from publisher.feeds.checks.rules import finding
from publisher.findings import Finding
from publisher.html.urls import url_path
from publisher.http_client import HttpClient, HttpResponse
from publisher.model.feeds import FeedFormat
from publisher.model.report import Progress, no_progress
from publisher.settings import Site
from publisher.workers.pool import Workers

__all__ = ["CheckResult", "CheckedFile", "check_site"]

_SUFFIXES: Final = tuple(f".{form.value}" for form in FeedFormat)
#: Files that one worker looks at in a row.
_PAGE: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """A feed that was looked at."""

    #: Its file or its address.
    name: str
    findings: tuple[Finding, ...]


@dataclass(slots=True, kw_only=True)
class CheckResult:
    """What was looked at, and what was found."""

    feeds: int = 0
    #: Feeds with findings.
    faulty: list[CheckedFile] = field(default_factory=list)
    issues: list[IssueCheck] = field(default_factory=list)

    @property
    def findings(self) -> int:
        """How many findings there are."""
        return len(self.all_findings)

    @property
    def all_findings(self) -> list[tuple[str, Finding]]:
        """What was found: in which issue or feed, and what."""
        issues = [(one.name, found) for one in self.issues for found in one.findings]
        return issues + [(one.name, found) for one in self.faulty for found in one.findings]

    @property
    def held_back(self) -> list[IssueCheck]:
        """Issues that may not be sent."""
        return [one for one in self.issues if one.forced is None and any(found.is_error for found in one.findings)]

    def as_dict(self) -> dict[str, Any]:
        """Return the report as ``publish check --json`` prints it."""
        return {
            "feeds": self.feeds,
            "issues": [
                {
                    "name": one.name,
                    "forced": one.forced,
                    "held_back": one in self.held_back,
                    "no_browser": one.no_browser,
                    "blockers": list(one.blockers),
                    "blocked": one.is_blocked,
                }
                for one in self.issues
            ],
            "findings": [{"file": name, **found.as_dict()} for name, found in self.all_findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file that is to be looked at."""

    path: Path
    #: Where it can be reached; None where nobody knows.
    address: str | None
    #: The folder that its site's feeds lie in, and where that can be reached.
    folder: Path | None
    feeds_url: str


def check_site(
    site: Site | None,
    targets: Sequence[str],
    now: datetime,
    *,
    with_browser: bool = True,
    progress: Progress = no_progress,
) -> CheckResult:
    """Return what is wrong with feeds and issues.

    Args:
        site: the settings; None outside of a site.
        targets: feeds by file, folder and address, issues by name, folder and file; the site's
            feeds/ where there are none.
        now: what time it is: no date may lie later.
        with_browser: False where no browser is to look at issues.
        progress: told now and then how far the work is.

    Raises:
        SettingsError: an issue, file or folder is not there, or there is no site to check.
        RemoteError: an address does not answer.
    """
    report = CheckResult()
    names = list(targets)
    if not names:
        if site is None:
            raise SettingsError("there is no publisher.toml here: name a folder, a file or an address")
        names = [os.path.relpath(site.feeds_dir)]
    files: list[_File] = []
    mails = [name for name in names if is_issue_target(name, site)]
    for number, issue in enumerate(check_issues(site, mails, now, with_browser=with_browser) if mails else (), 1):
        report.issues.append(issue)
        progress("checking issues", number, len(mails))
    for name in names:
        if name in mails:
            continue
        if name.startswith(("http://", "https://")):
            _note(report, _check_url(name, now))
        else:
            files += _files(Path(name), site)
    pages = [files[at : at + _PAGE] for at in range(0, len(files), _PAGE)]
    with Workers() as workers:
        done = 0
        for results in workers.map(_check_files, ((page, now) for page in pages), worth_it=len(pages) > 2):
            for one in results:
                _note(report, one)
            done += len(results)
            progress("checking feeds", done, len(files))
    return report


def _note(report: CheckResult, one: CheckedFile) -> None:
    report.feeds += 1
    if one.findings:
        report.faulty.append(one)


def _files(target: Path, site: Site | None) -> Iterator[_File]:
    if not target.exists():
        raise SettingsError(f"{target} is not there: name an issue, a folder, a file or an address")
    paths = [target]
    if target.is_dir():
        paths = sorted(
            Path(folder) / name
            for folder, below, names in os.walk(target)
            for name in names
            if name.endswith(_SUFFIXES) and not Path(folder).name.startswith(".")
        )
    for path in paths:
        within = site is not None and path.resolve().is_relative_to(site.feeds_dir)
        address = None
        if site is not None and within:
            address = f"{site.feeds_url}/{url_path(str(path.resolve().relative_to(site.feeds_dir)))}"
        yield _File(
            path=path,
            address=address,
            folder=site.feeds_dir if site is not None and within else None,
            feeds_url=site.feeds_url if site is not None else "",
        )


def _check_files(job: tuple[Sequence[_File], datetime]) -> list[CheckedFile]:
    files, now = job
    return [_check_file(one, now) for one in files]


def _check_file(file: _File, now: datetime) -> CheckedFile:
    try:
        data = file.path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read {file.path}: {error.strerror}") from error
    findings = check_feed(data, address=file.address, now=now)
    if file.folder is not None and not any(found.id == "well-formed" for found in findings):
        findings += _history_findings(data, file.folder, file.feeds_url)
    return CheckedFile(name=str(file.path), findings=tuple(findings))


def _history_findings(data: bytes, folder: Path, feeds_url: str) -> list[Finding]:
    """Return whether the older page is there that a feed leads to."""
    from urllib.parse import unquote

    link = previous_page_url(data)
    if link is None:
        return []
    path = folder / unquote(link.removeprefix(feeds_url + "/"))
    if link.startswith(feeds_url + "/") and path.is_file():
        return []
    return [finding("history-link", link)]


def _check_url(url: str, now: datetime) -> CheckedFile:
    with HttpClient() as remote:
        answer = remote.get(url, {"Accept-Encoding": "gzip"})
        if answer.status != 200:
            raise RemoteError(f"{url} answers {answer.status}; name a feed that can be fetched")
        again = _again(remote, answer)
    findings = [*check_feed(answer.body, address=answer.url, now=now), *again]
    form = detect_format(answer.body)
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if form is not None and kind not in MEDIA_TYPES[form]:
        findings.insert(0, finding("media-type", f"Content-Type {kind or 'is missing'}"))
    return CheckedFile(name=url, findings=tuple(findings))


def _again(remote: HttpClient, answer: HttpResponse) -> list[Finding]:
    """Return whether the server spares a second reading of the same bytes."""
    tag = answer.headers.get("etag")
    if tag is None:
        return [finding("not-modified", "no ETag")]
    second = remote.get(answer.url, {"Accept-Encoding": "gzip", "If-None-Match": tag})
    if second.status == 304 or second.body != answer.body:
        return []
    return [finding("not-modified", f"{second.status} to If-None-Match: {tag}")]
