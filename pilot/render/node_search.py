"""What of a node a filter may name and find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

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
    """A node as filters see it."""

    __slots__ = ("_texts", "node")

    def __init__(self, node: Node, texts: dict[str, str] | None = None) -> None:
        """`texts` keeps what was made of nodes, by id."""
        self.node = node
        self._texts = texts

    @property
    def title(self) -> str:
        """What the node is called."""
        return self.node.name or self.node.domain

    @property
    def text(self) -> str:
        """The values of all fields in lower case, a line each."""
        if self._texts is None:
            return _text(self.node)
        text = self._texts.get(self.node.id)
        if text is None:
            text = self._texts[self.node.id] = _text(self.node)
        return text

    def field(self, name: str) -> Sequence[str]:
        """The values of one of NODE_FIELDS."""
        return NODE_FIELDS[name](self.node)


class NodeHaystacks:
    """Nodes as filters see them; what was made of a node is kept until its record is another.

    Only strings and the records themselves are kept: 50,000 more objects would be work for the garbage
    collector at each of its rounds.
    """

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._texts: dict[str, str] = {}
        self._one: NodeHaystack | None = None

    def of(self, node: Node) -> NodeHaystack:
        """The node's haystack; good until the next one is asked for."""
        if self._nodes.get(node.id) is not node:
            self._nodes[node.id] = node
            self._texts.pop(node.id, None)
        # One object for all: making one takes longer than most filters look at it.
        if self._one is None:
            self._one = NodeHaystack(node, self._texts)
        self._one.node = node
        return self._one

    def forget(self, ids: Iterable[str]) -> None:
        """These nodes are no more."""
        for node_id in ids:
            self._nodes.pop(node_id, None)
            self._texts.pop(node_id, None)


def searchable(node: Node) -> NodeHaystack:
    """The node as filters see it."""
    return NodeHaystack(node)


def _text(node: Node) -> str:
    # One formatted string, and a short way for most states: for 50,000 nodes this is half of the work.
    usual = node.hung_ms is None and node.stale_since is None and node.state != "stopping"
    state = node.state if usual else "\n".join(state_words(node))
    text = (
        f"{node.name}\n{node.host}\n{state}\n{node.id}\n{node.domain}"
        f"\n{node.cluster}\n{node.appliance}\n{node.writer}"
    )
    for nic in node.nics:
        text += f"\n{nic.mac}\n{nic.network}\n{'' if nic.vlan is None else nic.vlan}"
    return text.lower() if len(text) < 2 * LINE else lines(text.split("\n"))
