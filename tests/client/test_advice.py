"""Hints name commands that can be typed."""

from __future__ import annotations

import shlex

import pytest

from pilot.cli import parser
from pilot.commands.advice import for_shell
from pilot.verbs import VERBS


def test_verbs_that_a_hint_names_are_commands() -> None:
    assert for_shell("`power.on` turns it on.") == "`pilot power on` turns it on."
    assert for_shell("`power.nothing` and `agent.toml`") == "`power.nothing` and `agent.toml`"
    for verb in VERBS:
        said = for_shell(f"`{verb.id}`").strip("`")
        if said != verb.id:
            _, *words = shlex.split(said)
            with pytest.raises(SystemExit) as ended:
                parser(words).parse_args([*words, "--help"])
            assert ended.value.code == 0, said
