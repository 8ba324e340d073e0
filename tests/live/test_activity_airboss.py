"""What is asked in the app, of a real airboss over a real libvirtd."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator

import msgspec
import pytest

from pilot.asked import Activity
from pilot.live.activity import Activities
from pilot.live.site import LiveSite
from pilot.records import Node
from pilot.render.activity import details, line
from tests.live.conftest import NODES, MakeLive, becomes
from tests.support.airboss import Airboss, Person
from tests.support.waiting import until


@pytest.fixture
async def site(ada: Person, live: MakeLive) -> LiveSite:
    site = live(ada)
    await becomes(site, "live")
    await until(lambda: len(list(site.store.nodes())) == NODES)
    return site


@pytest.fixture
async def activities(site: LiveSite) -> AsyncIterator[Activities]:
    made = Activities(site, undo_seconds=0.2)
    yield made
    await made.close()


def nodes(site: LiveSite) -> list[Node]:
    return sorted(site.store.nodes(), key=lambda node: int(node.name.rsplit("-", 1)[1]))


async def ended(activity: Activity) -> list[str]:
    await until(lambda: activity.state == "done", 20, "the end")
    return [target.outcome.result if target.outcome else "" for target in activity.targets]


async def test_a_verb_on_many_with_its_receipt(activities: Activities, site: LiveSite, boss: Airboss) -> None:
    activity = activities.ask("power.on", nodes(site))
    assert set(activities.all_pending().values()) == {"turning on …"}
    assert await ended(activity) == ["done"] * NODES
    await until(lambda: not activities.all_pending(), what="the inventory says so")
    assert {node.state for node in nodes(site)} == {"on"}
    receipt = activity.requests[0].receipt
    assert receipt is not None
    shown = [json.loads(row) for row in (await boss.admin("journal", "show", "--json")).splitlines()]
    (record,) = [row for row in shown if row["id"] == receipt.journal_id]
    assert record["hash"] == receipt.head
    assert activity.who == "ada"


async def test_a_partial_failure_says_who_and_why(activities: Activities, site: LiveSite) -> None:
    all_nodes = nodes(site)
    await ended(activities.ask("power.on", all_nodes[:2]))
    await until(lambda: nodes(site)[1].state == "on")
    stranger = msgspec.structs.replace(all_nodes[3], id="00000000-0000-4000-8000-00000000dead", name="gone")
    activity = activities.ask("power.reset", [*all_nodes[:3], stranger])
    assert await ended(activity) == ["done", "done", "failed", "refused"]
    assert "4 nodes · 2 done, 1 refused, 1 failed" in line(activity, 0.0).text
    said = "\n".join("".join(cell.text for cell in cells) for cells in details(activity, 0.0, 80))
    assert "compute-0-2 failed: it is off" in said
    assert "→ `power.on` turns it on." in said
    assert "'gone' is not a node of vc1, or not yours" in said
    assert "journal no." in said


async def test_a_shutdown_is_held_and_then_done(activities: Activities, site: LiveSite) -> None:
    await ended(activities.ask("power.on", nodes(site)[:1]))
    await until(lambda: nodes(site)[0].state == "on")
    activity = activities.ask("power.shutdown", nodes(site)[:1])
    assert activity.state == "held"
    assert await ended(activity) == ["done"]
    await until(lambda: nodes(site)[0].state == "off")


async def test_a_pause_is_taken_back(activities: Activities, site: LiveSite) -> None:
    await ended(activities.ask("power.on", nodes(site)[:3]))
    await until(lambda: [node.state for node in nodes(site)[:3]] == ["on"] * 3)
    paused = activities.ask("power.pause", nodes(site)[:3])
    await ended(paused)
    await until(lambda: activities.next_undo() is paused, what="the inventory shows the pause")
    resumed = activities.undo()
    assert resumed is not None
    assert await ended(resumed) == ["done"] * 3
    await until(lambda: [node.state for node in nodes(site)[:3]] == ["on"] * 3)


async def test_an_answer_that_is_lost_is_not_known_and_says_what_to_do(
    activities: Activities, site: LiveSite, boss: Airboss
) -> None:
    assert boss.process is not None
    os.kill(boss.process.pid, signal.SIGSTOP)
    activity = activities.ask("power.on", nodes(site)[:2])
    assert activity.state == "asked"
    await boss.kill()
    assert await ended(activity) == ["unknown", "unknown"]
    assert "2 not known" in line(activity, 0.0).text
    said = "\n".join("".join(cell.text for cell in cells) for cells in details(activity, 0.0, 80))
    assert "the journal says what was done" in said
    assert activities.all_pending() == {}


async def test_what_is_held_while_airboss_dies_is_never_sent(site: LiveSite, boss: Airboss) -> None:
    activities = Activities(site, undo_seconds=600)
    activity = activities.ask("power.shutdown", nodes(site)[:1])
    await boss.kill()
    await until(lambda: activity.state == "withdrawn", what="the loss is noticed")
    assert "not sent: the link was lost" in activity.note
    await boss.start()
    await becomes(site, "live")
    rows = (await boss.admin("journal", "show", "--json")).splitlines()
    assert not [row for row in rows if "power.shutdown" in row]
    await activities.close()
