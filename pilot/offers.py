"""Which verbs a node can be asked at all: what drives it knows no others."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pilot.records import Instance, Node
from pilot.verbs import Verb

INSTANCES_ONLY = frozenset({"power.hibernate", "power.terminate", "screen.picture"})
NOT_INSTANCES = frozenset(
    {"power.reset", "power.pause", "power.resume", "power.install", "send.cad", "send.keys", "screen.open"}
)
_NEEDS = {"power.boot": ("power.on", "power.reboot")}
"""What else a verb is made of, where that is asked for by its own name."""


def known(verb: Verb, nodes: Iterable[Node]) -> bool:
    """Whether what drives at least one of these nodes knows the verb at all: else no menu has it."""
    drivers = {node.provider for node in nodes}
    if verb.id in INSTANCES_ONLY:
        return "ec2" in drivers
    return verb.id not in NOT_INSTANCES or drivers != {"ec2"}


def why_not(verb: Verb, nodes: Iterable[Node], instance: Callable[[str], Instance | None]) -> str:
    """Why these nodes cannot be asked that, in a few words; empty if at least one of them can.

    Args:
        verb: what is asked.
        nodes: whom.
        instance: what EC2 says of one, by its node's id.
    """
    first = ""
    for node in nodes:
        why = _of_one(verb, node, instance(node.id) if node.provider == "ec2" else None)
        if not why:
            return ""
        first = first or why
    return first


def _of_one(verb: Verb, node: Node, instance: Instance | None) -> str:
    if node.provider != "ec2":
        return "for EC2 instances" if verb.id in INSTANCES_ONLY else ""
    if verb.id in NOT_INSTANCES:
        return "EC2 has no such thing"
    if instance is None:
        return ""
    if instance.state in ("terminated", "shutting-down") and verb.id.startswith("power."):
        return "it was terminated"
    if verb.id == "power.hibernate" and not instance.hibernates:
        return "it was not made for that"
    if any(needed in instance.may_not for needed in _NEEDS.get(verb.id, (verb.id,))):
        return "AWS does not let the site"
    return ""
