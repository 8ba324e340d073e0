"""What is told of one node, beside the list."""

from __future__ import annotations

from pilot.records import NodeState
from pilot.render.node_details import facts
from tests.support.shown import NOW, node


def _memory(resident: int, state: NodeState = "on") -> str:
    return dict(facts(node("compute-0-0", 1, state), None, b"", resident, NOW, 60))["memory"].text


def test_memory_on_the_host_is_told_once_it_is_known() -> None:
    assert _memory(1024 * 1024) == "2.0 G, 1.0 G resident on the host"
    assert _memory(0) == "2.0 G", "0 is not known, and no figure"
    assert _memory(1024 * 1024, "off") == "2.0 G"
