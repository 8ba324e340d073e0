"""`pilot play`: a recording of a terminal, in this terminal; elsewhere its text at once.

It is a file, or the id of one that airboss has.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import stat
import sys
import tempfile
from math import inf
from pathlib import Path
from typing import BinaryIO

from pilot.errors import CastError, Exit, UsageError
from pilot.live.playing import SPEEDS

LEAST_IDLE, MOST_IDLE = 0.05, 86_400.0
_ID = re.compile("[0-9a-f]{4,64}")
"""What may stand for a recording of airboss's: its id, or the beginning of it."""
_HINT = "`pilot play FILE` takes asciicast v2 and v3; `pilot record list` shows ids."


_SPEEDS = ", ".join(f"{speed:g}" for speed in SPEEDS[:-1]) + f" or {SPEEDS[-1]:g}"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "file",
        metavar="FILE",
        help="a recording: asciicast v2 or v3; or an id, as `pilot record list` shows it",
    )
    parser.add_argument("--speed", type=_speed, default=1.0, metavar="N", help=f"how fast: {_SPEEDS} (1)")
    parser.add_argument(
        "--idle", type=_idle, default=inf, metavar="S", help="cut pauses down to so many seconds"
    )
    parser.add_argument("--print", action="store_true", help="print all of it at once, also in a terminal")


def _speed(text: str) -> float:
    speed = float(text)
    if speed not in SPEEDS:
        raise argparse.ArgumentTypeError(_SPEEDS)
    return speed


def _idle(text: str) -> float:
    idle = float(text)
    if not LEAST_IDLE <= idle <= MOST_IDLE:
        raise argparse.ArgumentTypeError(f"from {LEAST_IDLE} to {MOST_IDLE:.0f}")
    return idle


def run(args: argparse.Namespace) -> int:
    """Play, or print.

    Raises:
        UsageError: there is no such file.
        CastError: it is no recording.
    """
    if args.json:
        raise UsageError("a recording is played as it is", "The file itself has JSON, line by line.")
    with _get(args) as file:
        if args.print or not (sys.stdin.isatty() and sys.stdout.isatty()):
            _print(file)
        else:
            _play(file, args)
    return Exit.OK


def _get(args: argparse.Namespace) -> BinaryIO:
    """The file that is named; or what airboss has under this id, if no file is called so."""
    if _ID.fullmatch(args.file) and not Path(args.file).exists():
        return asyncio.run(_take(args))
    return _open(args.file)


async def _take(args: argparse.Namespace) -> BinaryIO:
    from pilot.commands.context import Context
    from pilot.commands.record import take
    from pilot.render.recordings import checked_cell

    context = Context(args)
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is the caller's
    try:
        async with await context.connect() as link:
            recording, checked = await take(context, link, args.file, file)
    except BaseException:
        file.close()
        raise
    found = checked_cell(recording, *checked)
    if checked.differs or checked.finding is None:
        context.talk.say(f"{found.text[:1].upper()}{found.text[1:]}.", found.tone)
    file.seek(0)
    return file


def _open(name: str) -> BinaryIO:
    try:
        # A named pipe that nobody writes would be waited for.
        file = open(os.open(Path(name).expanduser(), os.O_RDONLY | os.O_NONBLOCK), "rb")  # noqa: PTH123, SIM115
    except OSError as error:
        raise UsageError(f"{name}: {error.strerror or error}", _HINT) from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise UsageError(f"{name} is no file", _HINT)
    return file


def _print(file: BinaryIO) -> None:
    """All that was printed, as a terminal may see it."""
    from pilot.asciicast import OUTPUT, Reader
    from pilot.terminal_filter import TerminalFilter

    passing = TerminalFilter()
    out = sys.stdout.buffer
    try:
        for event in Reader(file, may_grow=True):
            if event.code == OUTPUT:
                out.write(passing.feed(event.data.encode("utf-8", "replace")))
        out.write(passing.reset_sequence())
    except CastError:
        out.write(passing.reset_sequence())
        out.flush()
        raise
    out.flush()


def _play(file: BinaryIO, args: argparse.Namespace) -> None:
    if args.no_color:
        os.environ["NO_COLOR"] = "1"
    from pilot.live.playing import Player, look_through

    contents = look_through(file, args.idle)
    # With these come the terminal's emulator and Textual.
    from pilot.console.bittty_engine import BitttyEngine
    from pilot.screens.player import PlayerApp

    engine = BitttyEngine(contents.header.columns, contents.header.rows)
    player = Player(file, contents, engine, idle=args.idle, speed=args.speed)
    PlayerApp(player).run()
    if player.trouble:
        raise CastError(player.trouble, "What comes before that was played.")
