"""Every command, setting, field and template name is documented, and links are valid."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from pydantic import BaseModel

import publisher
from publisher.articles.parsers import PARSERS
from publisher.articles.parsers.fields import _NAMES
from publisher.cli import COMMANDS
from publisher.cli import publish as group
from publisher.settings import Secret, Site
from tests.conftest import MailKit, SiteKit
from tests.support.processes import run_publish

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_has_a_page_with_every_option(name: str) -> None:
    """docs/publish-COMMAND.md has the standard headings and names each option."""
    page = (DOCS / f"publish-{name}.md").read_text("utf-8")
    command = group.get_command(click.Context(group), name)
    assert command is not None
    for heading in ("Synopsis", "Description", "Exit status", "See also"):
        assert f"## {heading}" in page
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            for option in parameter.opts:
                assert f"`{option}" in page, option
    assert command.help is not None and "Exit status" in command.help


@pytest.mark.parametrize(("name", "summary"), COMMANDS.items())
def test_the_page_of_a_command_begins_with_the_summary_of_the_help(name: str, summary: str) -> None:
    """A reader who comes from ``publish --help`` sees that it is the right page."""
    page = (DOCS / f"publish-{name}.md").read_text("utf-8")
    assert page.split("\n\n")[1].replace("`", "") == summary


#: Keys of a command's JSON whose values are counts by a name, not records.
COUNTS = frozenset(["unnamed", "deliveries", "subscribers", "programs", "by_day"])


def keys_of(value: object) -> Iterator[str]:
    """Yield the keys of all records in a JSON value."""
    for element in value if isinstance(value, list) else [value]:
        if isinstance(element, dict):
            for key, content in element.items():
                yield key
                if key not in COUNTS:
                    yield from keys_of(content)


@pytest.mark.parametrize(
    "command",
    [["now"], ["status"], ["check"], ["preview", "daily"], ["announce"], ["next"], ["note", "daily"]],
    ids=" ".join,
)
def test_every_key_of_the_json_output_is_documented(command: list[str], kit: SiteKit) -> None:
    """The page of a command names each key that ``--json`` prints."""
    kit.add_settings('cadence = "0 7 * * *"\n')
    kit.article()
    kit.write("empty.txt", "")
    if command[0] not in ("now", "preview"):
        kit.open_issue()
    page = (DOCS / f"publish-{command[0]}.md").read_text("utf-8")
    result = run_publish(*command, "--json", cwd=kit.root, CHROMIUM="/nowhere/chromium")
    assert [key for key in keys_of(json.loads(result.stdout)) if f"`{key}`" not in page] == []


@pytest.mark.parametrize(
    "command",
    [
        ["stats"],
        ["trace", "daily", "reader0@mail.example.org"],
        ["trace", "daily", "nobody@mail.example.org"],
        ["send", "daily"],
        ["bounces", "-"],
        ["subscribers", "import", "list.csv"],
        ["subscribers", "list"],
        ["subscribers", "review"],
        ["correct", "article.md", "--note", "x"],
        ["retract", "article.md", "--reason", "x"],
    ],
    ids=" ".join,
)
def test_every_key_of_the_json_output_about_subscribers_is_documented(command: list[str], mail_kit: MailKit) -> None:
    """These commands need an issue with deliveries."""
    mail_kit.add_subscribers(1)
    mail_kit.issue("article")
    mail_kit.add_settings('\n[delivery]\ntransport = "maildir"\n')
    (mail_kit.root / "list.csv").write_text("email,status\nann@mail.example.org,gold\nx,y\n")
    arguments = [*command, "--json", "--site", str(mail_kit.root)]
    arguments = [str(mail_kit.root / "list.csv") if part == "list.csv" else part for part in arguments]
    result = CliRunner().invoke(group, arguments, input="Subject: x\n\nx\n")
    pages = (DOCS / f"publish-{command[0]}.md").read_text("utf-8")
    if command[0] in ("correct", "retract"):
        pages += (DOCS / "publish-now.md").read_text("utf-8")
    assert result.stdout.startswith("{"), result.output
    assert [key for key in keys_of(json.loads(result.stdout)) if f"`{key}`" not in pages] == []


def tables(model: type[BaseModel], path: str = "") -> list[tuple[str, str]]:
    """Return (heading, key) of every setting."""
    found = []
    for name, info in model.model_fields.items():
        kinds = [info.annotation, *getattr(info.annotation, "__args__", ())]
        below = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if below and below[0] is not Secret:
            found += tables(below[0], f"{path}{name}.")
        else:
            found.append((path, name))
    return found


def test_every_setting_is_documented() -> None:
    """docs/settings.md names each key under the heading of its table."""
    page = (DOCS / "settings.md").read_text("utf-8")
    sections = re.split(r"^## ", page, flags=re.MULTILINE)
    text = {re.sub(r"[`\[\]]", "", section.split("\n")[0]).split(".")[0]: section for section in sections}
    for path, key in tables(Site):
        heading = path.split(".")[0] if path else "At the top"
        assert f"`{key}`" in text[heading], f"{path}{key}"


def test_every_parser_and_every_field_is_documented() -> None:
    """docs/articles.md names each suffix and each name of a field."""
    page = (DOCS / "articles.md").read_text("utf-8")
    for suffix in PARSERS:
        assert f"`{suffix}`" in page, suffix
    for names in _NAMES.values():
        for name in names:
            assert f"`{name}`" in page or name in ("bio", "blog brand"), name


def test_every_name_that_templates_may_use_is_documented() -> None:
    """docs/templates.md names each variable and each block."""
    from publisher.digests.branding import Branding
    from publisher.digests.story import Story

    page = (DOCS / "templates.md").read_text("utf-8")
    for record in (Branding, Story):
        for name in record.__dataclass_fields__:
            assert f"`{name}`" in page, name
    for template in (ROOT / "templates").rglob("*.j2"):
        for block in re.findall(r"{% block (\w+) %}", template.read_text("utf-8")):
            assert f"`{block}`" in page, block


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page: its headings as GitHub and MkDocs write them, and its own ``id`` attributes."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    slugs = {re.sub(r"[^\w -]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'id="([^"]+)"', text))


def test_the_readme_activates_the_environment_before_it_types_publish() -> None:
    """The first command installs ``publish`` into .venv, where a shell does not look for it."""
    text = (ROOT / "README.md").read_text("utf-8")
    blocks = re.findall(r"^```sh\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    activated = commands.index(". .venv/bin/activate")
    assert any(line.endswith("bin/publish now") for line in commands[:activated])
    assert [line for line in commands[:activated] if line.startswith("publish ")] == []
    assert any(line.startswith("publish ") for line in commands[activated:])
    # In the text, too, the first command without a path comes after it.
    after_install = text.partition("bin/publish now\n```")[2]
    assert "publish now`" not in after_install.partition(". .venv/bin/activate")[0]


def test_links_between_pages_lead_to_a_file_and_a_heading() -> None:
    """Every relative link of the documentation names a file that exists, and a heading of it."""
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *DOCS.rglob("*.md")]:
        for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]+))?\)", page.read_text("utf-8")):
            path = page.parent / target if target else page
            assert path.exists(), f"{page.name}: {target}"
            if anchor and path.suffix == ".md":
                assert anchor in anchors(path), f"{page.name}: {target}#{anchor}"


def test_every_test_that_the_documentation_names_exists() -> None:
    """docs/security.md names a test for each attack."""
    for page in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *DOCS.rglob("*.md")]:
        for name in re.findall(r"`(tests/[\w/]+\.py)`", page.read_text("utf-8")):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_every_name_in_all_exists() -> None:
    """``__all__`` of each module has no duplicates and no missing names."""
    import importlib

    for path in (ROOT / "publisher").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if "migrations" in parts or parts[-1] == "__main__":
            continue
        module = importlib.import_module(".".join(parts).removesuffix(".__init__"))
        names = getattr(module, "__all__", [])
        assert len(names) == len(set(names)), module.__name__
        for name in names:
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_the_package_knows_its_version() -> None:
    """The version has three numbers."""
    assert re.fullmatch(r"\d+\.\d+\.\d+", publisher.__version__)


def test_nothing_of_this_machine_is_in_the_tree() -> None:
    """No file contains the path of this checkout."""
    result = subprocess.run(
        ["git", "grep", "-nI", "-e", str(ROOT), "--", "."], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if result.returncode > 1:
        pytest.skip("not a checkout")
    assert result.stdout == ""
