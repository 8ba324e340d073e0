"""What a person types, and which nodes it names."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.errors import UsageError
from pilot.records import Nic, Node
from pilot.selectors import matcher, natural, resolve


def node(name: str, number: int) -> Node:
    return Node(
        f"00000000-0000-0000-0000-{number:012d}",
        name=name,
        cluster="vc1",
        host="h",
        domain=f"hosted-vm-{number}",
        state="off",
        since=0.0,
        nics=(Nic(f"52:54:00:00:00:{number:02x}"),),
    )


NODES = [node("frontend", 1), *(node(f"compute-0-{i}", 10 + i) for i in range(12))]


EC2 = msgspec.structs.replace(node("remote-0-0", 99), id="ec2:i-0abc", provider="ec2", domain="i-0abc")


def names(*selectors: str) -> list[str]:
    return [n.name for n in resolve(selectors, NODES).nodes]


@pytest.mark.parametrize(
    ("selector", "found"),
    [
        ("frontend", ["frontend"]),
        ("compute-0-[0-2]", ["compute-0-0", "compute-0-1", "compute-0-2"]),
        ("compute-0-[9-11]", ["compute-0-9", "compute-0-10", "compute-0-11"]),
        ("compute-0-[0,3,10-99]", ["compute-0-0", "compute-0-3", "compute-0-10", "compute-0-11"]),
        ("compute-[0]-[1-1]", ["compute-0-1"]),
        ("front*", ["frontend"]),
        ("compute-0-?", [f"compute-0-{i}" for i in range(10)]),
        ("52:54:00:00:00:0A", ["compute-0-0"]),
        ("52-54-00-00-00-0a", ["compute-0-0"]),
        ("00000000-0000-0000-0000-000000000001", ["frontend"]),
        ("compute-0-[00-02]", []),
        ("compute-0-", []),
        ("hosted-vm-10", []),
        ("", []),
    ],
)
def test_a_selector_names(selector: str, found: list[str]) -> None:
    assert names(selector) == found


@pytest.mark.parametrize("selector", ["remote-0-0", "ec2:i-0abc", "i-0abc", "I-0ABC"])
def test_an_instance_is_named_by_ec2s_id_too(selector: str) -> None:
    assert resolve([selector], [*NODES, EC2]).nodes == (EC2,)


def test_all_is_every_node_in_natural_order() -> None:
    assert names("@all") == [*(f"compute-0-{i}" for i in range(12)), "frontend"]


def test_a_node_named_twice_is_acted_on_once_and_what_names_nothing_is_told() -> None:
    found = resolve(("compute-0-1", "compute-0-[1-2]", "nope", "nope"), NODES)
    assert [n.name for n in found.nodes] == ["compute-0-1", "compute-0-2"]
    assert found.unknown == ("nope",)


@pytest.mark.parametrize("selector", ["a[", "a]", "a[x]", "a[3-1]", "a[]", "a[1-]", "a[[1]]", "*a*b*c*d*e*"])
def test_a_malformed_range_is_said(selector: str) -> None:
    with pytest.raises(UsageError):
        names(selector)


def test_a_name_that_stands_for_two_is_not_guessed() -> None:
    twins = [node("twin", 1), node("twin", 2)]
    with pytest.raises(UsageError, match="2 nodes"):
        resolve(("twin",), twins)
    assert len(resolve(("00000000-0000-0000-0000-000000000002",), twins).nodes) == 1


def test_padded_ranges_fit_padded_names() -> None:
    fits = matcher("n[08-11]")
    assert [n for n in ("n8", "n08", "n09", "n10", "n11", "n011", "n12") if fits(n)] == [
        "n08",
        "n09",
        "n10",
        "n11",
    ]


@given(st.text(max_size=250))
def test_any_text_is_answered(selector: str) -> None:
    with contextlib.suppress(UsageError):
        assert set(resolve((selector,), NODES).nodes) <= set(NODES)


def test_a_hostile_glob_does_not_backtrack_for_ever() -> None:
    assert not matcher("*" * 190 + "a*a*b")("a" * 250)


def test_natural_order() -> None:
    assert sorted(["c-10", "c-9", "b", "c-9a"], key=natural) == ["b", "c-9", "c-9a", "c-10"]
