"""Typing at four real guests at once: what each of them does with it, and what happens to them meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from textual import events

from pilot.live.broadcast import Member
from pilot.screens.broadcast import BroadcastScreen
from pilot.screens.help import HelpScreen
from pilot.widgets.confirm import ConfirmScreen
from tests.e2e.conftest import MakeSite
from tests.e2e.test_flight import act
from tests.support.cockpit import Opened, knows, opened
from tests.support.vms import Vm
from tests.support.waiting import until

pytestmark = pytest.mark.e2e
SECONDS = 60.0
COUNT = 4


class Together(Opened):
    """The app with a broadcast to all nodes in front."""

    vms: list[Vm]

    @property
    def tab(self) -> BroadcastScreen:
        """The tab of tiles."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, BroadcastScreen), screen
        return screen

    @property
    def members(self) -> tuple[Member, ...]:
        """The consoles."""
        return self.tab.pane.broadcast.members

    def printed(self, number: int) -> str:
        """All that a console's engine holds."""
        engine = self.members[number].session.engine
        lines = (engine.text(line) for line in range(engine.history + engine.rows))
        return "\n".join(line for line in lines if line)

    def head(self, number: int) -> str:
        """The line over a tile."""
        place = self.tab.pane.tiles._place(number)
        assert place is not None
        return self.tab.pane.tiles.render_line(place.y).text[place.x : place.right]

    async def each(self, text: str, *numbers: int) -> None:
        """Await that these consoles show a text."""

        async def shows(number: int) -> None:
            try:
                await until(lambda: text in self.printed(number), SECONDS, every=0.1)
            except AssertionError:
                raise AssertionError(f"no {text!r} at {number}:\n{self.printed(number)[-2000:]}") from None

        for number in numbers or range(COUNT):
            await shows(number)

    async def prompts(self, *numbers: int, prompt: str = "#") -> None:
        """Await that these wait for a line."""

        async def waits(number: int) -> None:
            what = f"{prompt} at {number}"
            await until(lambda: self.printed(number).rstrip().endswith(prompt), SECONDS, what, every=0.1)

        for number in numbers or range(COUNT):
            await waits(number)

    def hit(self, *keys: str) -> None:
        """Press keys one after the other, as from a keyboard: `press` would wait for a quiet moment each."""
        driver = self.app._driver
        assert driver is not None
        for key in keys:
            event = events.Key(key, key if len(key) == 1 else None)
            event.set_sender(self.app)
            driver.send_message(event)

    def enter(self, line: str) -> None:
        """Type a line at all of them."""
        self.hit(*line, "enter")

    async def at(self, count: int) -> None:
        """Await that so many are typed at."""
        words = f"typing to {count} of {COUNT}"
        await until(lambda: words in self.text(), SECONDS, words, every=0.1)


@pytest.fixture
async def together(make_site: MakeSite, nodes: Callable[..., list[Vm]]) -> AsyncIterator[Together]:
    """Four nodes that boot, and the app that types at them."""
    site = await make_site()
    vms = nodes(site.hosts[0], "vc1", COUNT)
    async with opened(knows(site.ada, site.airboss), size=(160, 48)) as app:
        app.__class__ = Together
        assert isinstance(app, Together)
        app.vms = vms
        await app.live(COUNT)
        async with await site.ada.link() as link:
            started = await act(link, "on", *(vm.plan.name for vm in vms))
        assert {outcome.result for outcome in started} == {"done"}
        await until(lambda: {n.state for n in app.cockpit.desk.live.store.nodes()} == {"on"}, SECONDS, "on")
        await app.go(f"broadcast compute-0-[0-{COUNT - 1}]")
        await until(lambda: isinstance(app.screen, ConfirmScreen) and app.screen.ready, SECONDS, "asked")
        await app.press("y")
        await app.at(COUNT)
        yield app


async def test_four_guests_answer_one_differs_one_dies_and_comes_back_one_floods(together: Together) -> None:
    app = together
    await app.each("login:")
    app.enter("root")
    await app.each("Password:")
    app.enter("pilot")
    await app.prompts()
    app.enter("echo $((6*7))")
    await app.each("42")
    await app.prompts()
    broadcast = app.tab.pane.broadcast
    await until(lambda: not broadcast.differing, SECONDS, "all have said the same")
    # A line that names one of them is the same line for all.
    app.enter("[ $HOSTNAME = compute-0-2 ]; h=$(hostname); echo ${h%-2} | wc -c")
    await app.prompts()
    odd = broadcast.members[2].session
    await until(lambda: broadcast.differing == {odd.node}, SECONDS, "who differs")
    await app.sees(f"≠ {odd.name} answered differently", SECONDS)
    assert "≠" in app.head(2)
    assert not any("≠" in app.head(number) for number in (0, 1, 3))

    await _one_dies_and_comes_back(app)
    await _one_floods(app)


async def _one_dies_and_comes_back(app: Together) -> None:
    app.vms[1].domain.destroy()
    await app.at(COUNT - 1)
    await until(lambda: "off" in app.head(1), SECONDS, "its tile says so")
    assert app.members[1].session.state == "live", "its console stays open: what it said last can be read"
    await app.each("turned off", 1)
    app.enter("echo still $((6*8))")
    await app.each("still 48", 0, 2, 3)
    assert "still" not in app.printed(1)
    assert app.members[1].session.node not in app.tab.pane.broadcast.differing, "who is off answers nothing"
    app.vms[1].start()
    await app.at(COUNT)
    await app.prompts(1, prompt="login:")
    assert "off" not in app.head(1)


async def _one_floods(app: Together) -> None:
    # The one that was turned on again waits for a name, and takes the line for one.
    app.enter("case $(hostname) in *-3) yes flooded;; *) echo calm;; esac")
    await app.each("calm\n", 0, 2)
    session = app.members[3].session
    await app.each("\nflooded\nflooded\nflooded", 3)
    before = session.engine.dropped
    app.enter("echo between $((6*9))")
    await app.each("between 54", 0, 2)
    await until(lambda: session.engine.dropped > before + 100, SECONDS, "it floods meanwhile")
    # The app's own keys work as before, and so does what is typed once more.
    app.hit("ctrl+right_square_bracket")
    await until(lambda: not app.tab.pane.typing, SECONDS, "released")
    app.hit("question_mark")
    await until(lambda: isinstance(app.screen, HelpScreen), SECONDS, "the help")
    app.hit("escape")
    await until(lambda: app.screen is app.tab, SECONDS, "the tiles again")
    app.hit("i", "ctrl+c")
    await app.prompts(3)
    app.enter("echo over $((6*10))")
    await app.each("over 60", 0, 2, 3)
