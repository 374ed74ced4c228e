"""What the documents say is so."""

import json
import re
import subprocess
import sys
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from darkroom.__main__ import COMMANDS, main
from darkroom.options import api_key_option, url_option
from jobs.settings import (
    DatabaseSettings,
    DispatcherSettings,
    Settings,
    WebSettings,
    WorkerSettings,
)

ROOT = Path(__file__).parent.parent
SETTINGS = (Settings, DatabaseSettings, WebSettings, DispatcherSettings, WorkerSettings)
TARGETS = {
    *("help", "setup", "demo", "run", "test", "lint", "type", "check", "bench"),
    *("chaos", "bench-scale"),
    *("migrate", "revision", "format"),
}


def read(name: str) -> str:
    return (ROOT / name).read_text()


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def client_variables() -> dict[str, str]:
    @url_option
    @api_key_option
    def command() -> None: ...

    parameters: list[click.Option] = command.__click_params__  # type: ignore[attr-defined]
    return {
        str(option.envvar): option.default if isinstance(option.default, str) else ""
        for option in parameters
    }


def test_env_example_lists_every_setting_with_its_description_and_default() -> None:
    lines = read(".env.example").splitlines()
    listed = {
        line.removeprefix("#").partition("=")[0]: (line.partition("=")[2], above)
        for above, line in pairwise(lines)
        if line.startswith("#DARKROOM_")
    }

    expected = {
        f"DARKROOM_{name.upper()}": (
            as_text(field.get_default(call_default_factory=True)),
            f"# {field.description}",
        )
        for kind in SETTINGS
        for name, field in kind.model_fields.items()
    }

    of_clients = {name: listed.pop(name)[0] for name in client_variables()}
    assert listed == expected
    assert of_clients == client_variables()


def test_make_alone_lists_the_targets() -> None:
    listing = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout

    assert {line.split()[1] for line in listing.splitlines()} == TARGETS
    assert all(len(line.split()) > 2 for line in listing.splitlines())


@pytest.mark.parametrize(
    "document",
    ["README.md", "CONTRIBUTING.md", *(f"docs/{p.name}" for p in ROOT.glob("docs/*.md"))],
)
def test_commands_targets_and_links_of_a_document_exist(document: str) -> None:
    text = read(document)
    shown = "\n".join(
        [*re.findall(r"^    (.+)$", text, re.MULTILINE), *re.findall(r"`([^`\n]+)`", text)]
    )

    for command in re.findall(r"\bdarkroom ([a-z]+)\b(?!/)", shown):
        assert command in COMMANDS, command
    for target in re.findall(r"\bmake ([a-z]+(?:-[a-z]+)?)\b", shown):
        assert target in TARGETS, target
    for name in re.findall(r"\bDARKROOM_[A-Z_]+\b", text):
        assert name in read(".env.example") or name.startswith("DARKROOM_TEST_"), name
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / document).parent.joinpath(link).exists(), link


def test_the_readme_shows_every_command_that_people_use() -> None:
    shown = set(re.findall(r"\bdarkroom ([a-z]+)", read("README.md")))

    assert {"up", "submit", "watch", "jobs", "cancel", "download", "import", "worker"} <= shown


def test_every_command_explains_itself() -> None:
    context = click.Context(main)

    for name in COMMANDS:
        command = main.get_command(context, name)
        assert command is not None
        assert command.get_short_help_str(), name


def test_the_help_lists_every_command_on_a_line_of_its_own() -> None:
    answer = CliRunner().invoke(main, ["--help"])

    ask = "import sys, darkroom.__main__ as m; m.main(['--help'], standalone_mode=False); "
    ask += "print([name for name in sys.modules if name.startswith('darkroom.commands')])"
    alone = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True)
    assert alone.stdout.endswith("[]\n"), "it takes seconds to import them all"
    listed = re.findall(r"^  ([a-z]+)  +\S.{8,}$", answer.output, re.MULTILINE)
    assert listed == list(COMMANDS)
    assert all(len(line) <= 80 for line in answer.output.splitlines())


def test_everything_that_is_asked_for_is_pinned() -> None:
    project = tomllib.loads(read("pyproject.toml"))
    asked = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *project["dependency-groups"]["dev"],
        *project["build-system"]["requires"],
    ]
    pinned = {normal(line.partition("==")[0]) for line in read("constraints.txt").split()}

    missing = {normal(re.split(r"[\[<>=;~! ]", each)[0]) for each in asked} - pinned

    assert missing == set()
    assert all("==" in line for line in read("constraints.txt").split())


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_contributing_is_short() -> None:
    assert len(read("CONTRIBUTING.md").splitlines()) <= 60
