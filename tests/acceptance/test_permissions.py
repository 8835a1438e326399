"""Personal data and drafts can be read by their owner only, under any umask."""

from __future__ import annotations

import json
import os
import shlex
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from publisher.private_files import make_private_folder
from publisher.reports.permissions import find_exposed_paths
from publisher.staging.folder import StagedFolder
from tests.acceptance.test_serve import Serving, get
from tests.conftest import MailKit, SiteKit
from tests.support.processes import run_module
from tests.support.waiting import until

ROOT = Path(__file__).parent.parent.parent
PUBLIC = ("articles", "feeds", "templates", "publisher.toml", "subscribers.csv")


def run(kit: SiteKit, umask: str, *command: str, **environment: str) -> str:
    """Run a command of the publisher under a umask."""
    env = {**os.environ, **environment}
    done = run_module("publisher", *command, "--site", str(kit.root), env=env, umask=int(umask, 8))
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.stdout.decode()


def modes(root: Path) -> dict[str, int]:
    """Return path → mode of everything below a folder."""
    found = {str(path.relative_to(root)): stat.S_IMODE(path.lstat().st_mode) for path in root.rglob("*")}
    assert found
    return found


@pytest.fixture
def open_kit() -> Iterator[SiteKit]:
    """A site in a folder that other users may enter; those of pytest's own hide everything."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        kit = SiteKit(Path(folder) / "site")
        kit.root.chmod(0o755)
        yield kit


@pytest.mark.parametrize(
    "umask",
    ["000", *(pytest.param(other, marks=pytest.mark.slow(reason="000 is the most open")) for other in ("022", "077"))],
)
def test_private_files_are_created_private(mail_kit: MailKit, umask: str) -> None:
    """Database, key, locks, drafts, deliveries, exports, previews and rejected rows; feeds follow the umask."""
    kit = mail_kit
    kit.add_settings('\n[delivery]\ntransport = "maildir"\n[web]\njoin = false\n')
    text = (kit.root / "publisher.toml").read_text()
    kit.settings(text.replace('title = "The Daily"', 'title = "The Daily"\nsend = "auto"'))
    kit.article()
    (kit.root / "subscribers.csv").write_text("address,digests\nann@mail.example.org,daily\nnobody,daily\n")
    out = kit.root / "out"
    make_private_folder(out)
    run(kit, umask, "subscribers", "import", str(kit.root / "subscribers.csv"), "--rejected", str(out / "rejected.csv"))
    run(kit, umask, "now")
    run(kit, umask, "tick")
    run(kit, umask, "subscribers", "export", str(out / "all.csv"))
    # A browser takes pictures only under the widest umask: that is most of the time of this test.
    browser = {} if umask == "000" else {"CHROMIUM": "/nowhere/chromium"}
    run(kit, umask, "preview", "daily", "--to", str(out / "preview"), **browser)
    found = modes(kit.root)
    names = {name.partition("/")[0] for name in found}
    assert {"publisher.db", "publisher.key", "outbox", "feeds", "out"} <= names
    assert any(name.startswith("outbox/maildir/new/") for name in found)
    assert {"out/all.csv", "out/rejected.csv"} <= found.keys()
    wide = {name: oct(mode) for name, mode in found.items() if mode & 0o077 and not name.startswith(PUBLIC)}
    assert wide == {}
    assert found["feeds/all.rss"] == 0o666 & ~int(umask, 8)
    assert "can be read by other users" not in run(kit, umask, "status")


def test_the_files_of_an_open_database_are_private(kit: SiteKit) -> None:
    """SQLite gives -wal and -shm the mode of the database."""
    code = """
import json, os, pathlib, sys
from publisher.schedule.processes import RunnerFile
from publisher.storage.engine import Database
os.umask(0)
root = pathlib.Path(sys.argv[1])
with Database.open(f"sqlite:///{root}/publisher.db") as db, db.write() as connection, RunnerFile(root) as file:
    connection.exec_driver_sql("CREATE TABLE x (y)")
    file.write({"runner": "me"})
    print(json.dumps({str(path.relative_to(root)): path.stat().st_mode & 0o777 for path in root.rglob("*")}))
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(kit.root)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    found: dict[str, int] = json.loads(done.stdout)
    names = [name for name in found if name.startswith(("publisher.db", ".publish"))]
    assert {"publisher.db", "publisher.db-wal", "publisher.db-shm", ".publish.runners"} <= set(names)
    assert {name: oct(found[name]) for name in names if found[name] & 0o077} == {}


def test_an_old_readable_file_is_reported_with_the_command_to_run(open_kit: SiteKit) -> None:
    """Files of an older version keep their mode until a person changes it; the command that is shown does."""
    kit = open_kit
    kit.article()
    kit.publish()
    database = kit.root / "publisher.db"
    database.chmod(0o644)
    (kit.root / "outbox").chmod(0o755)
    shown = run(kit, "022", "status")
    assert f"{database} (mode 0644): chmod o-rwx {database}" in shown
    reported = json.loads(run(kit, "022", "status", "--json"))["permissions"]
    assert {one["path"] for one in reported} >= {str(database), str(kit.root / "outbox")}
    for one in reported:
        subprocess.run(shlex.split(one["fix"]), check=True)
    assert json.loads(run(kit, "022", "status", "--json"))["permissions"] == []


@pytest.mark.parametrize("option", ["", "--no-run"])
def test_a_readable_file_is_logged_when_the_server_starts(open_kit: SiteKit, option: str) -> None:
    """The log names the file and the command."""
    kit = open_kit
    kit.open().close()
    database = kit.root / "publisher.db"
    database.chmod(0o644)
    serving = Serving(kit, *([option] if option else []))
    try:
        until(lambda: get(f"{serving.url}/healthz")[0] == 200)
        until(lambda: "private file is readable" in serving.log.read_text())
        assert f'fix="chmod o-rwx {database}"' in serving.log.read_text()
    finally:
        serving.end()


def test_files_below_a_private_folder_are_not_reported(open_kit: SiteKit) -> None:
    """A file that other users cannot reach is private, whatever its own mode."""
    kit = open_kit
    kit.open().close()
    (kit.root / "publisher.db").chmod(0o644)
    assert find_exposed_paths(kit.site)
    kit.root.chmod(0o700)
    assert find_exposed_paths(kit.site) == []


def test_an_outbox_that_was_opened_to_others_stays_readable(tmp_path: Path) -> None:
    """A web server may be meant to read it: what is staged there follows the folder."""
    before = os.umask(0o022)
    try:
        (tmp_path / "open").mkdir()
        for name in ("open", "private"):
            with StagedFolder(tmp_path / name, is_private=True) as stage:
                stage.put("daily/x/index.html", [b"x"])
    finally:
        os.umask(before)
    found = modes(tmp_path)
    assert (found["open/daily/x/index.html"], found["private/daily/x/index.html"]) == (0o644, 0o600)
    assert (found["open"], found["private"]) == (0o755, 0o700)
