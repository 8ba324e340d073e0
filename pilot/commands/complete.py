"""`pilot __complete WORD…`: what could stand where the cursor is, for the completion scripts.

It walks the very parser of the command line, so that what is offered is what is taken. It never connects:
node names are those that were last seen.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from pilot import cli
from pilot.client_config import ClientConfig
from pilot.commands import names
from pilot.errors import Exit, PilotError

FILES = ":files"
"""Stands for "whatever files there are": shells know better."""
_FILE_OPTIONS = ("--key", "--config-dir", "--file")
_TARGETS = ("targets", "node")


def run(words: list[str]) -> int:
    """Print candidates, one a line, each with a tab and a description if it has one."""
    try:
        for word, about in candidates(words):
            sys.stdout.write(f"{word}\t{about}\n" if about else f"{word}\n")
    except (PilotError, BrokenPipeError):
        return Exit.FAILED
    return Exit.OK


def candidates(words: list[str]) -> list[tuple[str, str]]:
    """What could stand for the last of the words, which is being typed and may be empty."""
    before, typed = (words[:-1], words[-1]) if words else ([], "")
    # bash takes --option=value apart into three words.
    before = [word for word in before if word != "="]
    typed = "" if typed == "=" else typed
    spot = _Spot(cli.parser(before))
    for word in before:
        spot.step(word)
    if spot.awaiting is None and typed.startswith("--") and "=" in typed:
        option, typed = typed.split("=", 1)
        spot.step(option)
        return [(f"{option}={word}", about) for word, about in spot.offers("") if word.startswith(typed)]
    return [(word, about) for word, about in spot.offers(typed) if word.startswith(typed) or word == FILES]


class _Spot:
    """Where in the command line one is."""

    def __init__(self, top: argparse.ArgumentParser) -> None:
        self._parser = top
        self._given: dict[str, str] = {}
        self._positionals: list[str] = []
        self.awaiting: argparse.Action | None = None
        """The option whose value comes next."""

    def step(self, word: str) -> None:
        """Go past a word."""
        if self.awaiting is not None:
            self._given[self.awaiting.dest] = word
            self.awaiting = None
            return
        option, _, value = word.partition("=")
        for action in self._parser._actions:  # noqa: SLF001 - argparse offers no other way to walk a parser
            if option in action.option_strings:
                if action.nargs == 0:
                    return
                self.awaiting = None if value else action
                if value:
                    self._given[action.dest] = value
                return
            if isinstance(action, argparse._SubParsersAction) and word in action.choices:  # noqa: SLF001
                self._parser = action.choices[word]
                self._positionals = []
                return
        if not word.startswith("-"):
            self._positionals.append(word)

    def offers(self, typed: str) -> Iterator[tuple[str, str]]:
        """All that could come next; options only once a dash is typed, or if nothing else can come."""
        if self.awaiting is not None:
            yield from self._values(self.awaiting)
            return
        found = False
        if not typed.startswith("-"):
            for word in self._arguments():
                found = True
                yield word
        if typed.startswith("-") or not found:
            for action in self._parser._actions:  # noqa: SLF001
                if action.option_strings and action.help != argparse.SUPPRESS:
                    yield action.option_strings[-1], action.help or ""

    def _arguments(self) -> Iterator[tuple[str, str]]:
        taken = len(self._positionals)
        for action in self._parser._actions:  # noqa: SLF001
            if action.option_strings:
                continue
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                for choice in action._choices_actions:  # noqa: SLF001
                    yield choice.dest, choice.help or ""
                return
            if action.nargs in ("*", "+") or taken == 0:
                yield from self._values(action)
                return
            taken -= 1

    def _values(self, action: argparse.Action) -> Iterator[tuple[str, str]]:
        option = action.option_strings[-1] if action.option_strings else ""
        if action.choices:
            yield from ((str(choice), "") for choice in action.choices)
        elif action.dest in _TARGETS:
            yield from self._nodes(action.nargs in ("*", "+"))
        elif option == "--cluster":
            yield from ((cluster, "") for cluster in self._known() if cluster)
        elif option in ("--site", "--default", "--forget") or action.dest == "address":
            yield from ((site.name, site.address) for site in self._config().sites().site)
        elif option in _FILE_OPTIONS:
            yield FILES, ""

    def _nodes(self, several: bool) -> Iterator[tuple[str, str]]:
        wanted = self._given.get("cluster")
        for cluster, found in self._known().items():
            if wanted in (None, cluster):
                yield from ((name, cluster) for name in found if name not in self._positionals)
        if several:
            yield "@all", "every node of the cluster"

    def _config(self) -> ClientConfig:
        folder = self._given.get("config_dir")
        return ClientConfig(Path(os.path.expanduser(folder)).absolute() if folder else None)  # noqa: PTH111

    def _known(self) -> dict[str, list[str]]:
        config = self._config()
        return names.recall(config.state, config.find(self._given.get("site")).name)
