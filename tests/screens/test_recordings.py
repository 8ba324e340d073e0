"""Recordings in the whole app: their list, one that plays in a tab, and the key that begins and ends them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from keys.identity import identities
from pilot.app import PilotApp
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig
from pilot.link.link import Link
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.live.cockpit import Cockpit
from pilot.live.sites import LiveSites
from pilot.screens.player_tab import PlayerScreen
from pilot.screens.recordings import RecordingsScreen
from tests.client.recorded import DATA, ID, Recorded
from tests.client.stand_in import NOW, StandIn, User, node
from tests.support.cockpit import Opened
from tests.support.waiting import until


class WithRecordings(Opened):
    """The app at a site that has recordings."""

    recorded: Recorded
    airboss: StandIn

    @property
    def listing(self) -> RecordingsScreen:
        """The list."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, RecordingsScreen), screen
        return screen

    @property
    def player(self) -> PlayerScreen:
        """The player's tab."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, PlayerScreen), screen
        return screen

    async def plays(self) -> None:
        """Await that a recording plays in the tab in front."""
        await until(lambda: self.app.current_mode.startswith("player"), what="the tab")
        await until(lambda: self.player.pane is not None and self.player.pane.has_focus, what="it plays")

    def asked(self) -> list[str]:
        """The verbs that were asked for, but for what looks."""
        return [body.verb for body in self.airboss.asked if body.verb in ("record.start", "record.stop")]


Open = Callable[[], AbstractAsyncContextManager[WithRecordings]]


@pytest.fixture
def at_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    monkeypatch.chdir(tmp_path)

    @asynccontextmanager
    async def opened() -> AsyncIterator[WithRecordings]:
        airboss = StandIn()
        airboss.records[2:] = [node(0, state="on"), node(1, state="on", recorded=True)]
        recorded = Recorded(airboss)
        airboss.on_request = recorded.answer
        await airboss.start()
        try:
            user = User(tmp_path, airboss)

            async def connect() -> Link:
                found = await identities([user.key_file], False, None)
                hosts = KnownHosts(user.config / "known_hosts", accept_first_use)
                return await Link.connect(airboss.site, found, hosts)

            config = ClientConfig(tmp_path)
            sites = LiveSites(config, lambda _site: connect, airboss.site)
            app = PilotApp(Cockpit(config, AppConfig(), sites, scope="vc1", clock=lambda: NOW + 200))
            async with app.run_test(size=(110, 30)) as keys:
                it = WithRecordings(app, keys)
                it.recorded, it.airboss = recorded, airboss
                await it.live(2)
                yield it
        finally:
            await airboss.stop()

    return opened


async def test_the_list_one_is_played_saved_and_filtered(at_recordings: Open, tmp_path: Path) -> None:
    async with at_recordings() as app:
        going = msgspec.structs.replace(
            app.recorded.recording,
            id="ff00ff00ff00ff00",
            name="compute-0-1",
            node=app.node("compute-0-1").id,
            started=NOW + 100,
            ended=0.0,
            why_ended="",
        )
        app.recorded.others = (going,)
        await app.go("recordings")
        await app.sees("2 recordings, ◉ 1 goes on")
        assert "1:30" in app.row("compute-0-0")
        assert "ada ended it" in app.row("compute-0-0")
        assert "1:40" in app.row("compute-0-1")
        assert "◉ goes on" in app.row("compute-0-1")
        assert app.listing.table.cursor == going.id, "the newest is first"
        assert "end it" in app.bar()
        await app.press("e")
        await until(lambda: app.asked() == ["record.stop"], what="it was asked")
        await app.find("state:ended")
        await app.sees("1 of 2 recordings")
        assert "end it" not in app.bar()
        await app.press("w")
        await app.sees("as the journal has it sealed")
        (saved,) = tmp_path.glob("*.cast")
        assert saved.read_bytes() == DATA
        await app.press("w")
        await app.sees("there is already")

        await app.press("enter")
        await app.plays()
        await app.sees("login:")
        assert "compute-0-0, recorded" in app.line("recording")
        assert "as the journal has it sealed" in app.line("recording")
        await app.press("slash", "S", "e", "a", "enter")
        await app.sees("1 found")
        await app.press("home")
        pane = app.player.pane
        assert pane is not None
        await until(lambda: pane.player.position == 0.0 and not pane.player.seeking, what="the beginning")
        await app.press("m")
        await until(lambda: pane.player.position == 1.0 and pane.player.engine.text(0) == "SeaBIOS", what="m")
        await app.press("escape")
        await until(lambda: app.app.current_mode == "recordings", what="back")
        await app.press("enter")
        await until(lambda: app.app.current_mode == "player-1", what="the same tab")
        await app.press("q")
        await until(lambda: app.app.current_mode == "recordings", what="the tab is closed")
        await app.press("escape")
        await until(lambda: not app.listing.filter_text, what="no filter")
        await app.press("q")
        await until(lambda: app.app.current_mode == "nodes", what="the list is closed")
        assert not app.cockpit.opened


async def test_play_by_name_and_what_cannot_be_played(at_recordings: Open) -> None:
    async with at_recordings() as app:
        await app.go("play compute-0-0")
        await app.plays()
        await app.press("q")
        await until(lambda: app.app.current_mode == "nodes", what="closed")
        await app.go("play nothing")
        await app.sees("there is no recording 'nothing'")
        await app.press("q")
        app.recorded.data = DATA.replace(b"login", b"admin")
        await app.go(f"play {ID[:6]}")
        await app.plays()
        await app.sees("not what was recorded")
        await app.press("q")
        app.recorded.cut = 10
        await app.go(f"play {ID}")
        await app.sees("10 bytes before its end")
        assert "try again" in app.bar()
        app.recorded.cut = 0
        await app.press("r")
        await app.plays()


async def test_a_key_begins_and_ends_a_recording(at_recordings: Open) -> None:
    async with at_recordings() as app:
        await app.press("o")
        await until(lambda: app.asked() == ["record.start"], what="asked")
        await app.press("j", "o")
        await until(lambda: app.asked() == ["record.start", "record.stop"], what="asked")
        await app.press("c")
        await until(lambda: app.app.current_mode == "console-1", what="the tab")
        await app.sees("◉ recorded")
        await app.press("ctrl+right_square_bracket", "o")
        await until(lambda: app.asked()[2:] == ["record.stop"], what="asked")
