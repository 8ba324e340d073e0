"""`pilot power`: every power verb of pilot.verbs, on many nodes in one signed message.

Other verbs that act on nodes are asked in the same way: see pilot.commands.send.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pilot.cli import common_options
from pilot.commands.advice import for_shell
from pilot.commands.context import Context
from pilot.errors import DeadlineError, Exit, RefusedError, UnreachableError, UsageError
from pilot.verbs import VERBS, Value, Verb

if TYPE_CHECKING:
    from pilot.link.asking import OnProgress
    from pilot.link.link import Link
    from pilot.wire import Outcome, Reply

WAIT_SECONDS = 300.0
"""How long `--wait` waits if no --timeout says so."""
_STARTING = ("power.on", "power.boot", "power.install", "power.reset")
"""Verbs after which there is a boot to watch."""

_NODES = "names, MACs, UUIDs, ranges like compute-0-[0-9], globs, or @all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes: a verb, and what that verb takes."""
    add_verbs(parser, "power.", lambda verb: verb.label)


def add_verbs(
    parser: argparse.ArgumentParser, family: str, name: Callable[[Verb], str]
) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """A command's verbs for nodes: those whose ids begin so, by the names that are typed for them."""
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        if verb.scope != "node" or not verb.id.startswith(family):
            continue
        description = verb.help[:1].upper() + verb.help[1:] + "."
        sub = verbs.add_parser(
            name(verb), help=verb.help, description=description, parents=[common_options()]
        )
        sub.set_defaults(acts=verb)
        sub.add_argument("targets", nargs="+", metavar="NODE", help=_NODES)
        for argument in verb.args:
            if argument.default is False:
                sub.add_argument(
                    f"--{argument.name}",
                    dest=f"arg_{argument.name}",
                    action="store_true",
                    help=argument.help,
                )
                continue
            sub.add_argument(
                f"--{argument.name}",
                dest=f"arg_{argument.name}",
                metavar=None if argument.choices else argument.name.upper(),
                type=type(argument.default),
                choices=argument.choices or None,
                default=argument.default,
                help=f"{argument.help} ({argument.default})",
            )
        if verb.leads_to:
            sub.add_argument(
                "--wait",
                action="store_true",
                help=f"end only when every node is {verb.leads_to}, or after {WAIT_SECONDS:g} s",
            )
        if verb.id in _STARTING:
            sub.add_argument(
                "--console", action="store_true", help="one node: attach first, and watch it from byte one"
            )
        if verb.danger >= 2:
            sub.add_argument("-y", "--yes", action="store_true", help="do not ask")
    return verbs


def run(args: argparse.Namespace) -> int:
    """Do the verb."""
    verb: Verb = args.acts
    given: dict[str, Value] = {a.name: getattr(args, f"arg_{a.name}") for a in verb.args}
    verb.arguments(given)
    power = Power(Context(args), verb, given)
    try:
        return asyncio.run(power.run())
    except KeyboardInterrupt:
        power.interrupted()
        return Exit.INTERRUPTED


class Power:
    """One verb that acts on nodes, on its way."""

    def __init__(self, context: Context, verb: Verb, given: dict[str, Value]) -> None:
        self._context = context
        self._talk = context.talk
        self._args = context.args
        self._verb = verb
        self._given = given
        self._targets: list[str] = context.args.targets
        self._asked = False
        self._answered = False
        self._reply: Reply | None = None

    async def run(self) -> int:
        """Ask if need be, do it, wait if wanted; the exit code."""
        from pilot.commands.progress import Waiting

        confirmed = getattr(self._args, "yes", True)
        if not confirmed and not self._talk.asks:
            raise UsageError(f"{self._verb.label} is not done unasked, and nobody is here", "Say --yes.")
        if getattr(self._args, "console", False) and len(self._targets) != 1:
            raise UsageError("--console is for one node", "Attach to the others with `pilot console NODE`.")
        async with await self._context.connect() as link:
            cluster = self._context.cluster(link, needed=True)
            if not confirmed:
                from pilot.commands.danger import agreed, stake_at

                turns = self._verb.id.startswith("power.") and not self._given.get("drain")
                stake = await stake_at(link, self._verb, cluster, self._targets) if turns else None
                if stake is not None:
                    waits = stake.drains and not stake.undrainable
                    instead = "; --drain lets them end first" if waits else ""
                    self._talk.say(f"{stake.words}{instead}:", "bad")
                    self._talk.say("\n".join(f"  {line}" for line in stake.jobs), "bad")
                if not await agreed(self._talk, link, self._verb, cluster, self._targets):
                    self._talk.say("Nothing was done.")
                    return Exit.INTERRUPTED
                if stake is not None and stake.drains:
                    self._given["anyway"] = True  # That is what was agreed to.
            if getattr(self._args, "console", False):
                return await self._with_console(link, cluster)
            async with Waiting(self._talk, f"{self._verb.label}: waiting for airboss") as waiting:
                outcomes = (await self._do(link, cluster, waiting.progress)).outcomes
            code = exit_code(outcomes)
            reached = await self._wait(link, cluster, outcomes)
        self._tell(outcomes)
        return code if reached else (code or Exit.UNKNOWN)

    def interrupted(self) -> None:
        """Say what becomes of a verb that nobody waits for any more."""
        if self._asked and not self._answered:
            self._talk.say("Interrupted: what airboss had begun may still happen. `pilot nodes` shows it.")
        elif self._answered:
            self._talk.say("Interrupted: airboss has done the verb, only the waiting ended.")

    async def _do(self, link: Link, cluster: str, on_progress: OnProgress | None = None) -> Reply:
        self._asked = True
        self._reply = await link.call(self._verb.id, cluster, self._targets, self._given, on_progress)
        self._answered = True
        return self._reply

    def _tell(self, outcomes: Sequence[Outcome]) -> None:
        from pilot.render.outcomes import hints, outcome_table

        if self._reply is not None and not self._reply.receipt:
            self._talk.say(
                "No receipt: airboss's disk has not taken the outcome. Tell the site's admin.", "bad"
            )
        if self._talk.json:
            from pilot.commands.as_json import outcome_json
            from pilot.link.receipts import as_json

            assert self._reply is not None
            self._talk.data_json(
                {
                    "verb": self._verb.id,
                    "outcomes": [outcome_json(outcome) for outcome in outcomes],
                    "receipt": as_json(self._reply),
                }
            )
            return
        self._talk.data(outcome_table(outcomes, self._talk.out_colour))
        for hint in hints(outcomes):
            self._talk.say(for_shell(hint), "dim")

    async def _wait(self, link: Link, cluster: str, outcomes: Sequence[Outcome]) -> bool:
        """Wait until the nodes of the verb are as it leaves them; False if some are not in time."""
        wanted = self._verb.leads_to
        ids = {outcome.node: outcome.target for outcome in outcomes if outcome.result == "done"}
        if not getattr(self._args, "wait", False) or wanted is None or not ids:
            return True
        from pilot.commands.progress import Waiting
        from pilot.store import Store

        store = Store()
        left = dict(ids)
        try:
            async with (
                asyncio.timeout(self._args.timeout or WAIT_SECONDS),
                Waiting(self._talk, f"waiting until {wanted}") as waiting,
            ):
                async for frame in link.watch(cluster):
                    store.apply(frame)
                    states = {node.id: node.state for node in store.nodes()}
                    left = {node: name for node, name in ids.items() if states.get(node) != wanted}
                    if store.complete and not left:
                        return True
                    waiting.waiting_for({name: str(states.get(node, "gone")) for node, name in left.items()})
        except (TimeoutError, UnreachableError, DeadlineError) as error:
            why = getattr(error, "message", "the time is up")
            self._talk.say(f"Not {wanted} yet, {why}: {', '.join(left.values())}", "busy")
        return False

    async def _with_console(self, link: Link, cluster: str) -> int:
        """Attach first, then do the verb on the same connection: not a byte of the boot is missed."""
        from pilot.commands.console import Stay
        from pilot.render.outcomes import outcome_table

        async def doing() -> str:
            reply = await self._do(link, cluster)
            (line,) = outcome_table(reply.outcomes, False)[1:] or [""]
            return f"{self._verb.label}: {' '.join(line.split())}"

        stay = Stay(self._context, link, cluster, self._targets[0])
        code = await stay.run("write", doing)
        if self._reply is None:
            raise RefusedError("the console ended before airboss answered", "`pilot nodes` shows the node.")
        self._tell(self._reply.outcomes)
        return exit_code(self._reply.outcomes) or code


def exit_code(outcomes: Sequence[Outcome]) -> Exit:
    """The exit code that sums up the outcomes."""
    results = {outcome.result for outcome in outcomes}
    if "unknown" in results:
        return Exit.UNKNOWN
    if results <= {"done"}:
        return Exit.OK
    return Exit.REFUSED if results == {"refused"} else Exit.FAILED
