"""Verbs that act on nodes: many targets, each with an outcome, between intent and outcome in the journal."""

from __future__ import annotations

import asyncio
import functools
import logging
from collections.abc import Callable, Iterable, Mapping

from pilot import wire
from pilot.agent import draining, leases
from pilot.agent.askers import Asker
from pilot.agent.caller import Caller
from pilot.agent.cordon import Cordons
from pilot.agent.draining import Drainings
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.leases import Leases
from pilot.agent.ledger import Ledger
from pilot.agent.outcomes import fault_of, unknown_node
from pilot.agent.policy import may
from pilot.agent.recordings import recordings
from pilot.agent.recordings.recordings import Recordings
from pilot.agent.sending import Sending
from pilot.backends.provider import Provider
from pilot.errors import DeadlineError, NoSuchNodeError, PilotError, RefusedError, UsageError
from pilot.records import Node
from pilot.selectors import resolve
from pilot.verbs import Value
from pilot.wire import Outcome

_log = logging.getLogger(__name__)

Tell = Callable[[wire.Progress], None]


class Power:
    """Runs the verbs that act on nodes, on whatever provider owns each."""

    def __init__(
        self,
        inventory: Inventory,
        provider_of: Callable[[str], Provider | None],
        ledger: Ledger,
        sending: Sending,
        recordings: Recordings,
        cordons: Cordons,
        drainings: Drainings,
        leased: Leases,
    ) -> None:
        self._inventory = inventory
        self._provider_of = provider_of
        self._ledger = ledger
        self._sending = sending
        self._recordings = recordings
        self._cordons = cordons
        self._drainings = drainings
        self._leases = leased

    async def run(self, caller: Caller, asked: Asked, tell: Tell) -> wire.Reply:
        """Do the verb on all its targets; the reply holds each outcome and the receipt.

        Cancelling this cancels what has not ended; what came of each target is journaled all the same.

        Raises:
            UsageError: no target, or a selector that cannot be understood.
            StorageError: the intent could not be made durable; then nothing was done.
        """
        if not asked.targets:
            raise UsageError(
                f"{asked.verb.id} needs at least one node", "Name nodes, or @all for the whole cluster."
            )
        resolved = resolve(asked.targets, self._inventory.members(asked.cluster))
        unknown = [unknown_node(selector, asked.cluster) for selector in resolved.unknown]
        entry = await self._ledger.intend(caller, asked, [node.id for node in resolved.nodes])
        # Rights and membership may have changed while the disk took its time.
        if not may(caller.grants(), asked.verb, asked.cluster):
            gone = RefusedError("your key is not entitled to this any more", "Ask the site's admin.")
            refused = [Outcome(n.name, "refused", node=n.id, fault=fault_of(gone)) for n in resolved.nodes]
            return await self._ledger.settle(entry, refused + unknown)
        nodes = [now for n in resolved.nodes if (now := self._inventory.node(n.id)) is not None]
        nodes = [node for node in nodes if node.cluster == asked.cluster]
        still = {node.id for node in nodes}
        unknown += [unknown_node(n.name, asked.cluster) for n in resolved.nodes if n.id not in still]
        acts = [
            asyncio.create_task(
                self._act(caller, node, asked.verb.id, asked.args, tell),
                name=f"{asked.verb.id} {node.name}",
            )
            for node in nodes
        ]
        try:
            if acts:
                await asyncio.wait(acts)
        except asyncio.CancelledError:
            for act in acts:
                act.cancel()
            await self._ledger.settle_late(entry, self._all(acts, unknown))
            raise
        return await self._ledger.settle(entry, [act.result() for act in acts] + unknown)

    async def _all(self, acts: Iterable[asyncio.Task[Outcome]], unknown: list[Outcome]) -> list[Outcome]:
        return [await act for act in acts] + unknown

    async def _act(
        self, caller: Caller, node: Node, verb: str, args: Mapping[str, Value], tell: Tell
    ) -> Outcome:
        loop = asyncio.get_running_loop()
        begun = loop.time()

        def progress(text: str) -> None:
            tell(wire.Progress(node.name, text, loop.time() - begun))

        def ended(
            result: wire.Result, error: PilotError | None = None, state: str = "", note: str = ""
        ) -> Outcome:
            now = self._inventory.node(node.id)
            known = now.state if now is not None and now.stale_since is None else "unknown"
            return Outcome(
                node.name,
                result,
                node=node.id,
                state=state or known,  # type: ignore[arg-type]
                note=note,
                fault=None if error is None else fault_of(error),
                seconds=round(loop.time() - begun, 4),
            )

        provider = self._provider_of(node.id)
        try:
            if provider is None:
                raise NoSuchNodeError(f"{node.name} is gone", "`pilot nodes` lists what is there.")
            if verb in recordings.VERBS:
                outcome = ended("done", note=await self._recordings.act(caller, node, verb, args))
            elif verb in draining.VERBS:
                outcome = ended("done", note=await self._drainings.act(caller.principal, node, verb, args))
            elif verb in leases.VERBS:
                outcome = ended("done", note=await self._leases.act(Asker.of(caller), node, verb, args))
            else:
                self._cordons.refuse(self._inventory.node(node.id) or node, verb)
                act = functools.partial(provider.act, node.id, verb, args, progress)
                acted = await (
                    self._drainings.off(Asker.of(caller), node, verb, args, act, progress)
                    if verb in draining.ENDING
                    else act()
                )
                self._sending.sent(caller.principal, node, verb, args)
                outcome = ended("done", state=acted.state, note=acted.note)
        except DeadlineError as error:
            outcome = ended("unknown", error)
        except RefusedError as error:
            outcome = ended("refused", error)
        except PilotError as error:
            outcome = ended("failed", error)
        except asyncio.CancelledError:
            given_up = DeadlineError(
                f"{verb} of {node.name} was given up by its asker", "What was under way may still happen."
            )
            return ended("unknown", given_up)
        except Exception as bug:  # a bug in a provider must not lose the outcomes of the others
            _log.exception("%s of %s", verb, node.id)
            inside = PilotError(f"airboss failed inside: {type(bug).__name__}", "Its log says more.")
            outcome = ended("unknown", inside)
        tell(wire.Progress(node.name, outcome.result, outcome.seconds, outcome))
        return outcome
