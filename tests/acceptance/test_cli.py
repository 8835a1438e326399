"""The command line: output, exit statuses and imports."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import SiteKit
from tests.support.processes import PIPE, Process
from tests.support.processes import run_publish as run

__all__ = ["run"]

AT = "2026-11-23T07:00"


def test_help_explains_the_first_steps() -> None:
    """The help of the program and of each command names the settings file, the commands and the exit statuses."""
    result = run("--help")
    assert result.returncode == 0
    for word in ("init", "now", "status", "publisher.toml", "Exit status", "publish init my-site"):
        assert word in result.stdout
    for command in ("init", "now", "status"):
        assert "Exit status" in run(command, "--help").stdout
    assert "\n    publish init my-site     create a site\n" in result.stdout
    assert run("--version").stdout.startswith("publish, version ")


def test_the_summary_lists_results_and_their_folders(kit: SiteKit) -> None:
    """The summary has the site, the counts of records and files, each issue, and where to look."""
    kit.article(topic="Water")
    result = run("now", "--at", AT, cwd=kit.root)
    assert result.returncode == 0, result.stderr
    for words in (
        "Published The Test Review, 2026-11-23 07:00 (UTC)",
        "1 file read: 1 new, 0 edited",
        "11 files, 11 written",
        "see feeds/index.html",
        "draft of daily No. 1, 1 article: The Daily: One",
        "is sent once you approve it: publish approve daily",
        "see outbox/daily/next/index.html",
        "Nothing was mailed: no mail server is configured",
    ):
        assert words in result.stdout
    for line in result.stdout.splitlines():
        if line.strip().startswith("see "):
            assert (kit.root / line.split()[-1]).is_file()
    again = run("now", "--at", AT, cwd=kit.root)
    assert "Nothing changed." in again.stdout and again.returncode == 0


def test_the_summary_as_json(kit: SiteKit) -> None:
    """``--json`` has the same results, and skipped records with their reasons."""
    kit.article()
    kit.write("bad.txt", "no date")
    result = run("now", "--json", "--at", AT, "--site", str(kit.root))
    assert result.returncode == 1
    summary = json.loads(result.stdout)
    assert summary["records"] == {"files_read": 2, "new": 1, "edited": 0, "drafts": 0, "withdrawn": 0, "old": 0}
    assert summary["refused"][0]["where"] == "bad.txt"
    (draft,) = summary["issue_drafts"]
    assert (draft["path"], draft["articles"], draft["send"]) == ("outbox/daily/next", 1, "review")
    assert draft["due"] == "is sent once you approve it: publish approve daily" and draft["is_changed"]
    assert summary["mailed"] == 0 and summary["changed"] is True


def test_a_dry_run_is_named_in_the_summary(kit: SiteKit) -> None:
    """The summary says that nothing was written, and nothing is."""
    kit.article()
    result = run("now", "--dry-run", "--at", AT, "--site", str(kit.root))
    assert "Would publish" in result.stdout and "Nothing was written" in result.stdout
    assert not (kit.root / "feeds").exists()


def test_feeds_only_makes_no_drafts(kit: SiteKit) -> None:
    """``--feeds-only`` stages feeds; the next full run makes the draft."""
    kit.article()
    result = run("now", "--at", AT, "--feeds-only", cwd=kit.root)
    assert result.returncode == 0, result.stderr
    assert (kit.root / "feeds" / "all.rss").exists()
    assert not (kit.root / "outbox").exists() and "outbox" not in result.stdout
    assert "daily No. 1, 1 article" in run("now", "--at", AT, cwd=kit.root).stdout


def test_a_configured_mail_server_is_not_used_silently(kit: SiteKit) -> None:
    """A draft waits for approval, although a mail server is set."""
    kit.add_settings('\n[smtp]\nhost = "127.0.0.1"\nport = 9\n')
    kit.article()
    shown = run("now", "--site", str(kit.root)).stdout
    assert "is sent once you approve it: publish approve daily" in shown and "mail       " not in shown


def test_skipped_records_are_listed_and_long_lists_are_shortened(kit: SiteKit) -> None:
    """The summary shows the first 20 skipped records with their reasons; ``publish status`` shows all."""
    for number in range(25):
        kit.write(f"bad{number:02}.txt", "")
    kit.write("mended.txt", "T\n\nApril 1, 2022\n\nT\n\nA\x07b.")
    result = run("now", "--site", str(kit.root))
    assert result.returncode == 1
    assert "Skipped (25):\n  bad00.txt: the file is empty" in result.stdout
    assert "… and 5 more" in result.stdout
    assert "Warnings (1):\n  mended.txt: dropped 1 control character" in result.stdout
    assert run("status", "--site", str(kit.root)).stdout.count("the file is empty") == 25


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("now", "--site", "/nowhere/at/all"), "publish init"),
        (("now", "--at", "soon"), "is not a time"),
        (("nwo",), "No such command"),
        (("now", "--frobnicate"), "No such option"),
        (("init", "--url", "nonsense"), "base_url: must be an absolute URL"),
    ],
)
def test_usage_and_settings_errors_exit_with_2(
    kit: SiteKit, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """The error is on standard error without a traceback, and nothing is printed on standard output."""
    where = kit.root if arguments[0] != "init" else tmp_path
    result = run(*arguments, cwd=where)
    assert (result.returncode, result.stdout) == (2, "")
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_failure_exits_with_3(kit: SiteKit) -> None:
    """A folder that cannot be staged ends the run with one message."""
    kit.article()
    (kit.root / "feeds").write_text("in the way")
    result = run("now", "--site", str(kit.root))
    assert result.returncode == 3
    assert result.stderr.startswith("publish: cannot stage ")
    assert "Traceback" not in result.stderr


def test_init_creates_a_site_that_can_be_published(tmp_path: Path) -> None:
    """A title with quotes is escaped, and a second ``init`` in the same folder changes nothing."""
    result = run("init", "my site", "--title", 'The "Quoted" Review', "--url", "https://q.example", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "Now run: publish now --site 'my site'" in result.stdout
    published = run("now", "--site", "my site", cwd=tmp_path)
    assert published.returncode == 0, published.stderr
    assert 'Published The "Quoted" Review' in published.stdout
    assert (tmp_path / "my site" / "feeds" / "all.rss").is_file()
    assert "on the web, without mail" in published.stdout and "Nothing was mailed" not in published.stdout
    assert (tmp_path / "my site" / "outbox" / "weekly" / "next" / "index.html").is_file()
    again = run("init", "my site", cwd=tmp_path)
    assert again.returncode == 2 and "exists already" in again.stderr
    blocked = run("init", "my site/publisher.toml/x", cwd=tmp_path)
    assert blocked.returncode in (2, 3) and "Traceback" not in blocked.stderr


def test_init_writes_every_setting(tmp_path: Path) -> None:
    """The settings file of a new site names every key of every table."""
    from pydantic import BaseModel

    from publisher.settings import Site

    run("init", str(tmp_path))
    text = (tmp_path / "publisher.toml").read_text()

    def keys(model: type[BaseModel]) -> set[str]:
        found = set()
        for name, info in model.model_fields.items():
            found.add(name)
            stack = [info.annotation]
            while stack:
                kind = stack.pop()
                stack.extend(getattr(kind, "__args__", ()))
                if isinstance(kind, type) and issubclass(kind, BaseModel):
                    found |= keys(kind)
        return found

    missing = {key for key in keys(Site) if key not in text}
    assert missing == set()


def test_ids_of_two_new_sites_differ(tmp_path: Path) -> None:
    """Each new site has a random seed of its article IDs."""
    run("init", str(tmp_path / "a"))
    run("init", str(tmp_path / "b"))
    assert (tmp_path / "a/publisher.toml").read_text() != (tmp_path / "b/publisher.toml").read_text()


def test_status_shows_articles_feeds_and_issues(kit: SiteKit) -> None:
    """The status has counts of articles and feeds, the next slot, and the newest issues."""
    kit.add_settings('cadence = "0 7 * * *"\n')
    assert "run publish now" not in run("status", "--site", str(kit.root)).stderr
    kit.article()
    target = kit.open_issue()
    result = run("status", "--site", str(kit.root))
    assert result.returncode == 0
    for words in (
        "1 article from 1 file",
        "1 feed in 8 files",
        "daily: 1 issue, next slot",
        f"outbox/{target}  No. 1",
    ):
        assert words in result.stdout
    assert json.loads(run("status", "--json", "--site", str(kit.root)).stdout)["articles"] == 1


@pytest.mark.postgresql
def test_two_runs_at_the_same_moment_wait_for_each_other(any_kit: SiteKit) -> None:
    """Of three concurrent runs one stages the feeds, and one, perhaps another, renders the draft."""
    kit = any_kit
    for number in range(300):
        kit.article(f"{number}.md", title=str(number), tags=f"[t{number % 9}]")
    command = ("publisher", "now", "--at", AT, "--site", str(kit.root))
    runs = [Process(*command, stdout=PIPE, stderr=PIPE) for _ in range(3)]
    results = [one.communicate(timeout=120) for one in runs]
    assert [one.returncode for one in runs] == [0, 0, 0], results
    assert sum(b"300 new" in out for out, _ in results) == 1
    assert sum(b"10 articles, unchanged" in out for out, _ in results) == 2
    assert sum(b"Nothing changed" in out for out, _ in results) >= 1
    assert len(list((kit.root / "outbox/daily").iterdir())) == 1


def test_help_imports_no_heavy_modules() -> None:
    """The help does not load the database, the settings or the renderers."""
    code = "import sys; from publisher.cli import publish; publish.main(['--help'], standalone_mode=False); print(sorted(sys.modules), file=sys.stderr)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = result.stderr
    for module in (
        "sqlalchemy",
        "pydantic",
        "premailer",
        "feedgen",
        "lxml",
        "jinja2",
        "alembic",
        "apscheduler",
        "nh3",
    ):
        assert f"'{module}'" not in loaded, module


def test_a_run_without_changes_imports_no_heavy_modules(kit: SiteKit) -> None:
    """A run with nothing to do does not load parsers or renderers."""
    kit.article()
    run("now", "--site", str(kit.root))
    # The second run is past the tick within which a file may change unseen; the third reads nothing.
    run("now", "--site", str(kit.root))
    code = (
        "import sys; from publisher.cli import publish\n"
        f"try: publish.main(['now', '--site', {str(kit.root)!r}], standalone_mode=False)\n"
        "except BaseException: pass\n"
        "print(sorted(sys.modules), file=sys.stderr)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Nothing changed" in result.stdout
    for module in ("premailer", "feedgen", "lxml", "jinja2", "alembic", "nh3", "frontmatter", "markdown_it"):
        assert f"'{module}'" not in result.stderr, module


def test_long_work_shows_a_progress_bar_on_a_terminal(kit: SiteKit) -> None:
    """Work that takes longer than two seconds draws a bar on standard error."""
    for number in range(60):
        kit.article(f"{number}.md", title=str(number), tags=f"[t{number}]")
    parent, child = pty.openpty()
    # The bar is drawn at once instead of after two seconds.
    code = (
        "import publisher.cli.progress as progress; progress._QUIET_SECONDS = 0; from publisher.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "now", "--site", str(kit.root)]
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=child, env={**os.environ, "TERM": "xterm"}
    ) as process:
        os.close(child)
        shown = b""
        while True:
            try:
                part = os.read(parent, 65536)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(parent)
    assert process.returncode == 0
    assert b"staging feeds" in shown and b"%" in shown


def test_ctrl_c_explains_how_to_continue(
    kit: SiteKit, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C ends with exit status 130 and says that another run continues the work."""
    from publisher.cli import main

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("publisher.cli.publish.main", stop)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130
    assert "run the command again to continue" in capsys.readouterr().err
