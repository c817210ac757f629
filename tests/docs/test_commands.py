"""What the pages tell people to type can be typed: commands, options, targets, files, pages."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
import typer.main

from headwater.cli import app as researcher
from headwater.recipe.settings import RecipeSettings
from headwater_client.cli import app as organisation
from headwater_server.cli import app as operator
from headwater_server.simulation import overrides
from headwater_server.simulation.overrides import override
from support.recipes import small_plan
from support.specification import ROOT

PROGRAMS = {
    "headwater": typer.main.get_command(researcher),
    "headwater-org": typer.main.get_command(organisation),
    "headwater-coordinator": typer.main.get_command(operator),
}
FRONT = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
DOCS = sorted((ROOT / "docs").rglob("*.md"))
PAGES = [*FRONT, *DOCS, ROOT / "examples" / "attacks" / "README.md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))


def words(line: str) -> list[str]:
    """A line of a console as the shell gives it to the program: no comment, no redirection."""
    return shlex.split(line.split(" > ")[0], comments=True)


def walked(given: list[str]) -> tuple[click.Command, list[str], list[str]]:
    """The innermost command that a line names, what follows its name, and the names on the way to it."""
    command: click.Command = PROGRAMS[given[0]]
    path, rest = list[str](), given[1:]
    while isinstance(command, click.Group) and rest and rest[0] in command.commands:
        command = command.commands[rest[0]]
        path, rest = [*path, rest[0]], rest[1:]
    return command, rest, path


def typed(text: str) -> Iterator[list[str]]:
    """Lines of code blocks that begin with one of our programs."""
    for block in re.findall(r"```(?:console|sh)\n(.*?)```", text, flags=re.DOTALL):
        for line in block.splitlines():
            given = words(line.strip().removeprefix(".venv/bin/"))
            if given and given[0] in PROGRAMS:
                yield given


def mentioned(text: str) -> Iterator[list[str]]:
    """Code within sentences that begins with one of our programs, or with the one program's command that takes it."""
    for code in re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL)):
        first = code.split()[0]
        if first in PROGRAMS and "|" not in code:
            yield words(code)
        elif " --" in code:
            for name in PROGRAMS:
                command, _, path = walked([name, *words(code)])
                if path and not isinstance(command, click.Group):
                    yield [name, *words(code)]


def parsed(given: list[str], *, whole: bool) -> None:
    """Walk to the command and let it read its options, as the program would; nothing is run.

    Raises:
        click.UsageError: there is no such command or option, or, of a whole line, something is missing or no value.
    """
    command, rest, _ = walked(given)
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        raise click.UsageError(f"{' '.join(given)}: there is no command {rest[0]!r}")
    command.make_context(given[0], rest, resilient_parsing=not whole)


def leaves(command: click.Command) -> Iterator[click.Command]:
    if isinstance(command, click.Group):
        yield command
        for each in command.commands.values():
            yield from leaves(each)
    else:
        yield command


LINES = sorted({tuple(given) for page in PAGES for given in typed(page.read_text(encoding="utf-8"))})
MENTIONED = sorted({tuple(given) for page in PAGES for given in mentioned(page.read_text(encoding="utf-8"))})
EXAMPLES = sorted(
    command.epilog.removeprefix("Example:  ")
    for program in PROGRAMS.values()
    for command in leaves(program)
    if command.epilog
)


def test_the_pages_have_commands_of_every_program() -> None:
    assert {given[0] for given in LINES} == set(PROGRAMS)
    assert len(LINES) > 50


@pytest.mark.parametrize("given", LINES, ids=" ".join)
def test_a_command_of_a_page_can_be_typed(given: tuple[str, ...]) -> None:
    parsed(list(given), whole=True)


@pytest.mark.parametrize("given", MENTIONED, ids=" ".join)
def test_a_command_within_a_sentence_has_these_options(given: tuple[str, ...]) -> None:
    parsed(list(given), whole=False)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_example_of_a_manual_can_be_typed(example: str) -> None:
    parsed(words(example), whole=True)


def test_every_command_has_an_example() -> None:
    without = [str(each.name) for program in PROGRAMS.values() for each in leaves(program) if not each.epilog]
    assert without == []


def test_a_command_that_is_none_would_be_noticed() -> None:
    for given in ("headwater-coordinator runs", "headwater-coordinator plan check", "headwater list --all"):
        with pytest.raises(click.UsageError):
            parsed(given.split(), whole=True)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_targets_and_programs_that_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    code = [
        *re.findall(r"`([^`\n]+)`", text),
        *"\n".join(re.findall(r"```(?:console|sh)\n(.*?)```", text, re.DOTALL)).split("\n"),
    ]
    made = {target for part in code for target in re.findall(r"(?:^|; |&& )make ([a-z-]+)", part.strip())}
    assert made <= TARGETS
    for part in code:
        for name in re.findall(r"(?:^|[ /])python (\S+\.py)", part):
            script = ROOT / name
            assert script.is_file(), name
            options = set(re.findall(r"(?<= )--[a-z-]+", part.split("#")[0]))
            assert all(f'"{option}"' in script.read_text(encoding="utf-8") for option in options), part


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_settings_that_a_plan_has(page: Path) -> None:
    for name in set(re.findall(r"(?<![\w./])recipe(?:\.[a-z_0-9]+)+(?![\w/])", page.read_text(encoding="utf-8"))):
        place: object = {"recipe": RecipeSettings().model_dump()}
        for part in name.split("."):
            assert isinstance(place, dict), name
            assert part in place, name
            place = place[part]


def settings_with_values() -> list[str]:
    """Each `recipe.x=value` that a page, a manual or a docstring of `--set` gives as an example."""
    manuals = [
        parameter.help or ""
        for command in leaves(PROGRAMS["headwater-coordinator"])
        for parameter in command.params
        if isinstance(parameter, click.Option)
    ]
    texts = [*(page.read_text(encoding="utf-8") for page in PAGES), *manuals, overrides.__doc__, override.__doc__]
    return sorted({found for text in texts for found in re.findall(r"recipe(?:\.[a-z_0-9]+)+=[\w.]*\w", text or "")})


@pytest.mark.parametrize("change", settings_with_values())
def test_a_setting_given_as_an_example_is_taken(change: str) -> None:
    name, value = change.split("=")
    place: object = override(small_plan(base="mixture"), [change]).model_dump(mode="json")
    for part in name.split("."):
        assert isinstance(place, dict)
        place = place[part]
    assert place == (value if isinstance(place, str) else tomllib.loads(f"value = {value}")["value"])


def test_examples_of_settings_are_found() -> None:
    assert "recipe.rounds=8" in settings_with_values()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_links_to_files_that_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_page_is_in_the_navigation_and_every_decision_in_its_list() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    named = re.findall(r"[\w/-]+\.md", navigation)
    assert sorted(named) == [str(page.relative_to(ROOT / "docs")) for page in DOCS]
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (ROOT / "docs/decisions/index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(page.name for page in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
