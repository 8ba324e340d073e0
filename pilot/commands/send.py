"""`pilot send`: a break, SysRq, an NMI or keys to many nodes in one signed message."""

from __future__ import annotations

import argparse

from pilot.commands.power import add_verbs, run

__all__ = ["add_arguments", "run"]

_NAMES = {"send.cad": "ctrl-alt-del"}
"""What is typed, where it is not what follows the dot of the verb's id."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: what to send, and what that takes."""
    add_verbs(parser, "send.", lambda verb: _NAMES.get(verb.id, verb.id.partition(".")[2]))
