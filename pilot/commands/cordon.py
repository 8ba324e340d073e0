"""`pilot cordon` and `pilot uncordon`: no node is started on a host any more, or again."""

from __future__ import annotations

import argparse
import asyncio

from pilot.commands.context import Context
from pilot.errors import Exit
from pilot.verbs import BY_ID, Value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the commands take."""
    parser.add_argument("targets", nargs="+", metavar="HOST", help="names of hosts, or globs")
    if parser.prog.endswith(" cordon"):
        argument = BY_ID["host.cordon"].args[0]
        parser.add_argument("--why", default="", metavar="TEXT", help=argument.help)


def run(args: argparse.Namespace) -> int:
    """Do it."""
    return asyncio.run(_run(Context(args)))


async def _run(context: Context) -> int:
    from pilot.commands.power import exit_code
    from pilot.render.outcomes import RESULTS, hints
    from pilot.render.table import Cell, Column, table

    args, talk = context.args, context.talk
    verb = BY_ID[f"host.{args.command}"]
    given: dict[str, Value] = {"why": args.why} if args.command == "cordon" else {}
    async with await context.connect() as link:
        reply = await link.call(verb.id, "", args.targets, given)
    if talk.json:
        from pilot.commands.as_json import outcome_json
        from pilot.link.receipts import as_json

        outcomes = [outcome_json(outcome) for outcome in reply.outcomes]
        talk.data_json({"verb": verb.id, "outcomes": outcomes, "receipt": as_json(reply)})
        return exit_code(reply.outcomes)
    rows = []
    for outcome in reply.outcomes:
        said = outcome.fault.message if outcome.fault else outcome.note
        rows.append((Cell(outcome.target, "strong"), Cell(*RESULTS[outcome.result]), Cell(said)))
    talk.data(table((Column("HOST"), Column("RESULT"), Column("")), rows, talk.out_colour))
    for hint in hints(reply.outcomes):
        talk.say(hint, "dim")
    if not reply.receipt:
        talk.say("No receipt: airboss's disk has not taken the outcome. Tell the site's admin.", "bad")
        return exit_code(reply.outcomes) or Exit.UNKNOWN
    return exit_code(reply.outcomes)
