"""`pilot`: the words of a command, and which one runs. What it does is in pilot.commands."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import NamedTuple

import pilot
from pilot.errors import Exit, PilotError


class Command(NamedTuple):
    """A command, and the module of pilot.commands that has it."""

    name: str
    module: str
    help: str


COMMANDS = (
    Command("login", "login", "make a site known: pin its host key, see who you are there and what you may"),
    Command("nodes", "nodes", "the nodes of your clusters and their state"),
    Command("power", "power", "turn nodes on and off, reset, pause, install"),
    Command("send", "send", "send nodes a serial break, magic SysRq, an NMI, Ctrl+Alt+Del or keys"),
    Command("console", "console", "a node's serial console in this terminal (Ctrl+] leaves)"),
    Command("log", "log", "what a node's serial console printed, and when; also of a node that is off"),
    Command("record", "record", "record consoles, list and get what was recorded"),
    Command("play", "play", "play a recording of a console in this terminal"),
    Command("screen", "screen", "one look at a node's screen: its text, or a picture of it"),
    Command("wall", "wall", "the screens of all your nodes side by side, as text"),
    Command("vnc", "vnc", "a node's screen in a viewer of your own: TigerVNC's, virt-viewer"),
    Command("watch", "watch", "every change of your nodes, as it happens"),
    Command("hosts", "hosts", "the hypervisors: state, load, nodes and storage"),
    Command("vlans", "vlans", "VLANs, what carries them on which host, who is on them, and what is wrong"),
    Command("instances", "instances", "EC2 instances: state and why, addresses, cost, idle time, lease"),
    Command("lease", "lease", "turn nodes off by themselves at a time, unless that is renewed"),
    Command("slots", "slots", "HTCondor pools: machines, slots with their jobs, and who waits"),
    Command("drain", "drain", "give nodes no more HTCondor jobs; those that run end by themselves"),
    Command("undrain", "drain", "give nodes HTCondor jobs again"),
    Command("overview", "overview", "what needs attention now, worst first"),
    Command("events", "events", "what happened to nodes, hosts, instances and machines, whoever wanted it"),
    Command("cordon", "cordon", "start no node on a host any more (the site's admins)"),
    Command("uncordon", "cordon", "let nodes be started on a host again"),
    Command("journal", "journal", "what was asked of your nodes, by whom, and what came of it"),
    Command("keys", "keys", "your SSH keys: create one, list what would be shown"),
    Command("sites", "sites", "the sites that are known here"),
    Command("completion", "completion", "completion for your shell"),
    Command("demo", "demo", "a whole hosting cluster on this machine, to try it out"),
)
COMPLETE = "__complete"
APP = "app"
"""The module that runs without a command: the full-screen app."""

_EPILOG = """\
exit codes: 0 done, 1 something failed, 2 wrong words or configuration, 3 refused, 4 airboss unreachable,
5 a key is missing or not the expected one, 6 what came of it is not known, 7 what was waited for did not
come in time, 130 interrupted
"""


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser. Only the commands that are among the words are filled in: that saves their import."""
    top = argparse.ArgumentParser(
        prog="pilot",
        description="Power and console for every VM of your own virtual cluster, proved by your SSH key. "
        "Without a command the full-screen app opens.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[common_options()],
    )
    top.add_argument("--version", action="version", version=f"pilot {pilot.__version__}")
    top.add_argument(
        "--readonly", action="store_true", help="the full-screen app without the verbs that change something"
    )
    commands = top.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.name, help=command.help, description=_sentence(command.help), parents=[common_options()]
        )
        if command.name in words:
            importlib.import_module(f"pilot.commands.{command.module}").add_arguments(sub)
    return top


def common_options() -> argparse.ArgumentParser:
    """The options that are taken everywhere, before a command's name and after it."""
    common = argparse.ArgumentParser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("everywhere")
    group.add_argument("--site", metavar="SITE", help="a known site's name, or HOST[:PORT]")
    group.add_argument("--cluster", metavar="NAME", help="the virtual cluster that is meant")
    group.add_argument("--json", action="store_true", help="data on stdout as JSON")
    group.add_argument("--key", metavar="FILE", help="the key to show, instead of all of yours")
    group.add_argument(
        "--timeout", type=_seconds, metavar="SECONDS", help="how long to wait for an answer (30)"
    )
    group.add_argument(
        "--accept-new", action="store_true", help="take a site's host key at first contact without asking"
    )
    group.add_argument("--no-color", action="store_true", help="no colours (also: NO_COLOR)")
    group.add_argument(
        "--config-dir", metavar="FOLDER", help="instead of ~/.config/rocks-pilot (also: PILOT_CONFIG)"
    )
    return common


_DEFAULTS = {
    "site": None,
    "cluster": None,
    "json": False,
    "key": None,
    "timeout": None,
    "accept_new": False,
    "no_color": False,
    "config_dir": None,
}


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError("from above 0 to 86400")
    return seconds


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def main(argv: Sequence[str] | None = None) -> int:
    """Run `pilot`; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == [COMPLETE]:
        from pilot.commands import complete

        return complete.run(words[1:])
    top = parser(words)
    args = top.parse_args(words, argparse.Namespace(**_DEFAULTS))
    module = next((command.module for command in COMMANDS if command.name == args.command), APP)
    try:
        return int(importlib.import_module(f"pilot.commands.{module}").run(args))
    except PilotError as error:
        from pilot.commands.talk import Talk

        Talk(no_color=args.no_color).error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Whoever read has left. What Python still wants to flush at exit must not complain again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


if __name__ == "__main__":
    sys.exit(main())
