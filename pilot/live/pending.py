"""Nodes of which something has been asked that the inventory does not show yet."""

from __future__ import annotations

from collections.abc import Callable

from pilot.asked import Activity, Target
from pilot.records import Node

SETTLE_SECONDS = 10.0
"""How long after a verb's end the inventory has to show its effect. Somebody else may have changed the node
in between, so that the state waited for is never seen."""


class Pending:
    """By node, the newest thing asked of it."""

    def __init__(self, node: Callable[[str], Node | None], clock: Callable[[], float]) -> None:
        """`node` looks a node up in the inventory."""
        self._node = node
        self._clock = clock
        self._waiting: dict[str, tuple[Activity, Target]] = {}

    def add(self, activity: Activity) -> None:
        """These are asked for something from now on."""
        self._waiting.update((target.id, (activity, target)) for target in activity.targets)

    def drop(self, activity: Activity) -> None:
        """Nothing will come of it."""
        for target in activity.targets:
            if self._waiting.get(target.id, (None,))[0] is activity:
                del self._waiting[target.id]

    def text(self, node_id: str) -> str | None:
        """What the node waits for, in a word or two; None if it waits for nothing."""
        found = self._waiting.get(node_id)
        if found is None:
            return None
        activity, target = found
        if activity.state == "held":
            return f"{activity.verb.label} soon"
        if self._over(activity, target):
            del self._waiting[node_id]
            return None
        return f"{activity.verb.doing or activity.verb.label} …"

    def all(self) -> dict[str, str]:
        """All nodes that wait, and for what."""
        found = {node_id: self.text(node_id) for node_id in tuple(self._waiting)}
        return {node_id: text for node_id, text in found.items() if text is not None}

    def _over(self, activity: Activity, target: Target) -> bool:
        outcome, wanted = target.outcome, activity.verb.leads_to
        if activity.state == "withdrawn" or (outcome is not None and outcome.result != "done"):
            return True
        node = self._node(target.id)
        if node is None:
            return True
        # A reset leads to where it began: only its outcome says that it was done.
        if node.state == wanted and (outcome is not None or target.before != wanted):
            return True
        if outcome is None:
            return False
        ended = activity.ended_at
        return wanted is None or (ended is not None and self._clock() - ended >= SETTLE_SECONDS)
