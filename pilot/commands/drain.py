"""`pilot drain` and `pilot undrain`: no more HTCondor jobs for nodes, or again."""

from __future__ import annotations

import argparse

from pilot.commands.power import run
from pilot.verbs import BY_ID

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the commands take."""
    verb = BY_ID["machine.undrain" if parser.prog.endswith(" undrain") else "machine.drain"]
    parser.set_defaults(acts=verb)
    parser.add_argument(
        "targets", nargs="+", metavar="NODE", help="names, MACs, UUIDs, ranges, globs, or @all"
    )
    for argument in verb.args:
        parser.add_argument(
            f"--{argument.name}", dest=f"arg_{argument.name}", default="", metavar="TEXT", help=argument.help
        )
