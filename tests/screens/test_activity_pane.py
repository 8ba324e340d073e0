"""The list of what was asked, and its details."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from textual.app import App, ComposeResult
from textual.pilot import Pilot

from pilot.asked import Activity
from pilot.live.activity import Activities
from pilot.screens.activity import ActivityPane
from pilot.widgets.lines import LineList, Lines
from pilot.wire import Fault, Outcome, Progress
from tests.live.asking import Clock, Site, node
from tests.support.waiting import until

NODES = [node(i) for i in range(12)]


class Showing(App[None]):
    """The pane alone."""

    def __init__(self, activities: Activities, clock: Clock) -> None:
        super().__init__()
        self.pane = ActivityPane(activities, clock=clock)

    def compose(self) -> ComposeResult:
        yield self.pane

    @property
    def rows(self) -> list[str]:
        return self.pane.query_one(LineList).shown

    @property
    def details(self) -> str:
        return "\n".join(self.pane.query_one(".details Lines", Lines).shown)

    @property
    def seen(self) -> str:
        return "\n".join(strip.text for strip in self.screen._compositor.render_strips())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site() -> Site:
    return Site(*NODES)


@pytest.fixture
async def activities(site: Site, clock: Clock) -> AsyncIterator[Activities]:
    made = Activities(site, clock=clock, later=clock.later)
    yield made
    await made.close()


async def off(activities: Activities, site: Site, clock: Clock) -> Activity:
    """Twelve nodes: one fails."""
    activity = activities.ask("power.off", NODES)
    await until(lambda: site.asked, every=0)
    fault = Fault("backend", "turning off compute-0-11 failed: no", "Ask the admin.")
    site.asked[-1].reply(
        *(Outcome(one.name, "done", one.id, "off") for one in NODES[:-1]),
        Outcome(NODES[-1].name, "failed", NODES[-1].id, "on", fault=fault),
    )
    await until(lambda: activity.state == "done", every=0)
    clock.advance(1)
    return activity


async def drawn(pilot: Pilot[None], app: Showing, text: str) -> None:
    await until(lambda: text in app.seen, what=f"{text!r} on the screen")


async def test_empty_it_says_what_would_be_there(activities: Activities, clock: Clock) -> None:
    app = Showing(activities, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await drawn(pilot, app, "Nothing was asked yet.")


@pytest.mark.parametrize("size", [(80, 24), (160, 48), (40, 12)])
async def test_newest_first_with_the_details_of_the_one_under_the_cursor(
    activities: Activities, site: Site, clock: Clock, size: tuple[int, int]
) -> None:
    app = Showing(activities, clock)
    async with app.run_test(size=size) as pilot:
        await off(activities, site, clock)
        await drawn(pilot, app, "✕ off 12 nodes")
        assert "11 done, 1 failed" in app.rows[0]
        assert "compute-0-11" in app.details
        assert "→ Ask the admin." in app.details
        activities.ask("power.shutdown", NODES[:1])
        await drawn(pilot, app, "undo (5 s)")
        assert "shutdown compute-0-0" in app.rows[0]
        assert "not sent yet" in app.details
        app.pane.focus()
        await pilot.press("down")
        await pilot.pause()
        assert "→ Ask the admin." in app.details
        activities.ask("power.on", NODES[:1])
        await until(lambda: len(app.rows) == 3)
        assert "→ Ask the admin." in app.details, "the cursor stays on what is read"


async def test_the_seconds_to_undo_count_down(activities: Activities, clock: Clock) -> None:
    app = Showing(activities, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        activities.ask("power.shutdown", NODES[:1])
        await drawn(pilot, app, "undo (5 s)")
        clock.now += 2
        await drawn(pilot, app, "undo (3 s)")


async def test_undo_takes_back_what_the_cursor_is_on(activities: Activities, clock: Clock) -> None:
    app = Showing(activities, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        first = activities.ask("power.shutdown", NODES[:1])
        second = activities.ask("power.reboot", NODES[1:2])
        await drawn(pilot, app, "reboot compute-0-1")
        app.pane.focus()
        await pilot.press("down")
        assert app.pane.undo() is first
        assert app.pane.undo() is second, "what the cursor is on cannot be taken back any more"
        await drawn(pilot, app, "taken back before it was sent")


async def test_progress_of_thousands_does_not_flood_the_screen(
    activities: Activities, site: Site, clock: Clock
) -> None:
    app = Showing(activities, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        activity = activities.ask("power.off", [node(i) for i in range(1000)])
        await until(lambda: site.asked, every=0)
        asked = site.asked[-1]
        for number in range(500):
            asked.progress(_progress(number))
            clock.advance(0.1)
        await drawn(pilot, app, "500 of 1000")
        assert activity.counts() == {"done": 500}


def _progress(number: int) -> Progress:
    one = node(number)
    return Progress(one.name, "done", 0.1, Outcome(one.name, "done", one.id, "off"))


async def test_it_follows_another_site(activities: Activities, site: Site, clock: Clock) -> None:
    other = Activities(Site(*NODES), clock=clock, later=clock.later)
    app = Showing(activities, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        await off(activities, site, clock)
        await drawn(pilot, app, "off 12 nodes")
        app.pane.follow(other)
        await drawn(pilot, app, "Nothing was asked yet.")
        other.ask("power.shutdown", NODES[:1])
        await drawn(pilot, app, "shutdown compute-0-0")
    await other.close()


async def test_the_list_scrolls_with_the_cursor(activities: Activities, site: Site, clock: Clock) -> None:
    app = Showing(activities, clock)
    async with app.run_test(size=(80, 24)) as pilot:
        for i in range(40):
            activities.ask("power.shutdown", NODES[i % 12 : i % 12 + 1])
        await until(lambda: len(app.rows) == 40)
        app.pane.focus()
        await pilot.press("end")
        await pilot.pause()
        lines = app.pane.query_one(LineList)
        assert lines.cursor == 1
        await until(lambda: app.pane.query_one(".list").scroll_y > 0, what="the list has scrolled")
        await pilot.press("home")
        await pilot.pause()
        assert lines.cursor == 40
