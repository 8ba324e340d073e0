"""What is offered for which node: EC2 has no reset, a VM cannot be terminated, AWS may not allow it."""

from __future__ import annotations

import msgspec
import pytest

from pilot.offers import INSTANCES_ONLY, NOT_INSTANCES, known, why_not
from pilot.records import Instance, Node
from pilot.verbs import BY_ID

VM = Node("id", "compute-0-0", "vc1", "host", "domain", "on", 0.0)
REMOTE = Node("ec2:i-1", "remote-0", "vc1", "us-east-1", "i-1", "on", 0.0, provider="ec2")
INSTANCE = Instance("instance:i-1", "ec2:i-1", "vc1", "us-east-1", "a", "running", 0.0)


@pytest.mark.parametrize(
    ("verb", "node", "change", "why"),
    [
        ("power.off", VM, {}, ""),
        ("power.terminate", VM, {}, "for EC2 instances"),
        ("power.reset", VM, {}, ""),
        ("power.reset", REMOTE, {}, "EC2 has no such thing"),
        ("power.terminate", REMOTE, {}, ""),
        ("power.hibernate", REMOTE, {}, "it was not made for that"),
        ("power.hibernate", REMOTE, {"hibernates": True}, ""),
        ("power.off", REMOTE, {"may_not": ("power.off",)}, "AWS does not let the site"),
        ("power.boot", REMOTE, {"may_not": ("power.on",)}, "AWS does not let the site"),
        ("power.off", REMOTE, {"may": ("power.on",)}, ""),
        ("power.on", REMOTE, {"state": "terminated"}, "it was terminated"),
        ("console.open", REMOTE, {"state": "terminated"}, ""),
        ("lease.set", REMOTE, {}, ""),
        ("lease.set", VM, {}, ""),
    ],
)
def test_for_one(verb: str, node: Node, change: dict[str, object], why: str) -> None:
    instance = msgspec.structs.replace(INSTANCE, **change)
    assert why_not(BY_ID[verb], [node], lambda _id: instance) == why


def test_for_many_it_is_enough_that_one_can() -> None:
    assert why_not(BY_ID["power.reset"], [REMOTE, VM], lambda _id: INSTANCE) == ""
    assert why_not(BY_ID["power.reset"], [REMOTE], lambda _id: None) == "EC2 has no such thing"
    assert why_not(BY_ID["power.on"], [], lambda _id: None) == ""


def test_all_of_them_are_verbs() -> None:
    assert set(BY_ID) >= INSTANCES_ONLY | NOT_INSTANCES


@pytest.mark.parametrize(
    ("verb", "nodes", "there"),
    [
        ("power.terminate", [VM], False),
        ("power.terminate", [VM, REMOTE], True),
        ("power.reset", [REMOTE], False),
        ("power.reset", [VM, REMOTE], True),
        ("power.on", [REMOTE], True),
        ("power.reset", [], True),
    ],
)
def test_menus_have_what_is_known_there(verb: str, nodes: list[Node], there: bool) -> None:
    assert known(BY_ID[verb], nodes) == there
