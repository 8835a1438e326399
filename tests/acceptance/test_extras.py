"""Optional packages: the first commands need none of them, and other commands name the extra that is missing."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from datetime import timedelta
from importlib import import_module
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from publisher.errors import extra_needed
from publisher.mail.dkim import new_key
from tests.conftest import NOW, MailKit, SiteKit
from tests.support.smtp import Server

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = {name: list(map(Requirement, texts)) for name, texts in PROJECT["optional-dependencies"].items()}
#: The extras that a user may install; dev has packages for tests.
OF_USERS = sorted(EXTRAS.keys() - {"all", "dev"})


def needed(name: str, extras: frozenset[str] = frozenset()) -> set[str]:
    """Return the names of a distribution and of everything that it needs with these extras."""
    found, pending = set[str](), [(name, extras)]
    while pending:
        name, extras = pending.pop()
        if name in found:
            continue
        found.add(name)
        for requirement in map(Requirement, requires(name) or ()):
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras or {""}):
                pending.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def optional_modules() -> set[str]:
    """Return the modules that are installed only with an extra."""
    base = {name for text in PROJECT["dependencies"] for name in needed(canonicalize_name(Requirement(text).name))}
    extra = {
        name
        for of_user in OF_USERS
        for requirement in EXTRAS[of_user]
        for name in needed(canonicalize_name(requirement.name), frozenset(requirement.extras))
    }
    return {
        module
        for module, names in packages_distributions().items()
        if {canonicalize_name(name) for name in names} <= extra - base
    }


def publish(site: Path, *arguments: str, without: set[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in an interpreter that cannot import some modules."""
    code = f"import sys\nsys.modules.update(dict.fromkeys({sorted(without)!r}))\nfrom publisher.cli import main\nmain()"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments, "--site", str(site)], capture_output=True, text=True, check=False
    )


@pytest.mark.slow(reason="five new interpreters import the package")
def test_the_first_commands_need_no_extra(kit: SiteKit) -> None:
    """The README's first command installs the package without extras."""
    modules = optional_modules()
    assert {"uvicorn", "starlette", "cryptography", "psycopg", "playwright"} <= modules
    kit.article("one.md", "One")
    for arguments in (("now",), ("check", "feeds"), ("status",), ("tick",)):
        done = publish(kit.root, *arguments, without=modules)
        assert done.returncode == 0, (arguments, done.stdout + done.stderr)
    assert (kit.root / "feeds" / "all.rss").exists()
    # A browser adds screenshots only.
    done = publish(kit.root, "preview", "daily", without=modules)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "module", "extra"),
    [
        ("serve", "uvicorn", "serve"),
        ("serve", "httptools", "serve"),
        ("serve", "prometheus_client", "serve"),
        ("dkim-key", "cryptography", "dkim"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(kit: SiteKit, command: str, module: str, extra: str) -> None:
    """The message names what needs the package, the package and the command to run, without a traceback."""
    arguments = ("--port", "0", "--no-run") if command == "serve" else ("x1",)
    done = publish(kit.root, command, *arguments, without={module})
    assert done.returncode == 2
    assert f"publish {command} needs the package {module}, which is not installed. Run: pip install" in done.stderr
    assert f"pip install 'publisher[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr and not list(kit.root.glob("*.pem"))


def test_nothing_is_sent_without_the_package_that_signs(mail_kit: MailKit) -> None:
    """A subscriber gets each article once, signed, as soon as the extra is installed."""
    with Server() as server:
        mail_kit.mail(server.port)
        (mail_kit.root / "x1.pem").write_text(new_key("ed25519"))
        mail_kit.add_settings('\n[[dkim]]\nselector = "x1"\nkey = { file = "x1.pem" }\n')
        mail_kit.add_subscribers(2)
        mail_kit.article("one.md", "One")
        done = publish(mail_kit.root, "now", "--at", NOW.isoformat(), without={"cryptography"})
        assert done.returncode != 0 and "Traceback" not in done.stderr
        assert "[[dkim]] in publisher.toml needs the package cryptography" in done.stdout + done.stderr
        assert not server.accepted
        done = publish(mail_kit.root, "now", "--at", (NOW + timedelta(hours=1)).isoformat(), without=set())
        assert done.returncode == 0, done.stdout + done.stderr
        assert len(server.accepted) == 2
        assert all(b"DKIM-Signature:" in message.data for message in server.accepted)


def test_an_import_error_of_the_package_itself_is_no_missing_extra() -> None:
    """Installing an extra would not help."""
    with pytest.raises(ModuleNotFoundError), extra_needed("serve", "it"):
        import_module("publisher.no_such_module")


def test_every_extra_is_in_all_and_in_dev() -> None:
    """Tests run with everything that a user may install."""
    (everything,) = EXTRAS["all"]
    assert sorted(everything.extras) == OF_USERS
    assert "all" in {
        extra for requirement in EXTRAS["dev"] if requirement.name == "publisher" for extra in requirement.extras
    }
