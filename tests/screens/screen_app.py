"""The whole app at a screen that a test plays: over real SSH, from a stand-in for airboss."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import numpy as np

from keys.identity import identities
from pilot import wire
from pilot.app import PilotApp
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig
from pilot.link.link import Link
from pilot.link.trust import KnownHosts, accept_first_use
from pilot.live.cockpit import Cockpit
from pilot.live.sites import LiveSites
from pilot.records import Node
from pilot.screens.screen import ScreenTab
from pilot.screens.screen_pane import ScreenPane
from pilot.vnc.framebuffer import Packed
from tests.client.stand_in import Channel, StandIn, User, node
from tests.support.cockpit import Opened
from tests.support.vnc_guest import VncGuest
from tests.support.waiting import until

WHITE = 0xFFFFFF


class ScreenBoss(StandIn):
    """A stand-in whose nodes all have the screen of one guest."""

    def __init__(self, guest: VncGuest) -> None:
        super().__init__()
        self.guest = guest
        self.refusal: wire.Fault | None = None
        self.modes: list[tuple[object, object]] = []
        self._channels: list[Channel] = []
        self.on_request = self.serve
        self.records[2:] = [
            msgspec.structs.replace(node(number, state="on"), screen=number < 2, serial=True)
            for number in range(3)
        ]

    async def serve(self, channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        if body.verb != "screen.open":
            await self.answer(channel, request, body)
            return
        self.modes.append((body.args["mode"], body.args["exclusive"]))
        target = next(node for node in self.nodes(()) if {node.name, node.id} & {*body.targets})
        if self.refusal is not None:
            outcome = wire.Outcome(target.name, "refused", fault=self.refusal)
            channel.send(self.signed(request, (outcome,)))
            return
        controlling = body.args["mode"] == "control"
        done = wire.Outcome(target.name, "done", target.id, target.state)
        attached = wire.ScreenAttached(target.id, target.name, controlling, bool(body.args["exclusive"]))
        channel.send(self.signed(request, (done,)), attached)
        peer = self.guest.connect(lambda data: self._output(channel, data))
        self._channels.append(channel)
        try:
            while True:
                frame = await channel.frames.get()
                if isinstance(frame, wire.Input):
                    peer.feed(frame.data)
        finally:
            self.guest.leave(peer)
            self._channels.remove(channel)

    def end(self, why: str) -> None:
        """Send all who look away."""
        for channel in tuple(self._channels):
            channel.send(wire.Notice("closed", why, final=True))

    @staticmethod
    def _output(channel: Channel, data: bytes) -> None:
        for start in range(0, len(data), wire.MAX_SCREEN_CHUNK):
            channel.send(wire.Output(data[start : start + wire.MAX_SCREEN_CHUNK]))


class AtAScreen(Opened):
    """The app with the screen of compute-0-0 in front."""

    guest: VncGuest
    airboss: ScreenBoss

    @property
    def tab(self) -> ScreenTab:
        """The tab in front."""
        screen = self.app.screen_stack[0]
        assert isinstance(screen, ScreenTab), screen
        return screen

    @property
    def pane(self) -> ScreenPane:
        """The screen in it."""
        return self.tab.pane

    async def release(self, *keys: str) -> None:
        """Press the key that leaves, then others."""
        await self.press("ctrl+right_square_bracket", *keys)

    async def drawn_as(self, kind: str) -> None:
        """Await how it is drawn."""
        drawing = self.pane.look.drawing
        await until(lambda: drawing.kind == kind, 20, f"{kind}, is {drawing.kind} {drawing.quality}")


@asynccontextmanager
async def at_a_screen(
    folder: Path,
    picture: Packed,
    *,
    size: tuple[int, int] = (100, 32),
    settings: AppConfig | None = None,
    readonly: bool = False,
) -> AsyncIterator[AtAScreen]:
    """Open the app and the screen of the first of two nodes that have one."""
    guest = VncGuest()
    guest.picture = picture
    airboss = ScreenBoss(guest)
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
        app = PilotApp(Cockpit(config, settings or AppConfig(), sites, scope="vc1", readonly=readonly))
        async with app.run_test(size=size) as keys:
            opened = AtAScreen(app, keys)
            opened.guest, opened.airboss = guest, airboss
            await opened.live(3)
            await opened.press("v")
            await until(lambda: app.current_mode == "screen-1", what="the tab")
            await until(lambda: opened.pane.session.screen is not None, 20, "the picture")
            yield opened
    finally:
        await airboss.stop()


def first_node(airboss: StandIn) -> Node:
    """The node whose screen is in front."""
    return airboss.nodes(())[0]


def stripes(width: int = 640, height: int = 400) -> Packed:
    """A picture that is no text."""
    down, across = np.mgrid[0:height, 0:width]
    picture: Packed = np.empty((height, width), np.uint32)
    picture[...] = (across * 3 & 0xFF) | (down * 5 & 0xFF) << 8 | (across + down & 0xFF) << 16
    return picture
