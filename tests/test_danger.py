"""What is asked before a verb is done."""

from __future__ import annotations

import pytest

from pilot.danger import MANY, of_marks, question
from pilot.records import Cluster, Node
from pilot.verbs import BY_ID, VERBS


def nodes(count: int, cluster: str = "vc1") -> list[Node]:
    return [
        Node(f"{cluster}-{i}", f"compute-0-{i}", cluster, "h0", f"vm-{i}", "on", 0.0) for i in range(count)
    ]


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb.danger < 2], ids=lambda verb: verb.id)
def test_what_can_be_taken_back_is_not_asked(verb: object) -> None:
    protected = [Cluster("cluster:vc1", "vc1", protected=True)]
    assert question(verb, nodes(500), protected).kind == "none"  # type: ignore[arg-type]


def test_what_disrupts_asks_for_a_yes_and_names_everybody() -> None:
    asked = question(BY_ID["power.off"], list(reversed(nodes(11))))
    assert asked.kind == "confirm"
    assert asked.title == "Turn off 11 nodes of vc1 now?"
    assert asked.act == "Turn off"
    assert asked.names == tuple(f"compute-0-{i}" for i in range(11))
    assert "not yet written" in asked.consequence
    assert not asked.agrees("")


def test_one_node_is_named_in_the_question() -> None:
    assert question(BY_ID["power.shutdown"], nodes(1)).title == "Shut down compute-0-0 of vc1?"


def test_many_want_the_clusters_name() -> None:
    assert question(BY_ID["power.reset"], nodes(MANY - 1)).kind == "confirm"
    asked = question(BY_ID["power.reset"], nodes(MANY))
    assert (asked.kind, asked.word) == ("word", "vc1")
    assert str(MANY) in asked.why
    assert asked.agrees(" vc1 ")
    assert not asked.agrees("VC1")
    assert not asked.agrees("")


def test_what_destroys_wants_the_name_even_for_one() -> None:
    asked = question(BY_ID["power.install"], nodes(1))
    assert (asked.kind, asked.word) == ("word", "compute-0-0")


def test_a_protected_cluster_wants_its_name_and_another_ones_protection_counts_for_nothing() -> None:
    records = [Cluster("cluster:vc1", "vc1", protected=True), Cluster("cluster:vc2", "vc2")]
    asked = question(BY_ID["power.off"], nodes(2), records)
    assert (asked.kind, asked.word) == ("word", "vc1")
    assert "protected" in asked.why
    assert question(BY_ID["power.off"], nodes(2, "vc2"), records).kind == "confirm"
    assert question(BY_ID["power.off"], nodes(1) + nodes(1, "vc2"), records).kind == "word"


def test_nodes_of_several_clusters_want_their_number() -> None:
    asked = question(BY_ID["power.off"], nodes(9) + nodes(8, "vc2"))
    assert asked.title == "Turn off 17 nodes of 2 clusters now?"
    assert asked.word == "17 nodes"


def test_names_are_fit_for_a_terminal() -> None:
    evil = Node("x", "evil\x1b]0;title\x07", "vc1", "h0", "d", "on", 0.0)
    asked = question(BY_ID["power.install"], [evil])
    assert "\x1b" not in asked.title + asked.word + "".join(asked.names)


def test_marks_out_of_sight_and_many_are_asked_whatever_it_costs() -> None:
    on = BY_ID["power.on"]
    assert of_marks(question(on, nodes(MANY - 1)), 0).kind == "none"
    many = of_marks(question(on, nodes(MANY)), 0)
    assert (many.kind, many.title) == ("confirm", f"Turn on {MANY} nodes of vc1?")
    hidden = of_marks(question(BY_ID["power.pause"], nodes(3)), 2)
    assert (hidden.kind, hidden.why) == ("confirm", "2 of them are hidden by the filter.")
    worse = of_marks(question(BY_ID["power.off"], nodes(MANY)), 1)
    assert worse.kind == "word"
    assert worse.why == f"That is {MANY} nodes at once. 1 of them is hidden by the filter."
