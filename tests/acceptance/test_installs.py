"""Install the package as a wheel, as a wheel built from an sdist, and editable: each has its templates."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def call(*command: str | Path, cwd: Path) -> str:
    result = subprocess.run(list(map(str, command)), cwd=cwd, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as it is checked out."""
    folder = tmp_path_factory.mktemp("source") / "publisher"
    shutil.copytree(
        ROOT,
        folder,
        ignore=shutil.ignore_patterns(
            ".git", ".venv", "*.db*", "__pycache__", ".*_cache", ".hypothesis", ".coverage*", "build", "node_modules"
        ),
    )
    return folder


def build_wheel(kind: str, source: Path, folder: Path) -> Path:
    """Build a wheel from the source ("wheel"), or from an sdist of it ("sdist")."""
    build = [sys.executable, "-m", "build", "--no-isolation"]
    if kind == "sdist":
        call(*build, "--sdist", "--outdir", folder, cwd=source)
        (sdist,) = folder.glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(folder / "unpacked", filter="data")
        (source,) = (folder / "unpacked").iterdir()
    call(*build, "--wheel", "--outdir", folder / "built", cwd=source)
    return next((folder / "built").glob("*.whl"))


@pytest.mark.slow(reason="builds the package and installs it in a new environment")
@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable"])
def test_a_new_environment_renders_feeds_and_issues(kind: str, source: Path, tmp_path: Path) -> None:
    """An environment without this checkout on its path renders the shipped templates."""
    environment = tmp_path / "env"
    call(sys.executable, "-m", "venv", "--without-pip", environment, cwd=tmp_path)
    python = environment / "bin" / "python"
    # The dependencies that this environment has, without its own editable install.
    packages = Path(call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=tmp_path).strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-index", "--no-deps"]
    pip += ["--disable-pip-version-check"]
    if kind == "editable":
        call(*pip, "--no-build-isolation", "--editable", source, cwd=tmp_path)
    else:
        call(*pip, build_wheel(kind, source, tmp_path), cwd=tmp_path)
    where = call(python, "-c", "import publisher; print(publisher.__file__)", cwd=tmp_path).strip()
    assert where.startswith(str(source if kind == "editable" else environment)), where
    publish = environment / "bin" / "publish"
    call(publish, "init", "site", cwd=tmp_path)
    call(publish, "now", "--site", "site", cwd=tmp_path)
    assert (tmp_path / "site/feeds/index.html").stat().st_size > 1000
    assert next((tmp_path / "site/outbox/weekly").glob("*/index.html")).stat().st_size > 1000
