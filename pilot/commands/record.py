"""`pilot record`: begin and end recordings of consoles, see which there are, and get one as a file."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pilot.cli import common_options
from pilot.commands import power
from pilot.commands.context import Context
from pilot.errors import Exit, UsageError
from pilot.live.recording_files import there_already
from pilot.wire import Recording, plain

if TYPE_CHECKING:
    from pilot.link.link import Link
    from pilot.live.recordings import Checked

VERSIONS = ("v3", "v2")
_ONE = "its id or the beginning of it, as `pilot record list` shows it; or a node, for its newest one"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: verbs for nodes, and what is done with recordings."""
    words = power.add_verbs(parser, "record.", lambda verb: verb.id.partition(".")[2])
    text = "the recordings of your cluster's consoles, newest first"
    words.add_parser("list", help=text, description=f"{text.capitalize()}.", parents=[common_options()])
    text = "one recording as a file, held against the journal"
    get = words.add_parser("get", help=text, description=f"{text.capitalize()}.", parents=[common_options()])
    get.add_argument("recording", metavar="ID", help=_ONE)
    get.add_argument(
        "-o", "--output", metavar="FILE", help="the file (a name of its own, here); - for standard output"
    )
    get.add_argument(
        "--format", choices=VERSIONS, default=VERSIONS[0], help="of asciicast; v2 is for older players (v3)"
    )
    get.add_argument("--force", action="store_true", help="take the place of a file that is there")


def run(args: argparse.Namespace) -> int:
    """Do it."""
    if hasattr(args, "acts"):
        return power.run(args)
    if args.verb == "list":
        return asyncio.run(_list(Context(args)))
    if args.output == "-" and sys.stdout.isatty():
        raise UsageError(
            "a recording is nothing for a terminal as it is", "`pilot play ID` plays it; -o FILE keeps it."
        )
    if args.output == "-" and args.json:
        raise UsageError("--json and -o - exclude each other", "Name a file: -o FILE.")
    path = Path(args.output).expanduser() if args.output not in (None, "-") else None
    if path is not None and path.exists() and not args.force:
        raise there_already(path)
    return asyncio.run(_get(Context(args), path))


async def _list(context: Context) -> int:
    from pilot.live.recordings import listed
    from pilot.render.recordings import recordings_table

    talk = context.talk
    async with await context.connect() as link:
        cluster = context.cluster(link, needed=True)
        recordings = await listed(link, cluster)
    if talk.json:
        from pilot.commands.as_json import recording_json

        talk.data_json([recording_json(recording) for recording in recordings])
    elif recordings:
        talk.data(recordings_table(recordings, time.time(), talk.out_colour))
    else:
        talk.say(f"No console of {cluster} was recorded yet: `pilot record start NODE` begins.", "dim")
    return Exit.OK


async def _get(context: Context, path: Path | None) -> int:
    """`path`: what is named on the command line; None for standard output, or a name of its own."""
    from pilot.live.recording_files import keep, pieces
    from pilot.render.recordings import checked_cell, file_name

    args, talk = context.args, context.talk
    version = int(args.format[1:])
    with tempfile.TemporaryFile() as file:
        async with await context.connect() as link:
            recording, checked = await take(context, link, args.recording, file)
        if args.output == "-":
            for piece in pieces(file, version):
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
        else:
            path = path or Path(file_name(recording))
            keep(file, path, version, force=args.force)
    found = checked_cell(recording, *checked)
    if talk.json:
        from pilot.commands.as_json import recording_json

        talk.data_json(
            {
                "recording": recording_json(recording),
                "file": str(path) if path is not None else None,
                "checked": checked.finding is not None,
                "as_recorded": None if checked.finding is None else not checked.differs,
                "found": found.text,
            }
        )
    else:
        if path is not None:
            talk.say(f"{path}: {plain(recording.name)}, {recording.size:,} bytes recorded")
        talk.say(found.text[:1].upper() + found.text[1:] + ".", found.tone)
    if not checked.differs:
        return Exit.OK
    talk.say("Tell the site's admin, and keep the file: `pilot-agent journal verify` says more.", "dim")
    return Exit.FAILED


async def take(context: Context, link: Link, wanted: str, file: BinaryIO) -> tuple[Recording, Checked]:
    """Get a recording, and hold it against the journal.

    Raises:
        RefusedError: there is none, or it is not the user's.
        UsageError: it is not clear which one is meant; it is too large.
        PilotError: as for `Link.call`.
    """
    from pilot.commands.progress import Waiting
    from pilot.live.recordings import checked, fetch, find, listed
    from pilot.render.recordings import size

    cluster = context.cluster(link, needed=True)
    recording = find(await listed(link, cluster), wanted)
    async with Waiting(context.talk, f"getting the recording {recording.id}") as waiting:

        def progress(done: int, total: int) -> None:
            waiting.waiting_for({recording.name: f"{size(done)} of {size(total)}"})

        recording = await fetch(link, recording.id, cluster, file, progress)
        waiting.waiting_for({recording.name: "looking into the journal"})
        return recording, await checked(link, recording, file)
