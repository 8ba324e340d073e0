"""Asking for verbs: held, sent, answered for each node, taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from pilot import wire
from pilot.asked import Activity
from pilot.errors import (
    BusyError,
    DeadlineError,
    PilotError,
    RefusedError,
    StorageError,
    UnreachableError,
    UsageError,
)
from pilot.live.activity import INVERSE_SECONDS, KEPT, Activities
from pilot.live.pending import SETTLE_SECONDS
from pilot.records import Node
from pilot.wire import Fault, Outcome
from tests.live.asking import Asked, Clock, Site, node
from tests.support.waiting import until

NODES = [node(i) for i in range(3)]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site() -> Site:
    return Site(*NODES, node(9, "off"), node(0, cluster="vc2"))


@pytest.fixture
async def activities(site: Site, clock: Clock) -> AsyncIterator[Activities]:
    made = Activities(site, clock=clock, later=clock.later)
    yield made
    await made.close()


async def sent(site: Site, count: int = 1) -> Asked:
    """The newest request, once so many have been sent."""
    await until(lambda: len(site.asked) >= count, what=f"{count} requests", every=0)
    assert len(site.asked) == count
    return site.asked[-1]


async def ended(activity: Activity) -> None:
    await until(lambda: activity.state == "done", what="the end", every=0)


def results(activity: Activity) -> list[str]:
    return [target.outcome.result if target.outcome else "" for target in activity.targets]


# --- sending ---------------------------------------------------------------------------------------


async def test_a_verb_goes_out_by_id_with_its_arguments_and_comes_back_for_each_node(
    activities: Activities, site: Site, clock: Clock
) -> None:
    told = []
    activities.changed.listen(lambda: told.append(activities.entries[0].state))
    activity = activities.ask("power.off", NODES)
    asked = await sent(site)
    assert (asked.verb, asked.cluster, asked.targets) == ("power.off", "vc1", tuple(n.id for n in NODES))
    assert (activity.state, activity.who, activity.clusters) == ("asked", "ada@here", ("vc1",))
    asked.progress(wire.Progress("compute-0-1", "ending QEMU", 0.2))
    asked.progress(wire.Progress("compute-0-0", "done", 0.3, Outcome("compute-0-0", "done", NODES[0].id)))
    assert activity.targets[1].text == "ending QEMU"
    assert results(activity) == ["done", "", ""]
    fault = Fault("backend", "QEMU does not end", "Ask the admin.")
    clock.advance(2)
    asked.reply(
        Outcome("compute-0-0", "done", NODES[0].id, "off"),
        Outcome("compute-0-1", "failed", NODES[1].id, "on", fault=fault),
        Outcome("compute-0-2", "refused", NODES[2].id),
        journal=4711,
    )
    await ended(activity)
    assert results(activity) == ["done", "failed", "refused"]
    assert activity.counts() == {"done": 1, "failed": 1, "refused": 1}
    assert activity.targets[1].outcome is not None
    assert activity.targets[1].outcome.fault == fault
    receipt = activity.requests[0].receipt
    assert receipt is not None
    assert (receipt.journal_id, receipt.head) == (4711, "ab" * 32)
    assert activity.took(clock()) == 2
    assert told[0] == "asked"
    assert told[-1] == "done"


async def test_nodes_of_several_clusters_are_one_activity_of_several_requests(
    activities: Activities, site: Site
) -> None:
    activity = activities.ask("power.on", [NODES[0], node(0, cluster="vc2"), NODES[1]])
    await sent(site, 2)
    assert [(a.cluster, len(a.targets)) for a in site.asked] == [("vc1", 2), ("vc2", 1)]
    site.asked[0].done("on", 1)
    site.asked[1].answer.set_exception(RefusedError("not yours", "Ask the admin."))
    await ended(activity)
    assert results(activity) == ["done", "done", "refused"]


async def test_no_request_is_longer_than_airboss_reads(activities: Activities, site: Site) -> None:
    many = [node(i) for i in range(10_000)]
    activity = activities.ask("power.on", many)
    await until(lambda: len(site.asked) == 8, what="the first requests")
    for count in range(1, 100):
        if activity.state == "done":
            break
        for asked in site.asked:
            if not asked.answer.done():
                asked.done("on")
        await asyncio.sleep(0)
        assert count < 99
    assert [t for a in site.asked for t in a.targets] == [n.id for n in many]
    assert activity.counts() == {"done": 10_000}
    for asked in site.asked:
        assert len(asked.targets) <= wire.MAX_TARGETS
        body = wire.RequestBody(1, "x" * 60, "x" * 64, 9, 1.0, asked.verb, "vc1", asked.targets, asked.args)
        # What is left is for the signature, with a certificate in it.
        assert len(wire.encode_body(body)) < wire.MAX_CLIENT_FRAME - 8 * 1024


async def test_many_reports_are_told_in_one(activities: Activities, site: Site, clock: Clock) -> None:
    activities.ask("power.off", NODES)
    asked = await sent(site)
    told: list[None] = []
    activities.changed.listen(lambda: told.append(None))
    for i in range(1000):
        asked.progress(wire.Progress("compute-0-1", f"{i} s", float(i)))
    assert not told
    clock.advance(1)
    assert len(told) == 1


async def test_an_answer_for_an_id_is_shown_by_name(activities: Activities, site: Site) -> None:
    activity = activities.ask("power.off", NODES[:1])
    asked = await sent(site)
    gone = Fault("node", f"'{NODES[0].id}' is not a node of vc1, or not yours")
    asked.reply(Outcome(NODES[0].id, "refused", fault=gone))
    await ended(activity)
    (target,) = activity.targets
    assert target.outcome is not None
    assert target.outcome.target == "compute-0-0"
    assert target.outcome.fault is not None
    assert target.outcome.fault.message == "'compute-0-0' is not a node of vc1, or not yours"


async def test_a_node_that_airboss_says_nothing_of_is_not_known(activities: Activities, site: Site) -> None:
    activity = activities.ask("power.off", NODES)
    (await sent(site)).reply(Outcome("compute-0-0", "done", NODES[0].id))
    await ended(activity)
    assert results(activity) == ["done", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (UnreachableError("the connection to airboss was lost"), "unknown"),
        (DeadlineError("no answer within 30 s"), "unknown"),
        (PilotError("airboss failed inside"), "unknown"),
        (RefusedError("not entitled"), "refused"),
        (StorageError("the disk is full"), "failed"),
        (BusyError("too much"), "failed"),
    ],
)
async def test_what_an_error_means_for_the_nodes(
    activities: Activities, site: Site, error: PilotError, result: str
) -> None:
    activity = activities.ask("power.off", NODES)
    asked = await sent(site)
    asked.progress(wire.Progress("compute-0-0", "done", 0.3, Outcome("compute-0-0", "done", NODES[0].id)))
    asked.answer.set_exception(error)
    await ended(activity)
    assert results(activity) == ["done", result, result]
    assert activity.requests[0].error is not None
    assert error.message in activity.requests[0].error.message
    if isinstance(error, UnreachableError):
        assert "journal" in activity.requests[0].error.hint


async def test_requests_that_wait_when_the_link_is_lost_are_not_sent(
    activities: Activities, site: Site
) -> None:
    activity = activities.ask("power.on", [node(i) for i in range(13_000)])
    await until(lambda: len(site.asked) == 8, what="the first requests")
    site.link("lost")
    for asked in site.asked:
        asked.answer.set_exception(UnreachableError("lost"))
    await ended(activity)
    assert len(site.asked) == 8
    assert activity.counts()["unknown"] == sum(len(a.targets) for a in site.asked)
    assert activity.counts()["failed"] == 13_000 - activity.counts()["unknown"]


# --- refusing --------------------------------------------------------------------------------------


async def test_what_is_refused_at_once_leaves_no_trace(activities: Activities, site: Site) -> None:
    with pytest.raises(UsageError):
        activities.ask("power.on", [])
    with pytest.raises(UsageError):
        activities.ask("power.shutdown", NODES, {"grace": -1.0})
    with pytest.raises(UsageError, match="no cluster"):
        activities.ask("power.on", [node(1, cluster="")])
    site.refused.add(("power.on", "vc2"))
    with pytest.raises(RefusedError, match="operator in vc2"):
        activities.ask("power.on", [NODES[0], node(0, cluster="vc2")])
    activities.readonly = True
    with pytest.raises(RefusedError, match="read-only"):
        activities.ask("power.on", NODES)
    activities.readonly = False
    site.link("lost")
    with pytest.raises(UnreachableError):
        activities.ask("power.shutdown", NODES)
    assert activities.entries == []
    assert activities.all_pending() == {}


async def test_too_many_at_once_are_refused(activities: Activities) -> None:
    for _ in range(48):
        activities.ask("power.off", NODES)
    with pytest.raises(BusyError):
        activities.ask("power.off", NODES)


async def test_the_list_is_bounded(activities: Activities, site: Site) -> None:
    first = activities.ask("power.off", NODES)
    await sent(site)
    for _ in range(KEPT + 5):
        activity = activities.ask("power.on", NODES[:1])
        (await sent(site, len(site.asked) + 1)).done("on")
        await ended(activity)
    assert len(activities.entries) == KEPT
    assert activities.find(first.id) is first, "what is under way is never forgotten"
    assert activities.find(2) is None


# --- holding and undoing ---------------------------------------------------------------------------


async def test_a_shutdown_is_held_then_sent(activities: Activities, site: Site, clock: Clock) -> None:
    activity = activities.ask("power.shutdown", NODES)
    assert (activity.state, activity.held_until) == ("held", clock() + 5)
    clock.advance(4.9)
    assert not site.asked
    clock.advance(0.2)
    assert (await sent(site)).args == {"grace": 60.0, "then": "leave", "drain": False, "anyway": False}
    assert activity.state == "asked"
    assert activities.undo() is None


@pytest.mark.parametrize("verb", ["power.off", "power.reset", "power.boot", "power.install", "power.on"])
async def test_what_is_wanted_now_is_not_held(activities: Activities, site: Site, verb: str) -> None:
    activities.ask(verb, NODES)
    await sent(site)


async def test_nothing_is_held_if_no_seconds_are_wanted(site: Site, clock: Clock) -> None:
    activities = Activities(site, undo_seconds=0, clock=clock, later=clock.later)
    activities.ask("power.reboot", NODES)
    await sent(site)
    await activities.close()


async def test_undo_withdraws_the_newest_that_is_held(
    activities: Activities, site: Site, clock: Clock
) -> None:
    first = activities.ask("power.shutdown", NODES[:1])
    second = activities.ask("power.reboot", NODES[1:])
    assert activities.next_undo() is second
    assert activities.undo() is second
    assert activities.undo() is first
    assert activities.undo() is None
    clock.advance(60)
    assert not site.asked
    assert [a.state for a in activities.entries] == ["withdrawn", "withdrawn"]
    assert "before it was sent" in first.note
    assert activities.all_pending() == {}


async def test_what_is_held_is_not_sent_when_the_link_is_lost(
    activities: Activities, site: Site, clock: Clock
) -> None:
    activity = activities.ask("power.shutdown", NODES)
    site.link("lost")
    assert activity.state == "withdrawn"
    assert "link was lost" in activity.note
    site.link("live")
    clock.advance(60)
    assert not site.asked


async def test_the_end_of_the_app_withdraws_and_gives_up(site: Site, clock: Clock) -> None:
    activities = Activities(site, clock=clock, later=clock.later)
    under_way = activities.ask("power.off", NODES[:1])
    held = activities.ask("power.shutdown", NODES[1:])
    await sent(site)
    assert activities.open == [held, under_way]
    await activities.close()
    assert (held.state, under_way.state) == ("withdrawn", "done")
    assert "closed" in held.note
    assert results(under_way) == ["unknown"]
    clock.advance(60)
    assert len(site.asked) == 1


async def paused(activities: Activities, site: Site, nodes: list[Node]) -> Activity:
    activity = activities.ask("power.pause", nodes)
    (await sent(site, len(site.asked) + 1)).done("paused")
    await ended(activity)
    site.shows(*(node(int(n.id[-3:]), "paused") for n in nodes))
    return activity


async def test_a_pause_is_taken_back_by_resuming(activities: Activities, site: Site) -> None:
    activity = await paused(activities, site, NODES)
    inverse = activities.undo()
    assert inverse is not None
    assert (inverse.verb.id, inverse.undoes) == ("power.resume", activity.id)
    assert (await sent(site, 2)).targets == tuple(n.id for n in NODES)
    assert activity.undone
    site.asked[-1].done("on")
    await ended(inverse)
    site.shows(*NODES)
    assert activities.undo() is None, "undo does not undo itself"


async def test_only_what_the_verb_changed_is_taken_back(
    activities: Activities, site: Site, clock: Clock
) -> None:
    was_paused = node(2, "paused")
    site.shows(was_paused)
    await paused(activities, site, [*NODES[:2], was_paused])
    site.shows(node(1, "off"))
    activities.undo()
    assert (await sent(site, 2)).targets == (NODES[0].id,)


async def test_after_a_minute_it_is_no_slip_of_the_hand(
    activities: Activities, site: Site, clock: Clock
) -> None:
    activity = await paused(activities, site, NODES)
    clock.advance(INVERSE_SECONDS - 1)
    assert activities.undoable(activity)
    clock.advance(2)
    assert not activities.undoable(activity)
    assert activities.undo() is None


async def test_turning_on_is_not_taken_back(activities: Activities, site: Site) -> None:
    activity = activities.ask("power.on", [node(9, "off")])
    (await sent(site)).done("on")
    await ended(activity)
    site.shows(node(9, "on"))
    assert activities.undo() is None


# --- what the list shows meanwhile -----------------------------------------------------------------


async def test_a_node_waits_until_the_inventory_says_so(
    activities: Activities, site: Site, clock: Clock
) -> None:
    activity = activities.ask("power.shutdown", NODES[:1])
    assert activities.pending(NODES[0].id) == "shutdown soon"
    clock.advance(5)
    assert activities.pending(NODES[0].id) == "shutting down …"
    assert activities.pending(NODES[1].id) is None
    asked = await sent(site)
    asked.done("off")
    await ended(activity)
    assert activities.all_pending() == {NODES[0].id: "shutting down …"}
    site.shows(node(0, "off"))
    assert activities.pending(NODES[0].id) is None


async def test_the_inventory_may_be_quicker_than_the_answer(activities: Activities, site: Site) -> None:
    activities.ask("power.on", [node(9, "off")])
    assert activities.pending(node(9).id) == "turning on …"
    site.shows(node(9, "on"))
    assert activities.pending(node(9).id) is None


async def test_a_reset_leads_to_where_it_began_so_its_answer_counts(
    activities: Activities, site: Site
) -> None:
    activity = activities.ask("power.reset", NODES[:1])
    assert activities.pending(NODES[0].id) == "resetting …"
    (await sent(site)).done("on")
    await ended(activity)
    assert activities.pending(NODES[0].id) is None


async def test_what_failed_is_not_waited_for(activities: Activities, site: Site) -> None:
    activity = activities.ask("power.off", NODES[:2])
    (await sent(site)).reply(Outcome("compute-0-0", "failed", NODES[0].id), Outcome("compute-0-1", "unknown"))
    await ended(activity)
    assert activities.all_pending() == {}


async def test_an_effect_that_is_never_seen_is_not_waited_for_for_ever(
    activities: Activities, site: Site, clock: Clock
) -> None:
    activity = activities.ask("power.off", NODES[:1])
    (await sent(site)).done("off")
    await ended(activity)
    told: list[None] = []
    activities.changed.listen(lambda: told.append(None))
    clock.advance(SETTLE_SECONDS - 1)
    assert activities.pending(NODES[0].id) == "turning off …"
    clock.advance(1)
    assert told
    assert activities.pending(NODES[0].id) is None


async def test_a_node_that_is_gone_waits_for_nothing(activities: Activities, site: Site) -> None:
    activities.ask("power.off", NODES[:1])
    site.store.apply(wire.Delta(2, gone=(NODES[0].id,)))
    assert activities.pending(NODES[0].id) is None


async def test_the_newest_thing_asked_is_what_a_node_waits_for(activities: Activities, clock: Clock) -> None:
    activities.ask("power.shutdown", NODES[:1])
    clock.advance(5)
    activities.ask("power.off", NODES[:1])
    assert activities.pending(NODES[0].id) == "turning off …"


async def test_why_not(activities: Activities, site: Site) -> None:
    off = activities.ask("power.off", NODES).verb
    assert activities.why_not(off, ["vc1"]) == ""
    site.refused.add(("power.off", "vc2"))
    assert activities.why_not(off, ["vc1", "vc2"]) == "needs operator"
    activities.readonly = True
    assert activities.why_not(off, ["vc1"]) == "read-only"
