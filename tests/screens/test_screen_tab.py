"""A screen's tab in the whole app: its keys, the ways it is drawn, what is seen when things go wrong."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from textual import events

from pilot import wire
from pilot.app_config import AppConfig
from pilot.screens.console import ConsoleScreen
from pilot.screens.help import HelpScreen
from pilot.screens.power_menu import PowerMenu
from pilot.screens.screen import ScreenTab
from pilot.screens.strokes_menu import StrokesMenu
from pilot.vnc.framebuffer import Framebuffer, Packed
from pilot.widgets.confirm import ConfirmScreen
from tests.screens.screen_app import AtAScreen, at_a_screen, stripes
from tests.support.waiting import until
from tests.vnc.text.drawing import write

SHIFT, CTRL, ALT = 0x2A, 0x1D, 0x38


def text(*lines: str, columns: int = 80, rows: int = 25) -> Packed:
    """A console with these lines."""
    screen = Framebuffer(columns * 8, rows * 16)
    for number, line in enumerate(lines):
        write(screen, line, 0, number)
    return screen.packed


LOGIN = text("Booting from Hard Disk...", "", "compute-0-0 login:")


def choices(app: AtAScreen) -> tuple[str, ...]:
    return tuple(app.pane.look.drawing.choices)


async def test_text_is_text_and_keys_are_the_guests(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("compute-0-0 login:")
        await app.sees("text 100 %")
        await app.sees("you control · 640x400")
        assert "▣ compute-0-0" in app.text()
        await app.press("q", "A", "1", "escape", "tab", "ctrl+c", "ctrl+q", "f10", "colon")
        down = [0x10, SHIFT, 0x1E, 0x02, 0x01, 0x0F, CTRL, 0x2E, CTRL, 0x10, 0x44, SHIFT, 0x27]
        await until(lambda: len(app.guest.keys) >= len(down), 20, f"{app.guest.keys}")
        assert app.guest.keys == down
        app.cockpit.monotonic = lambda: 100.0
        await app.release()
        assert not app.pane.typing
        await app.sees("send keys")
        await app.press("ctrl+right_square_bracket")
        await until(lambda: app.guest.keys[-2:] == [CTRL, 0x1B], 20, "twice is for the guest")
        assert app.pane.typing


async def test_search_select_and_copy(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, text("one two", "two three", "Kernel panic")) as app:
        await app.sees("Kernel panic")
        await app.release("slash")
        await app.write("two")
        await app.press("enter")
        await app.sees("2 found")
        assert app.pane.framebuffer.marks.current_line == 1
        await app.press("n")
        await until(lambda: app.pane.framebuffer.marks.current_line == 0, 20)
        await app.press("y")
        await until(lambda: app.app.clipboard == "one two\ntwo three\nKernel panic", 20)
        widget = app.pane.framebuffer
        across, down = widget._placed[:2]
        await app.keys.mouse_down(widget, offset=(across + 4, down))
        await app.keys.hover(widget, offset=(across + 2, down + 1))
        await app.keys.mouse_up(widget, offset=(across + 2, down + 1))
        await until(lambda: app.app.clipboard == "two\ntwo", 20, f"{app.app.clipboard!r}")
        assert not app.guest.pointed, "on text the mouse is the user's"


async def test_a_picture_is_half_blocks_and_is_pointed_at(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, stripes(), size=(80, 30)) as app:
        await app.drawn_as("blocks")
        await app.sees("half blocks")
        widget = app.pane.framebuffer
        across, down, *_ = widget._placed
        wide, high = widget.frame.scale
        await app.keys.hover(widget, offset=(across + 10, down + 5))
        await until(lambda: bool(app.guest.pointed), 20)
        assert app.guest.pointed[-1] == (int(10.5 * wide), int(5.5 * high), 0)
        await app.keys.mouse_down(widget, offset=(across + 10, down + 5))
        await app.keys.mouse_up(widget, offset=(across + 12, down + 5))
        await until(lambda: [p[2] for p in app.guest.pointed[-2:]] == [1, 0], 20, f"{app.guest.pointed}")
        app.guest.pointed.clear()
        widget.post_message(
            events.MouseScrollDown(
                widget, across + 3, down + 3, 0, 1, 0, False, False, False, across + 3, down + 6
            )
        )
        await until(lambda: [p[2] for p in app.guest.pointed] == [16, 0], 20, f"{app.guest.pointed}")
        # Released, the mouse is nobody's.
        await app.release()
        app.guest.pointed.clear()
        await app.keys.hover(widget, offset=(across + 1, down + 1))
        assert not app.guest.pointed


async def test_ways_to_draw_zoom_and_pan(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.drawn_as("text")
        assert choices(app) == ("auto", "text", "blocks")
        await app.release("m", "m")
        await app.drawn_as("blocks")
        await app.sees("half blocks")
        fitted = app.pane.framebuffer.frame.scale
        await app.press("plus", "plus")
        await until(lambda: app.pane.framebuffer.frame.scale[0] < fitted[0] / 2, 20)
        middle = app.pane.framebuffer.frame.origin
        assert middle[0] > 0
        await app.press("left", "up")
        await until(lambda: app.pane.framebuffer.frame.origin[0] < middle[0], 20)
        await until(lambda: app.pane.framebuffer.frame.origin[1] < middle[1], 20)
        await app.press("0")
        await until(lambda: app.pane.framebuffer.frame.scale == fitted, 20)
        await app.press("y")
        await until(lambda: app.app.clipboard.endswith("compute-0-0 login:"), 20, "read although it is drawn")
        await app.press("m")
        await app.drawn_as("text")


async def test_text_larger_than_the_room_follows_the_cursor_and_is_panned(tmp_path: Path) -> None:
    lines = text(*(f"line {number}" for number in range(25)))
    async with at_a_screen(tmp_path, lines, size=(60, 16)) as app:
        await app.sees("line 24")
        assert "line 0 " not in app.text()
        await app.release(*["up"] * 12)
        await app.sees("line 0 ")
        await app.press("0")
        await app.sees("line 24")


async def test_the_first_choice_is_a_setting(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN, settings=AppConfig(graphics="blocks")) as app:
        await app.drawn_as("blocks")


async def test_keys_that_terminals_keep(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.release("k", "d")
        await app.shows(ConfirmScreen)
        assert "Press Ctrl+Alt+Del at compute-0-0?" in app.text()
        await app.press("escape")
        await until(lambda: app.screen is app.tab, 20)
        assert not app.guest.keys
        await app.press("k", "c")
        await app.shows(StrokesMenu)
        await app.sees("Ctrl+Alt+F12")
        await app.press("2")
        await until(lambda: app.guest.keys == [CTRL, ALT, 0x3C], 20, f"{app.guest.keys}")
        assert app.pane.typing
        app.guest.scancodes.clear()
        await app.release("k", "s", "t")
        await until(lambda: app.guest.keys == [ALT, 0x54, 0x14], 20, "SysRq that only tells asks nothing")
        await app.release("k", "s", "b")
        await app.shows(ConfirmScreen)
        assert "reboot now" in app.text()
        await app.press("escape")
        await until(lambda: app.screen is app.tab, 20)
        app.guest.scancodes.clear()
        await app.press("k", "o")
        await app.sees("ctrl+alt+")
        await app.write("f3")
        await app.press("enter")
        await until(lambda: app.guest.keys == [CTRL, ALT, 0x3D], 20, f"{app.guest.keys}")


async def test_paste_as_keys(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        app.app.post_message(events.Paste("Ls\n"))
        await until(lambda: app.guest.keys == [SHIFT, 0x26, 0x1F, 0x1C], 20, f"{app.guest.keys}")
        app.guest.scancodes.clear()
        app.app.post_message(events.Paste("漢x"))
        await app.shows(ConfirmScreen)
        await app.sees("漢: that is")
        await app.press("escape")
        await until(lambda: app.pane.typing, 20)
        app.pane.session.paste(app.pane.session.as_typed("x" * 20_000))
        await app.sees("typing, ")
        await app.release("X")
        await app.sees("the rest of the paste is not typed")
        assert len(app.guest.keys) < 20_000


async def test_only_watch_and_alone(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("you control")
        await app.release("v")
        await app.sees("you watch")
        await app.press("enter", "x")
        await app.sees("then t lets you control it")
        assert not app.guest.keys
        await app.release("t")
        await app.sees("you control")
        await until(lambda: app.pane.typing, 20)
        await app.release("x")
        await app.sees("you control, alone")
        assert app.airboss.modes == [
            ("control", False), ("watch", False), ("control", False), ("control", True),
        ]  # fmt: skip


async def test_a_read_only_look_only_watches(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN, readonly=True) as app:
        await app.sees("you watch")
        await app.press("x")
        await app.sees("this is a read-only look")
        await app.release("p", "k", "t")
        assert isinstance(app.screen, ScreenTab)
        assert app.airboss.modes == [("watch", False)]


async def test_a_tab_that_is_not_shown_asks_for_nothing(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        session = app.pane.session
        await app.release("p")
        await app.shows(PowerMenu)
        assert session.looking, "it is seen behind a dialog"
        await app.press("escape")
        await until(lambda: app.screen is app.tab, 20)
        await app.press("1")
        await until(lambda: not session.looking, 20)
        app.guest.draw(text("Kernel panic"))
        # Opened again, it is the same tab.
        await app.press("v")
        await app.sees("Kernel panic")
        assert session.looking
        assert app.app.current_mode == "screen-1"
        assert len(app.airboss.modes) == 1
        await app.release("q")
        await until(lambda: app.app.current_mode == "nodes", 20)
        await until(lambda: session.state != "live" or not app.guest._peers, 20, "the screen is left")


async def test_a_node_that_hangs_or_is_off_is_not_opened(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        store = app.cockpit.desk.live.store

        def becomes(**fields: object) -> None:
            node = msgspec.structs.replace(app.pane.node, **fields)
            store.apply(wire.Delta(store.version + 1, (node,), time=app.cockpit.clock()))

        becomes(hung_ms=3000)
        await app.sees("▲ it hangs: the picture is the last before")
        await app.sees("as it was")
        assert "login:" in app.text()
        await app.press("x")
        await app.sees("nothing is typed: the node hangs")
        assert not app.guest.keys
        app.airboss.end("QEMU is gone")
        await app.sees("▲ it hangs: its screen is opened once it answers")
        becomes(hung_ms=None, state="off")
        await app.sees("○ it is off")
        assert len(app.airboss.modes) == 1, "it was not asked for meanwhile"
        assert "login:" in app.text()
        becomes(state="on")
        await app.sees("you control")


async def test_lost_and_back(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        await app.airboss.stop()
        await app.sees("▲ lost")
        await app.sees("as it was")
        assert "login:" in app.text(), "what was known stays"
        await app.airboss.start(app.airboss.port)
        await app.release("r")
        await until(lambda: app.pane.session.state == "live", 30)
        await app.sees("you control")


async def test_refused(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        app.airboss.refusal = wire.Fault("refused", "not yours any more", "Ask the site's admin.")
        await app.release("v")
        await app.sees("✕ not yours any more")


async def test_nodes_without_a_screen(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.release("1")
        await app.press("end", "v")
        await app.sees("Screen: there is none")
        await app.press("home", "space", "down", "space", "v")
        await until(lambda: app.app.current_mode == "screen-2", 20, "each of the marked in a tab")
        await app.release("c")
        await app.shows(ConsoleScreen)


async def test_save_help_and_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        await app.release("S")
        await app.sees("saved: ")
        (saved,) = tmp_path.glob("compute-0-0-*.png")
        assert saved.read_bytes().startswith(b"\x89PNG")
        await app.press("z")
        await app.sees("this screen has a size of its own")
        await app.press("question_mark")
        await app.shows(HelpScreen)
        await app.sees("text or pixels")


async def test_the_guest_is_asked_for_a_size_that_fits(tmp_path: Path) -> None:
    async with at_a_screen(tmp_path, LOGIN) as app:
        await app.sees("login:")
        app.guest.takes_sizes = True
        await app.release("v")
        await app.sees("you watch")
        await app.press("t")
        await app.sees("you control")
        await until(lambda: app.pane.session.screen is not None, 20)
        await app.sees("login:")
        room = app.pane.framebuffer.content_size
        await until(lambda: app.pane.session.takes_keys, 20)
        await app.release("z")
        await until(lambda: app.guest.sizes_asked == [(room.width * 8, room.height * 16)], 20)
