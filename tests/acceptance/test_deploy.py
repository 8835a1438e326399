"""The files of docs/deploy are accepted by their programs, if these are installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from publisher.cli import COMMANDS

DEPLOY = Path(__file__).parent.parent.parent / "docs" / "deploy"


def run(*command: str) -> str:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_caddy_accepts_the_caddyfile() -> None:
    """``caddy validate`` accepts the file."""
    run("caddy", "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "Caddyfile"))
    run("caddy", "fmt", "--diff", str(DEPLOY / "Caddyfile"))


def test_nginx_accepts_its_configuration(tmp_path: Path, certificate: Path) -> None:
    """``nginx -t`` accepts the file."""
    text = (DEPLOY / "nginx.conf").read_text()
    text = (
        re.sub(r"/etc/letsencrypt/\S+\.pem", str(certificate), text)
        .replace(":443", ":44300")
        .replace("listen 443", "listen 44300")
    )
    text = text.replace("listen 80;", "listen 8099;").replace("[::]:80;", "[::]:8099;")
    (tmp_path / "site.conf").write_text(text)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; error_log {tmp_path}/log; events {{}} http {{ access_log off; include {tmp_path}/site.conf; }}"
    )
    run("nginx", "-t", "-c", str(tmp_path / "nginx.conf"))


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    """``systemd-analyze verify`` accepts the unit."""
    # What it starts is not installed here.
    unit = tmp_path / "publisher.service"
    unit.write_text((DEPLOY / "publisher.service").read_text().replace("/opt/publisher/bin/publish", "/bin/true"))
    output = run("systemd-analyze", "verify", "--man=no", str(unit))
    assert "Unknown" not in output and "ignoring" not in output, output


def test_the_dockerfile_copies_files_that_exist() -> None:
    """The container runs as an unprivileged user and holds nothing but the files of the package."""
    lines = [line for line in (DEPLOY / "Dockerfile").read_text().splitlines() if line and not line.startswith("#")]
    known = {"FROM", "RUN", "WORKDIR", "COPY", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK", "CMD"}
    assert {line.split()[0] for line in lines} <= known and lines[0].startswith("FROM ") and ":latest" not in lines[0]
    # Nobody is root when it runs.
    assert [line for line in lines if line.startswith("USER")] == ["USER publisher"]
    assert '"publish", "serve"' in lines[-1] and "serve" in COMMANDS
    # Nothing of a site gets into it, and everything that the package is made of does.
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    allowed = {line[1:] for line in ignored if line.startswith("!")}
    assert "*" in ignored and allowed == {
        "publisher",
        "templates",
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "LICENSE",
    }
    assert all((DEPLOY.parent.parent / name).exists() for name in allowed)
    made = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    assert set(made) == {"services", "volumes"} and set(made["services"]) == {"publisher", "caddy"}
    build = made["services"]["publisher"]["build"]
    assert (DEPLOY / build["context"] / build["dockerfile"]).samefile(DEPLOY / "Dockerfile")
    assert (DEPLOY / "Caddyfile").exists()
