"""The package tree: names, sizes and docstrings, and the table of packages in ARCHITECTURE.md."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "publisher"

MAX_MODULES = 25
MAX_MODULE_LINES = 400
MAX_FUNCTION_LINES = 50

#: The first level of the package is the table of contents of the product. A new name needs a row in ARCHITECTURE.md.
TOP_LEVEL = frozenset(
    [
        "__init__.py",
        "__main__.py",
        "py.typed",
        "api",
        "articles",
        "cadence",
        "cli",
        "delivery",
        "digests",
        "feeds",
        "findings",
        "html",
        "mail",
        "model",
        "pipeline",
        "reports",
        "runner",
        "schedule",
        "settings",
        "signing",
        "staging",
        "storage",
        "subscribers",
        "subscriptions",
        "templating",
        "web",
        "websub",
        "workers",
        "backoff.py",
        "chromium.py",
        "clock.py",
        "context.py",
        "errors.py",
        "failures.py",
        "http_client.py",
        "private_files.py",
        "testing.py",
        "version.py",
    ]
)


def modules() -> list[Path]:
    """Return every module of the package."""
    return sorted(path for path in PACKAGE.rglob("*.py") if "_templates" not in path.parts)


def packages() -> list[Path]:
    """Return every package; migrations are scripts that Alembic loads by path."""
    return sorted({path.parent for path in modules() if "migrations" not in path.parts})


def long_functions(source: str, limit: int) -> Iterator[str]:
    """Yield the names of functions with more lines than a limit."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            if node.end_lineno - node.lineno + 1 > limit:
                yield node.name


def test_the_first_level_of_the_package_holds_the_subjects_and_nothing_else() -> None:
    """A layer such as ``actions``, or a loose module, needs a decision and a row in ARCHITECTURE.md."""
    names = {path.name for path in PACKAGE.iterdir()} - {"__pycache__", "_templates"}
    assert names - TOP_LEVEL == set()
    assert TOP_LEVEL - names <= {"py.typed"}


@pytest.mark.parametrize("package", packages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_package_has_too_many_modules(package: Path) -> None:
    """A package has at most 25 modules; ``cli`` has one for each command."""
    count = sum(1 for path in package.glob("*.py") if path.name != "__init__.py")
    assert count <= MAX_MODULES or package.name == "cli", f"{package.relative_to(ROOT)} has {count} modules"


@pytest.mark.parametrize("package", packages(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_package_says_what_it_is_responsible_for(package: Path) -> None:
    """The docstring of a package says what it does and what it never does, in two sentences or more."""
    docstring = ast.get_docstring(ast.parse((package / "__init__.py").read_text("utf-8"))) or ""
    sentences = re.findall(r"[^.]+\.(?=\s|$)", docstring)
    assert len(sentences) >= 2, f"{package.relative_to(ROOT)}/__init__.py: {docstring!r}"


def test_no_module_is_longer_than_400_lines() -> None:
    """Split a longer module by its responsibilities."""
    lines = {path.relative_to(ROOT).as_posix(): path.read_text("utf-8").count("\n") for path in modules()}
    assert {name: count for name, count in lines.items() if count > MAX_MODULE_LINES} == {}


def test_no_function_is_longer_than_50_lines() -> None:
    """Migrations are exempt: a step creates all tables of a release."""
    found = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in modules()
        if "migrations" not in path.parts
        for name in long_functions(path.read_text("utf-8"), MAX_FUNCTION_LINES)
    }
    assert found == set()


def test_a_long_function_is_found_by_its_name() -> None:
    """The check of functions is able to fail."""
    source = "def short():\n    pass\n\n\nasync def long():\n" + "    pass\n" * 50
    assert list(long_functions(source, MAX_FUNCTION_LINES)) == ["long"]


def test_every_package_has_a_row_in_the_architecture() -> None:
    """The table of packages in ARCHITECTURE.md names everything on the first level."""
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8").split("## How an article flows")[0]
    rows = set(re.findall(r"`([\w.]+)/?`", "\n".join(re.findall(r"^\| (`.*?) \|", table, flags=re.MULTILINE))))
    assert rows == TOP_LEVEL - {"__init__.py", "__main__.py", "py.typed"}


def test_every_module_that_the_architecture_names_exists() -> None:
    """``package/module.py`` and ``package.module`` in ARCHITECTURE.md lead to a file, a package or a definition."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for name in re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text):
        assert (PACKAGE / name).exists() or (ROOT / name).exists(), name
    for name in re.findall(r"`((?:[a-z_]+\.)+[a-z_]+)`", text):
        first, *rest = name.split(".")
        if first not in TOP_LEVEL:
            continue
        *parents, last = [first, *rest]
        folder = PACKAGE.joinpath(*parents)
        module = folder.with_suffix(".py")
        is_defined = module.exists() and re.search(rf"^(?:def|class) {last}\b", module.read_text("utf-8"), re.MULTILINE)
        assert (folder / last).is_dir() or (folder / f"{last}.py").exists() or is_defined, name
