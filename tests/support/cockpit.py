"""The whole app, as a person opens it, against an airboss that runs; and what a person sees of it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from textual._context import visible_screen_stack
from textual.events import Key
from textual.keys import _character_to_key
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widgets import Input

from pilot.agent.settings import load_settings
from pilot.app import PilotApp
from pilot.app_config import AppConfig
from pilot.client_config import ClientConfig, Site
from pilot.live.cockpit import Cockpit
from pilot.live.connecting import Connecting
from pilot.live.sites import LiveSites
from pilot.records import Node
from pilot.screens.nodes import NodesScreen
from pilot.screens.questions import AppAsker
from pilot.widgets.cell_line import CellLine
from pilot.widgets.key_bar import KeyBar
from pilot.widgets.prompt import Prompt
from tests.support.airboss import Airboss, Person
from tests.support.waiting import until

LIVE_SECONDS = 30.0
Keys = Pilot[int]


def knows(person: Person, *bosses: Airboss, pin: bool = True) -> ClientConfig:
    """A person's configuration with these airbosses as the sites `one`, `two`, …

    Without `pin` no host key is known yet.
    """
    config = ClientConfig(person.folder / "config")
    for name, boss in zip(("one", "two", "three"), bosses, strict=False):
        config.remember(Site(name, "127.0.0.1", boss.port, key=str(person.key)))
    if pin:
        config.known_hosts.write_text("".join(f"[127.0.0.1]:{b.port} {host_key(b)}\n" for b in bosses))
    return config


def host_key(boss: Airboss) -> str:
    """The public host key of an airboss, as known_hosts has it."""
    public = load_settings(boss.config).host_key.with_suffix(".pub").read_text()
    return " ".join(public.split()[:2])


def cockpit_of(
    config: ClientConfig, settings: AppConfig | None = None, *, scope: str = "", readonly: bool = False
) -> tuple[Cockpit, Connecting]:
    """What `pilot` makes before it opens the app."""
    connecting = Connecting(config)
    sites = LiveSites(config, connecting.to, first=config.find(None))
    cockpit = Cockpit(config, settings or AppConfig(), sites, scope=scope, readonly=readonly)
    return cockpit, connecting


class Opened:
    """The app as it runs, with hands and eyes."""

    def __init__(self, app: PilotApp, keys: Keys) -> None:
        self.app = app
        self.keys = keys
        self.cockpit = app.cockpit

    @property
    def screen(self) -> Screen[Any]:
        """What is on top."""
        return self.app.screen

    @property
    def nodes(self) -> NodesScreen:
        """The nodes' screen, wherever it is."""
        found = self.app._screen_stacks["nodes"][0]
        assert isinstance(found, NodesScreen)
        return found

    async def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        await self.keys.press(*keys)

    async def write(self, text: str) -> None:
        """Type a text: on a line or at a guest as fast as the app takes it, else key by key.

        `press` waits twice after each key until the process is idle, up to a second each time: on a busy
        machine a few lines take minutes.
        """
        focused = self.app.focused
        if not (isinstance(focused, Input) or getattr(focused, "TAKES_ALL_KEYS", False)):
            await self.keys.press(*("space" if character == " " else character for character in text))
            return
        for character in text:
            self.app.post_message(Key(_character_to_key(character), character))
        await self.keys._wait_for_screen()
        await until(lambda: self.app._handling is None and not self.app._typed, 30.0, f"{text!r} is typed")

    async def go(self, line: str) -> None:
        """Type a `:` line and enter it."""
        await self._enter("colon", line)

    async def find(self, text: str) -> None:
        """Type a filter and enter it."""
        await self._enter("slash", text)

    async def _enter(self, sign: str, text: str) -> None:
        await self.press(sign)
        await self.write(text)
        await self.press("enter")

    def line(self, which: str) -> str:
        """The text of a line of the screen: title, filter, flash."""
        return self.app.screen_stack[0].query_one(f"#{which}", CellLine).shown

    def note(self) -> str:
        """What stands above the line that is typed on."""
        return self.app.screen.query_one(Prompt).query_one("#prompt-offers", CellLine).shown

    def bar(self) -> str:
        """The line of keys."""
        return self.app.screen_stack[0].query_one(KeyBar).render().plain

    def names(self) -> list[str]:
        """The names of the nodes that are shown, in order."""
        return [name_of(self.nodes.table.row(key)) for key in self.nodes.table.shown]

    @property
    def under_cursor(self) -> str:
        """The node that the cursor is on."""
        return name_of(self.nodes.table.cursor_row)

    def marked(self) -> set[str]:
        """The names of the marked nodes."""
        return {name_of(self.nodes.table.row(key)) for key in self.nodes.table.marks}

    def node(self, name: str) -> Node:
        """A node as the store has it."""
        return next(node for node in self.cockpit.desk.live.store.nodes() if node.name == name)

    def text(self) -> str:
        """All that is on the screen, as a person reads it."""
        # Without the screens below it a dialog would be drawn, and kept, on an empty ground.
        visible_screen_stack.set(self.app._background_screens)
        return "\n".join(strip.text for strip in self.app.screen._compositor.render_strips())

    def row(self, name: str) -> str:
        """The line on the screen that has this name."""
        return next((line for line in self.text().splitlines() if name in line.split()), "")

    async def sees(self, wanted: str | Callable[[], object], deadline: float = 30.0) -> None:
        """Await that a text is on the screen, or that something holds."""
        if callable(wanted):
            await until(wanted, deadline, every=0.02)
        else:
            text = wanted
            await until(lambda: text in self.text(), deadline, f"{text!r} on:\n{self.text()}", every=0.02)

    async def shows(self, kind: type[Screen[Any]]) -> None:
        """Await a screen of this kind."""
        await until(lambda: isinstance(self.app.screen, kind), 30.0, f"{kind}, is {self.app.screen}")

    async def live(self, nodes: int | None = None) -> None:
        """Await that the site is live and its nodes are in the table."""
        live = self.cockpit.desk.live
        await until(lambda: live.state == "live", LIVE_SECONDS, f"live, is {live.state}: {live.error}")
        if nodes is not None:
            await until(lambda: self.nodes.table.total == nodes, LIVE_SECONDS, f"{nodes} nodes")


@asynccontextmanager
async def opened(
    config: ClientConfig,
    settings: AppConfig | None = None,
    *,
    size: tuple[int, int] = (100, 30),
    scope: str = "",
    readonly: bool = False,
    before: Sequence[Callable[[Cockpit], object]] = (),
) -> AsyncIterator[Opened]:
    """Open the app; it is closed behind it as quitting does."""
    cockpit, connecting = cockpit_of(config, settings, scope=scope, readonly=readonly)
    for prepare in before:
        prepare(cockpit)
    app = PilotApp(cockpit)
    connecting.asker = AppAsker(app)
    async with app.run_test(size=size) as keys:
        yield Opened(app, keys)


def name_of(node: Node | None) -> str:
    """A node's name; nothing for none."""
    return "" if node is None else node.name
