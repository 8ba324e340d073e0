"""The mirror: snapshots in parts, deltas, staleness, coalesced changes."""

from __future__ import annotations

import asyncio

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from pilot.records import AnyRecord, Cluster, Host, NodeState
from pilot.store import Changed, Store
from pilot.wire import Delta, Snapshot
from tests.client.stand_in import node


def test_a_snapshot_in_parts_shows_when_it_is_whole() -> None:
    store = Store()
    assert store.apply(Snapshot(5, (node(0),), True, False)).keys == frozenset()
    assert not store.complete
    assert not store.records
    changed = store.apply(Snapshot(5, (node(1),), False, True))
    assert changed == Changed(frozenset({node(0).id, node(1).id}), 5)
    assert [n.name for n in store.nodes()] == ["compute-0-0", "compute-0-1"]


def test_a_new_snapshot_tells_only_what_differs() -> None:
    store = Store()
    store.apply(Snapshot(5, (node(0), node(1), node(2)), True, True))
    store.lost(100.0)
    store.lost(200.0)
    assert store.stale_since == 100.0
    assert len(store.records) == 3, "what is known stays"
    changed = store.apply(Snapshot(1, (node(0), node(1, state="on")), True, True))
    assert changed.keys == {node(1).id, node(2).id}
    assert store.version == 1, "airboss was restarted"
    assert store.stale_since is None


def test_deltas() -> None:
    store = Store()
    assert not store.apply(Delta(9, (node(0),))).keys, "nothing before the snapshot"
    store.apply(Snapshot(5, (node(0),), True, True))
    assert store.apply(Delta(6, (node(0, state="on"),))).keys == {node(0).id}
    assert not store.apply(Delta(6)).keys, "a pulse"
    assert store.apply(Delta(6, gone=(node(0).id, "never-there"))).keys == {node(0).id}
    assert not store.apply(Delta(5, (node(0),))).keys, "from before"
    assert not store.records


states = st.sampled_from(["on", "off", "paused", "crashed"])


@given(st.lists(st.tuples(st.integers(0, 5), st.none() | states), max_size=40))
def test_whatever_the_deltas_the_mirror_is_what_a_snapshot_would_be(
    steps: list[tuple[int, NodeState | None]],
) -> None:
    store = Store()
    truth: dict[str, AnyRecord] = {}
    store.apply(Snapshot(0, (), True, True))
    for version, (number, state) in enumerate(steps, 1):
        if state is None:
            store.apply(Delta(version, gone=(node(number).id,)))
            truth.pop(node(number).id, None)
        else:
            record = node(number, state=state)
            store.apply(Delta(version, (record,)))
            truth[record.id] = record
    assert store.records == truth
    assert {record.id for record in store.nodes()} == truth.keys()


def test_records_are_found_by_their_kind() -> None:
    store = Store()
    vc1, vc2 = Cluster("cluster:vc1", "vc1"), Cluster("cluster:vc2", "vc2")
    store.apply(Snapshot(1, (node(0), vc1, node(1)), True, True))
    store.apply(Delta(2, (vc2,)))
    assert list(store.of(Cluster)) == [vc1, vc2]
    store.apply(Delta(3, gone=(vc1.id, node(0).id)))
    assert list(store.of(Cluster)) == [vc2]
    assert list(store.nodes()) == [node(1)]
    assert not list(store.of(Host))
    store.apply(Snapshot(1, (node(2),), True, True))
    assert not list(store.of(Cluster)), "all that was before is gone"
    assert list(store.nodes()) == [node(2)]


async def test_subscribers_get_what_changed_since_they_last_looked() -> None:
    store = Store()
    subscription = store.subscribe()
    store.apply(Snapshot(1, (node(0), node(1)), True, True))
    for version in range(2, 1000):
        state = "on" if version % 2 else "off"
        store.apply(Delta(version, (msgspec.structs.replace(node(0), state=state, since=float(version)),)))
    seen = []
    async with asyncio.timeout(20):
        async for changed in subscription:
            seen.append(changed)
            if len(seen) == 1:
                store.lost(1.0)
            else:
                subscription.close()
    assert seen == [Changed(frozenset({node(0).id, node(1).id}), 999), Changed(frozenset(), 999)]
    store.apply(Delta(1000, (node(0),)))
