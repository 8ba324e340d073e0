"""Who is told what happened, and what nobody is told of others' nodes."""

from __future__ import annotations

from typing import cast

import msgspec

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.events import Events
from pilot.agent.gate import Asked
from pilot.agent.policy import SITE
from pilot.records import AnyRecord, Grant, Node
from pilot.verbs import BY_ID
from tests.agent.test_watching import Entitled, Sent

NODE = Node("n", "compute-0-0", "vc1", "h", "d", "on", 0.0)


class Seen:
    """Events of one node, by a clock that the test turns."""

    def __init__(self) -> None:
        self.now = 100.0
        self.added = {"vc1": 0.0, "vc2": 0.0}
        self.records: dict[str, AnyRecord] = {NODE.id: NODE}
        self.events = Events(self.records, lambda: self.now, added=self.added.__getitem__)

    def becomes(self, node: Node) -> None:
        old, self.records[node.id] = self.records[node.id], node
        self.events.changed(old, node)

    async def by(self, cluster: str) -> list[tuple[str, str]]:
        """What an owner of a cluster sees, names and words; of SITE, the site's admin."""
        caller = cast("Caller", Entitled(Grant(cluster, "admin" if cluster == SITE else "owner")))
        out = Sent()
        verb = BY_ID["events.read"]
        await self.events.stream(
            caller, Asked(verb, "", (), verb.arguments({"last": 100, "follow": False})), out
        )
        (frame,) = out.all
        assert isinstance(frame, wire.Happened)
        return [(one.name, one.words) for one in frame.happenings]


async def test_who_gets_a_clusters_name_anew_is_not_told_what_was_before() -> None:
    seen = Seen()
    off = msgspec.structs.replace(NODE, state="off")
    seen.becomes(off)
    seen.added["vc1"] = seen.now = 200.0
    assert await seen.by("vc1") == []
    assert len(await seen.by(SITE)) == 1
    seen.now = 201.0
    seen.becomes(NODE)
    assert await seen.by("vc1") == [("compute-0-0", "is on; it was off")]


async def test_a_node_that_goes_to_another_cluster_tells_neither_of_the_other() -> None:
    seen = Seen()
    seen.becomes(msgspec.structs.replace(NODE, name="secret-0-0", cluster="vc2", state="crashed"))
    assert await seen.by("vc1") == [("compute-0-0", "left the cluster")]
    assert await seen.by("vc2") == [("secret-0-0", "joined the cluster")]


async def test_of_what_is_others_now_no_name_is_told() -> None:
    seen = Seen()
    seen.becomes(msgspec.structs.replace(NODE, name="secret-0-0", cluster="vc2"))
    seen.events.say(NODE.id, "vc1", "is not turned off for ada")
    assert (await seen.by("vc1"))[-1] == (NODE.id, "is not turned off for ada")


async def test_what_happens_to_nodes_costs_no_look_at_every_record() -> None:
    class Counted(dict[str, AnyRecord]):
        looks = 0

        def values(self):  # type: ignore[no-untyped-def]
            self.looks += 1
            return super().values()

    seen = Seen()
    seen.records = Counted(seen.records)
    seen.events = Events(seen.records, lambda: seen.now, added=seen.added.__getitem__)
    seen.becomes(msgspec.structs.replace(NODE, state="off"))
    assert len(await seen.by("vc1")) == 1
    assert seen.records.looks == 0
