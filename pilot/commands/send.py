"""`pilot send`: a break, SysRq, an NMI or keys to many nodes in one signed message."""

from __future__ import annotations

import argparse

from pilot.commands.advice import word
from pilot.commands.power import add_verbs, run

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: what to send, and what that takes."""
    add_verbs(parser, "send.", word)
