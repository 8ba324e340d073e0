"""The whole app at a console that a test plays: over real SSH, from a stand-in for airboss."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from keys.identity import identities
from pilot.app import PilotApp
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig
from pilot.link.link import Link
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.live.cockpit import Cockpit
from pilot.live.sites import LiveSites
from pilot.screens.console import ConsoleScreen
from pilot.screens.console_pane import ConsolePane
from tests.client.stand_in import StandIn, User, node
from tests.live.console_guest import Guest
from tests.support.cockpit import Opened
from tests.support.waiting import until


class AtAConsole(Opened):
    """The app with the console of compute-0-0 in front."""

    guest: Guest
    airboss: StandIn

    @property
    def console(self) -> ConsoleScreen:
        """The tab in front."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, ConsoleScreen), screen
        return screen

    @property
    def pane(self) -> ConsolePane:
        """The console that is typed at, or was last."""
        return self.console.active

    async def release(self, *keys: str) -> None:
        """Press the key that leaves, then others."""
        await self.press("ctrl+right_square_bracket", *keys)

    async def typed(self, data: bytes) -> None:
        """Await that the guest was sent this, at last."""
        await until(lambda: self.guest.typed.endswith(data), what=f"{data!r}, is {self.guest.typed[-80:]!r}")


@asynccontextmanager
async def at_a_console(
    folder: Path,
    *,
    size: tuple[int, int] = (80, 24),
    settings: AppConfig | None = None,
    printed: bytes = b"compute-0-0 login: ",
) -> AsyncIterator[AtAConsole]:
    """Open the app and the console of the first of three nodes that are on."""
    airboss = StandIn()
    airboss.records[2:] = [node(number, state="on") for number in range(3)]
    guest = Guest(airboss)
    guest.printed = printed
    await airboss.start()
    try:
        user = User(folder, airboss)

        async def connect() -> Link:
            found = await identities([user.key_file], False, None)
            return await Link.connect(
                airboss.site, found, KnownHosts(user.config / "known_hosts", accept_first_use)
            )

        config = ClientConfig(folder)
        sites = LiveSites(config, lambda _site: connect, airboss.site)
        app = PilotApp(Cockpit(config, settings or AppConfig(), sites, scope="vc1"))
        async with app.run_test(size=size) as keys:
            opened = AtAConsole(app, keys)
            opened.guest, opened.airboss = guest, airboss
            await opened.live(3)
            await opened.press("c")
            await until(lambda: app.current_mode == "console-1", what="the tab")
            await until(lambda: opened.pane.session.state == "live", what="the console")
            yield opened
    finally:
        await airboss.stop()
