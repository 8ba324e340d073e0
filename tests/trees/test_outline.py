"""Trees: lines below branches, kept up to date record by record."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pilot.records import AnyRecord, Host, Node, Pool
from pilot.records.hosts import Volume
from pilot.trees import hosts
from pilot.trees.entries import Entry
from pilot.trees.outline import Outline

NOW = 1_700_000_000.0


def host(name: str) -> Host:
    return Host(id=f"host:{name}", name=name, uri="", state="up", since=NOW)


def node(number: int, on: str = "a", state: str = "on") -> Node:
    return msgspec.convert(
        {
            "kind": "node",
            "id": f"id-{number}",
            "name": f"compute-0-{number}",
            "cluster": "vc1",
            "host": on,
            "domain": f"d{number}",
            "state": state,
            "since": NOW,
        },
        Node,
    )


def pool(on: str, *volumes: str) -> Pool:
    made = tuple(Volume(name, 10, 5) for name in volumes)
    return Pool(id=f"pool:{on}/default", host=on, name="default", type="dir", volumes=made)


def tree(*records: AnyRecord) -> Outline:
    outline = Outline(hosts.entries)
    outline.replace(records)
    return outline


def lines(outline: Outline) -> list[str]:
    """What is shown, as it would be drawn."""
    shown = sorted((e for e in outline.entries.values() if outline.passes(e)), key=lambda e: (e.path, e.key))
    return ["  " * entry.depth + entry.name for entry in shown]


def test_nodes_are_below_their_hosts_as_people_count() -> None:
    outline = tree(node(10), node(2), host("b"), host("a"), pool("a", "root.img"))
    assert lines(outline) == ["a", "  compute-0-2", "  compute-0-10", "  default", "b"]
    assert outline.count("host:a") == 3
    outline.fold("pool:a/default", False)
    assert lines(outline)[3:5] == ["  default", "    root.img"]


def test_a_folded_branch_shows_its_line_only_and_stays_folded() -> None:
    outline = tree(host("a"), host("b"), node(1), node(2, "b"))
    outline.fold("host:a", True)
    assert lines(outline) == ["a", "b", "  compute-0-2"]
    changes = outline.apply({"id-1": node(1, state="off"), "id-3": node(3)})
    assert changes.changed.keys() == {"id-1", "id-3", "host:a"}
    assert lines(outline) == ["a", "b", "  compute-0-2"]
    outline.replace([host("a"), node(1)])
    assert lines(outline) == ["a"]


def test_a_branch_that_was_opened_stays_open() -> None:
    outline = tree(pool("a", "root.img"))
    assert lines(outline) == ["a", "  default"]
    outline.fold("pool:a/default", False)
    outline.apply({"pool:a/default": pool("a", "root.img", "more.img")})
    assert lines(outline) == ["a", "  default", "    more.img", "    root.img"]
    outline.replace([pool("a", "root.img")])
    assert lines(outline) == ["a", "  default", "    root.img"]


def test_a_node_that_moves_leaves_the_one_branch_for_the_other() -> None:
    outline = tree(host("a"), node(1))
    changes = outline.apply({"id-1": node(1, "b")})
    assert lines(outline) == ["a", "b", "  compute-0-1"]
    assert changes.changed.keys() == {"id-1", "host:a", "host:b"}
    changes = outline.apply({"id-1": None})
    assert sorted(changes.gone) == ["host:b", "id-1"]
    assert lines(outline) == ["a"]


def test_a_host_that_is_gone_stays_as_long_as_something_is_on_it() -> None:
    outline = tree(host("a"), node(1))
    outline.apply({"host:a": None})
    assert lines(outline) == ["a", "  compute-0-1"]
    assert [entry.record for entry in outline.entries.values() if not entry.depth] == [None]
    outline.apply({"host:a": host("a")})
    assert [entry.record for entry in outline.entries.values() if not entry.depth] == [host("a")]
    outline.apply({"host:a": None, "id-1": None})
    assert not outline.entries


def test_what_matches_is_shown_with_the_branches_above_it() -> None:
    outline = tree(host("a"), host("b"), node(1), node(2, "b"))
    outline.fold_all(True)
    outline.match(lambda entry: entry.name == "compute-0-2")
    assert lines(outline) == ["b", "  compute-0-2"]
    changes = outline.apply({"id-2": node(2, "a")})
    assert lines(outline) == ["a", "  compute-0-2"]
    assert changes.changed.keys() >= {"host:a", "host:b"}, "both are to be drawn, or no longer"
    outline.match(None)
    assert lines(outline) == ["a", "b"]


records = st.one_of(
    st.builds(host, st.sampled_from("abc")),
    st.builds(node, st.integers(0, 4), st.sampled_from("abc"), st.sampled_from(["on", "off"])),
    st.builds(
        lambda on, volumes: pool(on, *volumes), st.sampled_from("abc"), st.sets(st.sampled_from("xyz"))
    ),
)
ids = [
    *(f"host:{name}" for name in "abc"),
    *(f"id-{n}" for n in range(5)),
    *(f"pool:{n}/default" for n in "abc"),
]


@given(
    st.lists(st.lists(st.one_of(records, st.sampled_from(ids)), max_size=4), max_size=12),
    st.sampled_from([None, "1", "x", "a"]),
)
def test_changes_lead_to_the_same_tree_as_all_at_once(
    batches: Sequence[Sequence[AnyRecord | str]], wanted: str | None
) -> None:
    def match(entry: Entry) -> bool:
        return wanted is not None and wanted in entry.name

    outline, known, drawn = tree(), {}, {}
    outline.match(match if wanted else None)
    for batch in batches:
        changes: dict[str, AnyRecord | None] = {}
        for one in batch:
            changes[one if isinstance(one, str) else one.id] = None if isinstance(one, str) else one
        known.update(changes)
        told = outline.apply(changes)
        drawn.update(told.changed)
        for key in told.gone:
            drawn.pop(key, None)
        assert drawn == outline.entries, "who follows the changes has the whole tree"
    outline.fold_all(False)
    whole = tree(*(record for record in known.values() if record is not None))
    whole.fold_all(False)
    whole.match(match if wanted else None)
    assert lines(outline) == lines(whole)
    assert outline.entries == whole.entries
