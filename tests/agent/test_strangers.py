"""Who makes room at a full door."""

from __future__ import annotations

import pytest

from pilot.agent.strangers import Strangers, group_of


def test_the_oldest_of_an_address_makes_room_for_its_newest() -> None:
    strangers: Strangers[str] = Strangers(10, 2)
    assert strangers.add("a1", "192.0.2.1") is None
    assert strangers.add("b1", "192.0.2.2") is None
    assert strangers.add("a2", "192.0.2.1") is None
    assert strangers.add("a3", "192.0.2.1") == "a1"
    assert strangers.add("a4", "192.0.2.1") == "a2"
    assert len(strangers) == 3


def test_the_address_with_most_makes_room_for_all() -> None:
    strangers: Strangers[str] = Strangers(4, 3)
    for name, address in (("b1", "192.0.2.2"), ("a1", "192.0.2.1"), ("a2", "192.0.2.1"), ("a3", "192.0.2.1")):
        assert strangers.add(name, address) is None
    assert strangers.add("c1", "192.0.2.3") == "a1"
    assert len(strangers) == 4
    strangers.remove("b1")
    strangers.remove("b1")
    assert strangers.add("c2", "192.0.2.3") is None
    for name in ("a2", "a3", "c1", "c2"):
        strangers.remove(name)
    assert strangers.oldest() is None
    assert len(strangers) == 0


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1:2:3", "2001:db8::/64"),
        ("2001:db8:0:1::1", "2001:db8:0:1::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_a_whole_network_of_ipv6_is_one_address(address: str, group: str) -> None:
    assert group_of(address) == group
