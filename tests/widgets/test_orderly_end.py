"""An app that ends while what it shows is still being made."""

from __future__ import annotations

import asyncio

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Static

from pilot.widgets.orderly_end import OrderlyEnd

ENDS_SECONDS = 20.0


class _Slow(Widget):
    """Begun while the app ends; looks for its part once it is made."""

    def __init__(self, made: list[str]) -> None:
        super().__init__()
        self._made = made

    def compose(self) -> ComposeResult:
        yield Static("part", id="part")

    def on_mount(self) -> None:
        self.query_one("#part", Static)
        self._made.append("whole")

    def on_unmount(self) -> None:
        self._made.append("gone")


class _Tab(Screen[None]):
    def __init__(self, made: list[str], begun: asyncio.Event, go_on: asyncio.Event) -> None:
        super().__init__()
        self._made, self._begun, self._go_on = made, begun, go_on

    async def _on_compose(self, event: events.Compose) -> None:
        self._begun.set()
        await self._go_on.wait()
        await super()._on_compose(event)

    def compose(self) -> ComposeResult:
        yield _Slow(self._made)


class _App(OrderlyEnd[int], inherit_bindings=False):
    DEFAULT_MODE = "first"

    def __init__(self) -> None:
        super().__init__()
        self.made: list[str] = []
        self.keys: list[str] = []
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.add_mode("first", Screen)
        self.add_mode("tab", lambda: _Tab(self.made, self.begun, self.go_on))

    def on_key(self, event: events.Key) -> None:
        self.keys.append(event.key)


async def _opening(app: _App) -> None:
    """The second mode is being made."""
    app.call_later(app.switch_mode, "tab")
    await asyncio.wait_for(app.begun.wait(), ENDS_SECONDS)


async def test_what_is_being_made_is_made_before_the_end() -> None:
    app = _App()
    async with asyncio.timeout(ENDS_SECONDS), app.run_test():
        await _opening(app)
        asyncio.get_running_loop().call_later(0.05, app.go_on.set)
    assert app.made == ["whole", "gone"]


async def test_nothing_is_begun_once_it_ends() -> None:
    app = _App()
    async with asyncio.timeout(ENDS_SECONDS), app.run_test():
        await _opening(app)
        app.exit(3)
        app.post_message(events.Key("x", "x"))
        await app.switch_mode("first")
        await app.remove_mode("tab")
        assert app.current_mode == "tab"
        app.go_on.set()
    assert app.keys == []
    assert app.return_value == 3
    assert app.made == ["whole", "gone"]
