"""Nodes that are turned off once their jobs have ended: airboss goes on with that whoever looks.

So what was asked stays under way in the app while the link is lost, or airboss restarts: how far it is, is in
the node's record.
"""

from __future__ import annotations

from collections.abc import Callable

from pilot.asked import Activity, Target
from pilot.live.sending import LOOK, Asks
from pilot.records import Node
from pilot.wire import Fault, Outcome


def drains(activity: Activity) -> bool:
    """Whether it waits for the jobs of its nodes."""
    return activity.state == "asked" and activity.args.get("drain") is True


def waiting(activity: Activity, node_of: Callable[[str], Node | None]) -> list[Node]:
    """Its nodes that airboss waits for: they can be taken back."""
    if not drains(activity):
        return []
    left = (node_of(target.id) for target in activity.targets if target.outcome is None)
    return [node for node in left if node is not None and node.drain is not None]


async def follow(activity: Activity, site: Asks, told: Callable[[], None]) -> None:
    """Follow what airboss goes on with after the link was lost, until it has ended.

    Cancelling gives up only the following: what has not ended then is not known.
    """
    left = [t for t in activity.targets if t.outcome is not None and t.outcome.result == "unknown"]
    if not drains(activity) or not left:
        return
    for request in activity.requests:
        request.error = None
    for target in left:
        target.outcome, target.text = None, "the link is lost; airboss goes on with it"
    told()
    subscription = site.store.subscribe()
    try:
        left = [target for target in left if not _ended(activity, target, site)]
        if left:
            async for _ in subscription:
                left = [target for target in left if not _ended(activity, target, site)]
                told()
                if not left:
                    break
    finally:
        subscription.close()
        for request in activity.requests:
            request.end("unknown", Fault("failed", "it was not followed to its end", LOOK))
        told()


def _ended(activity: Activity, target: Target, site: Asks) -> bool:
    """Look how far it is; whether that is all that will be known of it."""
    node = site.store.records.get(target.id)
    if site.store.stale_since is not None or not site.store.complete:
        return False  # no link, or not the whole of what is new
    if not isinstance(node, Node):
        target.outcome = Outcome(target.name, "unknown", fault=Fault("failed", "the node is gone", LOOK))
    elif node.drain is not None:
        target.text = node.drain.words
    elif node.stale_since is None and node.state == activity.verb.leads_to == "off":
        target.outcome = Outcome(target.name, "done", node=node.id, state=node.state)
    elif node.stale_since is None:
        why = "airboss does not wait for its jobs any more, and it is still there"
        target.outcome = Outcome(target.name, "unknown", node=node.id, fault=Fault("failed", why, LOOK))
    return target.outcome is not None
