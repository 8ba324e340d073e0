"""What of a node a filter may name and find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilot.filtering import lines
from pilot.patterns import LINE
from pilot.records import Node


def state_words(node: Node) -> tuple[str, ...]:
    """The state as it is shown: a hung node is `hung`; a stale one has its last state and `stale`."""
    if node.stale_since is not None:
        return (node.state, "stale")
    if node.hung_ms is not None:
        return ("hung",)
    return ("stopping", "shutting down") if node.state == "stopping" else (node.state,)


NODE_FIELDS: Mapping[str, Callable[[Node], Sequence[str]]] = {
    "name": lambda node: (node.name or node.domain,),
    "cluster": lambda node: (node.cluster,) if node.cluster else (),
    "host": lambda node: (node.host,),
    "state": state_words,
    "domain": lambda node: (node.domain,),
    "appliance": lambda node: (node.appliance,) if node.appliance else (),
    "mac": lambda node: [nic.mac for nic in node.nics],
    "vlan": lambda node: [str(nic.vlan) for nic in node.nics if nic.vlan is not None],
    "network": lambda node: [nic.network for nic in node.nics if nic.network],
    "uuid": lambda node: (node.id,),
    "writer": lambda node: (node.writer,) if node.writer else (),
}
"""The fields that a filter over nodes knows, and their values."""


class NodeHaystack:
    """A node as filters see it; its text is made when it is first needed."""

    __slots__ = ("_text", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self._text: str | None = None

    @property
    def title(self) -> str:
        """What the node is called."""
        return self.node.name or self.node.domain

    @property
    def text(self) -> str:
        """The values of all fields, a line each."""
        if self._text is None:
            node = self.node
            # One formatted string: with 50,000 nodes a list of values takes twice the time.
            text = (
                f"{node.name}\n{node.host}\n{' '.join(state_words(node))}\n{node.id}\n{node.domain}"
                f"\n{node.cluster}\n{node.appliance}\n{node.writer}"
            )
            for nic in node.nics:
                text += f"\n{nic.mac}\n{nic.network}\n{'' if nic.vlan is None else nic.vlan}"
            self._text = text if len(text) < 2 * LINE else lines(text.split("\n"))
        return self._text

    def field(self, name: str) -> Sequence[str]:
        """The values of one of NODE_FIELDS."""
        return NODE_FIELDS[name](self.node)


class NodeHaystacks:
    """Haystacks of nodes that are kept: one is made anew only when its record is another."""

    def __init__(self) -> None:
        self._made: dict[str, NodeHaystack] = {}

    def of(self, node: Node) -> NodeHaystack:
        """The node's haystack."""
        made = self._made.get(node.id)
        if made is None or made.node is not node:
            made = self._made[node.id] = NodeHaystack(node)
        return made

    def keep(self, ids: Sequence[str]) -> None:
        """Forget all nodes but these."""
        self._made = {key: self._made[key] for key in ids if key in self._made}


def searchable(node: Node) -> NodeHaystack:
    """The node as filters see it."""
    return NodeHaystack(node)
