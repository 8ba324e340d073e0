"""The documents say what the code does: verbs, commands, exit codes, settings, packages, messages, links."""

from __future__ import annotations

import argparse
import ast
import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from textual.binding import Binding
from textual.keys import key_to_character

from pilot import app_config, cli, going, keymap
from pilot.agent import settings
from pilot.agent.admin.parser import build
from pilot.backends.condor.settings import PoolSettings
from pilot.backends.ec2.settings import Ec2Settings
from pilot.errors import Exit
from pilot.records import Node
from pilot.render.journal_search import JOURNAL_FIELDS
from pilot.render.node_search import NODE_FIELDS
from pilot.verbs import verb_table
from pilot.wire import Outcome

ROOT = Path(__file__).parents[1]
USER, OPERATOR = ROOT / "docs/user-guide.md", ROOT / "docs/operator-guide.md"
GUIDES = (ROOT / "README.md", ROOT / "CHANGELOG.md", USER, OPERATOR)
PAGES = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md")))

_NAME = {path: str(path.relative_to(ROOT)) for path in (*GUIDES, *PAGES)}
_FENCE = re.compile(r"^```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_COMMAND = re.compile(r"(?:^|[\s/(`])(pilot(?:-agent)?) +([^\n`]+)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _code(text: str) -> Iterator[str]:
    """Blocks and spans of code."""
    yield from _FENCE.findall(text)
    text = _FENCE.sub("", text)
    yield from _INDENTED.findall(text)
    text = _INDENTED.sub("", text)
    for line in text.splitlines():
        assert line.count("`") % 2 == 0, f"code that goes on in the next line is not checked: {line}"
    yield from _SPAN.findall(text)


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each `pilot …` and `pilot-agent …` in code, with its words."""
    for piece in _code(text):
        for program, rest in _COMMAND.findall(piece):
            words = re.split(r"\s[|<>#…]|&&|;|\)", rest)[0]
            try:
                yield program, shlex.split(words)
            except ValueError:  # a quotation that goes on in the next line
                yield program, words.split("'")[0].split()


def _problem(parser: argparse.ArgumentParser, words: list[str]) -> str:
    """What in the words is no command or option of the parser; empty if all is."""
    options = set(parser._option_string_actions)
    for word in words:
        commands = next((a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None)
        if word.startswith("--"):
            if word.split("=")[0] not in options:
                return f"{parser.prog} has no option {word}"
        elif commands is not None:
            if word in commands.choices:
                parser = commands.choices[word]
                options |= set(parser._option_string_actions)
            elif re.fullmatch(r"[a-z]+", word):
                return f"{parser.prog} has no command {word}"
    return ""


def _table(text: str, heading: str) -> list[list[str]]:
    """The cells of the first table after a line, without its first two rows."""
    after = text.split(f"\n{heading}\n", 1)[1]
    match = re.search(r"(?:^\|.*\n)+", after, re.MULTILINE)
    assert match is not None, heading
    rows = [re.split(r"(?<!\\)\|", line.strip("| ")) for line in match[0].splitlines()[2:]]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_verbs_are_those_of_the_code() -> None:
    embedded = re.search(r"<!-- verbs:[^>]*-->\n(.*?)<!-- /verbs -->", USER.read_text(), re.DOTALL)
    assert embedded is not None
    assert embedded[1] == verb_table()


@pytest.mark.parametrize("path", GUIDES, ids=_NAME.get)
def test_every_command_exists(path: Path) -> None:
    problems = []
    for program, words in _commands(path.read_text()):
        if words[:1] == ["--help"]:
            continue
        parser = build() if program == "pilot-agent" else cli.parser(words)
        if problem := _problem(parser, words):
            problems.append(f"`{program} {' '.join(words)}`: {problem}")
    assert not problems


def test_the_check_of_commands_finds_what_is_wrong() -> None:
    for text in ("`pilot fly`", "`pilot power up x`", "`pilot nodes --loud`", "    pilot-agent key burn\n"):
        ((program, words),) = _commands(text)
        assert _problem(build() if program == "pilot-agent" else cli.parser(words), words), text


def test_every_command_is_in_a_guide() -> None:
    users = {words[0] for _, words in _commands(USER.read_text()) if words}
    assert {command.name for command in cli.COMMANDS} <= users
    admins = [words for program, words in _commands(OPERATOR.read_text()) if program == "pilot-agent"]
    for command in ("serve", "check", "cluster add", "cluster list", "cluster remove", "cluster adopt",
                    "cluster release", "key add", "key list", "key remove", "journal show",
                    "journal verify"):  # fmt: skip
        wanted = command.split()
        assert any(words[: len(wanted)] == wanted for words in admins), command


def _slug(heading: str) -> str:
    """A heading's anchor, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", PAGES, ids=_NAME.get)
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    problems = []
    for target in _LINK.findall(_FENCE.sub("", path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        if not page.exists():
            problems.append(f"{target}: there is no such file")
        elif anchor:
            text = _FENCE.sub("", page.read_text())
            if anchor not in {_slug(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}:
                problems.append(f"{target}: there is no such heading")
    assert not problems


def test_exit_codes() -> None:
    rows = re.findall(r"^\| (\d+) \| ([A-Z]+) \|", USER.read_text(), re.MULTILINE)
    assert {name: int(code) for code, name in rows} == {code.name: int(code) for code in Exit}


@pytest.mark.parametrize(
    ("section", "struct"),
    [
        ("[site]", settings.SiteSettings),
        ("[[host]]", settings.HostSettings),
        ("[[ec2]]", Ec2Settings),
        ("[[pool]]", PoolSettings),
        ("[database]", settings.DatabaseSettings),
        ("[policy]", settings.PolicySettings),
        ("[signers]", settings.SignersSettings),
        ("[limits]", settings.Limits),
        ("[usage]", settings.UsageSettings),
        ("[consoles]", settings.ConsoleSettings),
        ("[console_log]", settings.ConsoleLogSettings),
    ],
)
def test_every_setting_is_explained_with_its_default(section: str, struct: type[msgspec.Struct]) -> None:
    said = {}
    for key, default, meaning in _table(OPERATOR.read_text(), f"### `{section}`"):
        assert meaning
        said[key.strip("`")] = (
            msgspec.NODEFAULT if default == "(required)" else tomllib.loads(f"x = {default.strip('`')}")["x"]
        )
    fields = {field.name: field.default for field in msgspec.structs.fields(struct)}
    assert said == {name: list(d) if isinstance(d, tuple) else d for name, d in fields.items()}


def test_every_section_of_the_settings_is_explained() -> None:
    headings = re.findall(r"^### `\[+(\w+)\]+`$", OPERATOR.read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(field.name for field in msgspec.structs.fields(settings.Settings))


def _written(key: str) -> str:
    """A key of a binding as it is written in app.toml: a character, or its name."""
    *modifiers, last = key.split("+")
    character = key_to_character(last) or last
    return "+".join([*modifiers, character if character.isprintable() and character != " " else last])


def _key_table() -> str:
    """All actions that have a name, with their keys: the app's own first, then screen by screen."""
    found: dict[str, tuple[list[str], str]] = {}
    for classes in (*keymap._SCREENS, *keymap._others()):
        for base in (base for cls in classes for base in cls.__mro__):
            for binding in Binding.make_bindings(base.__dict__.get("BINDINGS", ())):
                if binding.id:
                    keys, _ = found.setdefault(binding.id, ([], binding.description))
                    if (written := _written(binding.key)) not in keys:
                        keys.append(written)
    rooms = (
        *(
            "app",
            "table",
            "tree",
            "nodes",
            "instances",
            "overview",
            "journal",
            "activity",
            "console",
            "broadcast",
            "screen",
            "wall",
        ),
        *("recordings", "player"),
    )
    lines = ["| name | keys | what it does |", "| --- | --- | --- |"]
    for name in sorted(found, key=lambda name: rooms.index(name.split(".")[0])):
        keys, words = found[name]
        shown = " ".join(f"`{key}`".replace("|", "\\|") for key in keys)
        lines.append(f"| `{name}` | {shown} | {words} |")
    return "\n".join(lines) + "\n"


def test_the_keys_are_those_of_the_code() -> None:
    embedded = re.search(r"<!-- keys:[^>]*-->\n(.*?)<!-- /keys -->", USER.read_text(), re.DOTALL)
    assert embedded is not None
    assert embedded[1] == _key_table()


def test_every_setting_of_the_app_is_explained_with_its_default() -> None:
    said = {}
    for key, default, meaning in _table(USER.read_text(), "### `app.toml`"):
        assert meaning
        said[key.strip("`")] = tomllib.loads(f"x = {default.strip('`')}")["x"]
    defaults = app_config.AppConfig()
    fields = msgspec.structs.fields(app_config.AppConfig)
    assert said == {field.encode_name: getattr(defaults, field.name) for field in fields}


def test_the_example_of_the_apps_settings_is_right() -> None:
    example = next(text for text in _FENCE.findall(USER.read_text()) if "[keys]" in text)
    settings = msgspec.convert(tomllib.loads(example), app_config.AppConfig)
    assert not keymap.read(settings.keys).lost


def test_the_fields_of_filters_are_those_of_the_code() -> None:
    rows = dict(
        _table(USER.read_text(), "| `-f letters` | whose name has these letters in this order: `-f cmp02` |")
    )
    assert set(_SPAN.findall(rows["nodes"])) == set(NODE_FIELDS)
    assert set(_SPAN.findall(rows["journal"])) == set(JOURNAL_FIELDS)


def test_every_word_of_the_line_is_explained() -> None:
    lines = " ".join(row[0] for row in _table(USER.read_text(), "### The `:` line"))
    said = set(re.findall(r"`:(\w+)", lines))
    assert set(going.AREAS) | set(going.COMMANDS) <= said


def test_every_picture_is_made() -> None:
    made = {path.name for path in (ROOT / "docs/pictures").glob("*.png")}
    shown = {
        Path(target).name
        for page in PAGES
        for target in _LINK.findall(page.read_text())
        if target.endswith(".png")
    }
    assert shown <= made


def test_the_readme_names_every_debian_package() -> None:
    wanted: set[str] = set()
    for path in (ROOT / "deploy").glob("debian-*.txt"):
        wanted |= set(re.sub(r"#.*", "", path.read_text()).split())
    rows = _table(
        (ROOT / "README.md").read_text(),
        "## What is installed",
    )
    assert {package for row in rows for package in _SPAN.findall(row[1])} == wanted


def _strings() -> list[str]:
    """All texts in the code; of one with values in it, the parts between them."""
    found = []
    for folder in ("keys", "pilot"):
        for path in (ROOT / folder).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
            found += [value for value in nodes if isinstance(value, str)]
    return found


def test_messages_that_are_explained_are_said_somewhere() -> None:
    texts = _strings()
    rows = _table(USER.read_text(), "## What messages mean")
    assert len(rows) > 10
    missing = []
    for message, meaning in rows:
        assert meaning
        # Without its backquotes only: spaces at an end are those around a value.
        fragment = message.strip("`").strip()
        if not any(fragment in text for text in texts):
            missing.append(fragment)
    assert not missing


def test_json_shapes() -> None:
    text = USER.read_text()
    example = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert example is not None
    assert list(json.loads(example[1])) == [field.name for field in msgspec.structs.fields(Node)]
    outcome = re.search(r"An outcome: `\{([^}]*)\}`", text)
    assert outcome is not None
    assert outcome[1].split(", ") == [field.name for field in msgspec.structs.fields(Outcome)]
