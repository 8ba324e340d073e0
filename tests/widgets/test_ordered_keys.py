"""Keys that come faster than they are handled."""

from __future__ import annotations

import asyncio

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen, Screen
from textual.widgets import Input

from pilot.widgets.ordered_keys import LONGEST_SECONDS, OrderedKeys
from tests.support.waiting import until


class _Menu(ModalScreen[str]):
    def on_key(self, event: events.Key) -> None:
        event.stop()
        self.dismiss(event.key)


class _Slow(Screen[None]):
    """One that takes longer to be made than keys are usually waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    async def _on_compose(self, event: events.Compose) -> None:
        self.begun.set()
        await self.go_on.wait()
        await super()._on_compose(event)

    def compose(self) -> ComposeResult:
        yield Input(id="slow")

    def on_mount(self) -> None:
        self.query_one("#slow").focus()


class _App(OrderedKeys[None], inherit_bindings=False):
    AUTO_FOCUS = ""
    BINDINGS = [
        Binding("colon", "line"),
        Binding("p", "menu"),
        Binding("s", "slow"),
        Binding("x", "command('x')"),
        Binding("o", "command('o')"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.commands: list[str] = []
        self.chosen: list[str | None] = []
        self.slow = _Slow()

    def compose(self) -> ComposeResult:
        yield Input()

    def action_line(self) -> None:
        self.query_one(Input).focus()

    def action_slow(self) -> None:
        self.add_mode("slow", lambda: self.slow)
        self.switch_mode("slow")

    def action_menu(self) -> None:
        self.push_screen(_Menu(), self.chosen.append)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        # In two steps, as messages between widgets go.
        self.call_later(self._leave, event.value)

    def _leave(self, line: str) -> None:
        self.commands.append(f"line {line}")
        self.set_focus(None)

    def action_command(self, name: str) -> None:
        self.commands.append(name)


def _burst(app: _App, keys: str) -> None:
    """All at once, as a terminal's driver does with what is typed ahead."""
    for character in keys:
        key = {":": "colon", "\r": "enter"}.get(character, character)
        event = events.Key(key, character)
        event.set_sender(app)
        app.post_message(event)


async def test_what_is_typed_behind_a_colon_is_on_the_line_and_no_command() -> None:
    app = _App()
    async with app.run_test():
        _burst(app, ":xoxo")
        await until(lambda: app.query_one(Input).value == "xoxo")
        assert app.commands == []


async def test_what_is_typed_behind_the_end_of_a_line_is_no_part_of_it() -> None:
    app = _App()
    async with app.run_test():
        _burst(app, ":ab\rxo")
        await until(lambda: app.commands == ["line ab", "x", "o"])


async def test_the_second_key_is_the_menus() -> None:
    app = _App()
    async with app.run_test():
        _burst(app, "poxpx")
        await until(lambda: app.chosen == ["o", "x"])
        assert app.commands == ["x"]


async def test_keys_for_a_screen_that_takes_long_to_be_made_wait_for_it() -> None:
    app = _App()
    async with app.run_test():
        _burst(app, "sxo")
        async with asyncio.timeout(20):
            await app.slow.begun.wait()
        # Longer than a key is waited for that leads nowhere.
        waited = asyncio.Event()
        asyncio.get_running_loop().call_later(3 * LONGEST_SECONDS, waited.set)
        await waited.wait()
        assert app.commands == []
        app.slow.go_on.set()
        await until(lambda: app.slow.query(Input) and app.slow.query_one(Input).value == "xo")
        assert app.commands == []


async def test_keys_keep_their_order_by_the_hundred() -> None:
    app = _App()
    async with app.run_test():
        typed = "xo" * 150
        _burst(app, typed)
        await until(lambda: len(app.commands) == len(typed), deadline=30)
        assert "".join(app.commands) == typed


async def test_a_paste_waits_its_turn() -> None:
    app = _App()
    async with app.run_test():
        _burst(app, ":")
        app.post_message(events.Paste("pasted"))
        await until(lambda: app.query_one(Input).value == "pasted")


async def test_a_widget_that_is_busy_holds_keys_up_for_a_while_only() -> None:
    app = _App()
    async with app.run_test():
        # Its key never comes back: the widget was taken away while it had the key.
        app.query_one(Input).focus()
        await until(lambda: app.focused is not None)
        _burst(app, "a")
        await app.query_one(Input).remove()
        _burst(app, "x")
        await until(lambda: app.commands == ["x"])
