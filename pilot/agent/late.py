"""What airboss does later for somebody who asked earlier: only with the rights that they have then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pilot.agent.askers import Asker, Rights
from pilot.agent.inventory import Inventory
from pilot.agent.journal import Journal
from pilot.errors import RefusedError
from pilot.records import HappeningTone, Node
from pilot.verbs import Value
from pilot.wire import plain

GRACE = 120.0
"""Seconds that a guest is given to shut down. EC2 knows by itself when to end one."""

Happened = Callable[[str, str, str, HappeningTone], None]
"""Told the id of a record, the cluster whose people may know of it, and what happened, in words."""


class Late:
    """Judges what is done later, and says where it is not done. Used on the event loop's thread."""

    def __init__(self, inventory: Inventory, rights: Rights, journal: Journal, happened: Happened) -> None:
        self._inventory = inventory
        self._rights = rights
        self._journal = journal
        self._happened = happened

    def check(self, asker: Asker, node_id: str, cluster: str, verb: str, asked_at: float) -> Node:
        """The node, where the asker may still have the verb.

        Raises:
            RefusedError: the node is no more or another cluster's, or the asker may not any more.
        """
        node = self._inventory.node(node_id)
        if node is None or node.cluster != cluster:
            raise RefusedError(
                f"{node_id} is not a node of {plain(cluster, 80)} any more", "`pilot nodes` lists them."
            )
        if why := self._rights.why_not(asker, verb, cluster, asked_at):
            raise RefusedError(why, "Who may turn it off now asks again.")
        return node

    async def refused(
        self,
        asker: Asker,
        node_id: str,
        cluster: str,
        verb: str,
        args: Mapping[str, object],
        why: str,
        journaled: bool = True,
    ) -> None:
        """Say that it was not done: among what happened, and in the journal unless it is there already.

        Raises:
            StorageError: the journal did not take it.
        """
        name = plain(asker.principal, 80)
        self._happened(node_id, cluster, f"is not turned off for {name}: {plain(why, 300)}", "bad")
        if journaled:
            await self._journal.event(
                actor="airboss",
                auth="airboss",
                verb=verb,
                cluster=cluster,
                targets=[node_id],
                args={**args, "for": asker.principal},
                result=f"refused: {why}",
            )


def shutdown_args(node: Node) -> dict[str, Value]:
    """The arguments with which a node is shut down when nobody is there to decide."""
    return {"grace": GRACE, "then": "leave" if node.provider == "ec2" else "off"}
