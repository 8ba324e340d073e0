"""The `:` line: where words lead, and how they go on."""

from __future__ import annotations

import pytest

from pilot import going
from pilot.errors import NoSuchNodeError, UsageError
from pilot.records import Node


def _node(name: str, cluster: str = "vc1") -> Node:
    return Node(f"id-{cluster}-{name}", name, cluster, "host-0", f"{cluster}-{name}", "on", 0.0)


NODES = [_node("frontend"), *(_node(f"compute-0-{i}") for i in range(12))]
KNOWN = going.Known(
    nodes=NODES,
    clusters=("vc1", "vc2"),
    sites=("espresso",),
    themes=("dark", "light"),
    filters=("hung",),
    verbs=going.node_verbs(),
)


def test_an_empty_line_leads_nowhere() -> None:
    assert going.go("  ", KNOWN) is None


@pytest.mark.parametrize("word", ["nodes", "vm", "NODES"])
def test_a_resource_has_several_words(word: str) -> None:
    assert going.go(word, KNOWN) == going.Area("nodes")


def test_a_resource_may_bring_its_filter() -> None:
    assert going.go("nodes /state:on compute", KNOWN) == going.Area("nodes", "state:on compute")


@pytest.mark.parametrize(
    ("line", "name", "words"),
    [
        ("q", "quit", ()),
        ("cluster vc2", "cluster", ("vc2",)),
        ("@vc2", "cluster", ("vc2",)),
        ("ctx espresso", "site", ("espresso",)),
        ("filter save slow", "filter", ("save", "slow")),
    ],
)
def test_commands_and_their_other_names(line: str, name: str, words: tuple[str, ...]) -> None:
    assert going.go(line, KNOWN) == going.Command(name, words)


def test_a_nodes_name_leads_to_it_and_so_does_its_beginning() -> None:
    assert going.go("compute-0-3", KNOWN) == going.Spot("id-vc1-compute-0-3")
    assert going.go("front", KNOWN) == going.Spot("id-vc1-frontend")
    assert going.go("*-11", KNOWN) == going.Spot("id-vc1-compute-0-11")


def test_a_verb_takes_selectors() -> None:
    asked = going.go("off compute-0-[0-2] frontend", KNOWN)
    assert isinstance(asked, going.Asked)
    assert asked.verb.id == "power.off"
    assert asked.nodes is not None
    assert {node.name for node in asked.nodes} == {"compute-0-0", "compute-0-1", "compute-0-2", "frontend"}


def test_several_are_typed_at_together() -> None:
    name = KNOWN.nodes[-1].name
    together = going.go(f"broadcast {name}", KNOWN)
    assert isinstance(together, going.Together)
    assert [node.name for node in together.nodes or ()] == [name]
    assert going.go("broadcast", KNOWN) == going.Together(None)
    assert going.complete(f"broadcast {name[:-1]}", KNOWN)
    with pytest.raises(NoSuchNodeError):
        going.go("broadcast nothing-9", KNOWN)


def test_a_verb_alone_is_for_what_is_marked() -> None:
    asked = going.go("power.reset", KNOWN)
    assert isinstance(asked, going.Asked)
    assert asked.nodes is None


def test_a_verb_for_a_node_that_is_not_there_is_for_none() -> None:
    with pytest.raises(NoSuchNodeError, match="compute-9-9"):
        going.go("off compute-0-1 compute-9-9", KNOWN)


def test_what_is_not_known_is_said() -> None:
    with pytest.raises(UsageError, match="nonsense"):
        going.go("nonsense", KNOWN)


def test_read_only_has_no_verb_that_changes_something() -> None:
    assert {verb.id for verb in going.node_verbs(readonly=True)} == {"console.open", "screen.open"}


@pytest.mark.parametrize(
    ("line", "first"),
    [
        ("no", "nodes"),
        ("of", "off"),
        ("cluster v", "cluster vc1"),
        ("theme l", "theme light"),
        ("site ", "site espresso"),
        ("filter h", "filter hung"),
        ("off comp", "off compute-0-0"),
        ("off compute-0-0 compute-0-1", "off compute-0-0 compute-0-1"),
        ("compute-0-1", "compute-0-1"),
        ("@", "@vc1"),
    ],
)
def test_completion(line: str, first: str) -> None:
    assert going.complete(line, KNOWN)[0] == first


def test_a_node_named_already_is_not_offered_again() -> None:
    assert "off frontend frontend" not in going.complete("off frontend fr", KNOWN)


def test_completion_is_bounded() -> None:
    many = going.Known(nodes=[_node(f"n{i}") for i in range(10_000)], verbs=going.node_verbs())
    assert len(going.complete("off n", many)) == going.MOST_COMPLETIONS


@pytest.mark.parametrize("line", ["]", "[", "off [", "off *a*b*c*d*e", "\x00", "a" * 500, "[9-1]"])
def test_odd_lines_are_errors_and_never_worse(line: str) -> None:
    with pytest.raises((UsageError, NoSuchNodeError)):
        going.go(line, KNOWN)
    going.complete(line, KNOWN)
