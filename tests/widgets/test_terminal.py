"""The terminal widget: what it draws, what it takes, and what never gets past it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.geometry import Offset
from textual.message import Message
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widgets import Input

from pilot.console.bittty_engine import BitttyEngine
from pilot.widgets.terminal import TerminalWidget


class TerminalApp(App[None], inherit_bindings=False):
    """A terminal, another widget, and bindings that the guest must not lose its keys to."""

    ENABLE_COMMAND_PALETTE = False
    BINDINGS = [Binding("q", "quit"), Binding("ctrl+c", "quit"), Binding("tab", "app.focus_next")]

    def __init__(self, fixed: bool = False) -> None:
        super().__init__()
        self.engine = BitttyEngine(80, 24)
        self.fixed = fixed
        self.terminal = TerminalWidget(self.engine, fixed=fixed)
        self.told: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.terminal
        yield Input(id="other")

    def on_mount(self) -> None:
        self.query_one("#other").styles.height = 1
        self.query_one("#other").styles.border = ("none", "black")
        self.terminal.focus()

    def on_terminal_display_resized(self, event: TerminalWidget.Resized) -> None:
        self.engine.resize(event.columns, event.rows)
        self.terminal.engine_changed()
        self.told.append(event)

    def on_terminal_widget_keys_typed(self, event: TerminalWidget.KeysTyped) -> None:
        self.told.append(event)

    def on_terminal_widget_pasted(self, event: TerminalWidget.Pasted) -> None:
        self.told.append(event)

    def on_terminal_widget_release_requested(self, event: TerminalWidget.ReleaseRequested) -> None:
        self.told.append(event)

    def on_terminal_display_copied(self, event: TerminalWidget.Copied) -> None:
        self.told.append(event)

    def feed(self, data: bytes) -> None:
        self.engine.feed(data)
        self.terminal.engine_changed()

    @property
    def typed(self) -> bytes:
        return b"".join(event.data for event in self.told if isinstance(event, TerminalWidget.KeysTyped))

    def rows(self) -> list[str]:
        """What is drawn, without the other widget's line."""
        height = self.terminal.size.height
        strips = self.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in strips[:height]]


Run = tuple[TerminalApp, Pilot[None]]


@asynccontextmanager
async def running(columns: int = 80, rows: int = 25, *, fixed: bool = False) -> AsyncIterator[Run]:
    app = TerminalApp(fixed)
    async with app.run_test(size=(columns, rows)) as pilot:
        await pilot.pause()
        yield app, pilot


async def drawn(pilot: Pilot[None]) -> None:
    """Await the frames that are due."""
    await pilot.pause(0.05)


KEYS = {
    "a": b"a",
    "Q": b"Q",
    "q": b"q",
    "space": b" ",
    "enter": b"\r",
    "escape": b"\x1b",
    "tab": b"\t",
    "shift+tab": b"\x1b[Z",
    "backspace": b"\x7f",
    "delete": b"\x1b[3~",
    "up": b"\x1b[A",
    "down": b"\x1b[B",
    "right": b"\x1b[C",
    "left": b"\x1b[D",
    "home": b"\x1b[H",
    "end": b"\x1b[F",
    "pageup": b"\x1b[5~",
    "pagedown": b"\x1b[6~",
    "insert": b"\x1b[2~",
    "f1": b"\x1bOP",
    "f12": b"\x1b[24~",
    "ctrl+a": b"\x01",
    "ctrl+c": b"\x03",
    "ctrl+d": b"\x04",
    "ctrl+p": b"\x10",
    "ctrl+q": b"\x11",
    "ctrl+s": b"\x13",
    "ctrl+z": b"\x1a",
    "ctrl+backslash": b"\x1c",
    "ctrl+left": b"\x1b[1;5D",
    "colon": b":",
    "question_mark": b"?",
    "slash": b"/",
    "1": b"1",
}


async def test_every_key_is_the_guest_s() -> None:
    async with running() as (app, pilot):
        for key, expected in KEYS.items():
            app.told.clear()
            await pilot.press(key)
            assert app.typed == expected, key
        assert app.focused is app.terminal
        app.told.clear()
        await pilot.press("super+a", "left_shift")
        assert app.typed == b""


async def test_the_release_key_alone_is_not() -> None:
    async with running() as (app, pilot):
        app.told.clear()
        await pilot.press("ctrl+right_square_bracket")
        assert [type(event) for event in app.told] == [TerminalWidget.ReleaseRequested]


async def test_draws_text_colours_and_cursor() -> None:
    async with running() as (app, pilot):
        app.feed(b"plain \x1b[31mred \x1b[38;2;1;2;3mrgb\x1b[0m \x1b[7mreverse\x1b[0m wide \xe4\xb8\xad!")
        await drawn(pilot)
        assert app.rows()[0].startswith("plain red rgb reverse wide 中!")
        strip = app.screen._compositor.render_strips()[0]
        styles = {segment.text.strip(): segment.style for segment in strip if segment.style is not None}
        assert styles["reverse"].reverse
        assert styles["rgb"].color is not None
        assert styles["rgb"].color.triplet is not None
        assert tuple(styles["rgb"].color.triplet) == (1, 2, 3)
        place = app.engine.cursor.column
        cursor = app.terminal.render_lines(app.terminal.size.region)[0].crop(place, place + 1)
        assert [segment.style.reverse for segment in cursor if segment.style is not None] == [True]


async def test_palette_colours_stay_the_user_s_where_the_theme_is_the_terminal_s() -> None:
    async with running() as (app, pilot):
        app.theme = "ansi-dark"
        app.feed(b"\x1b[31mred")
        await drawn(pilot)
        strip = app.screen._compositor.render_strips()[0]
        (style,) = [segment.style for segment in strip if segment.text == "red"]
        assert style is not None
        assert style.color is not None
        assert style.color.number == 1
        assert style.color.triplet is None


async def test_tells_its_size_down_to_one_cell() -> None:
    async with running(100, 31) as (app, pilot):
        assert (app.engine.columns, app.engine.rows) == (100, 30)
        app.feed(b"some text that is longer than one cell\r\n" * 40)
        for columns, rows in ((1, 2), (2, 1), (1, 1), (60, 20)):
            await pilot.resize_terminal(columns, rows)
            await drawn(pilot)
        assert (app.engine.columns, app.engine.rows) == (60, 19)
        app.feed(b"\r\nand text again")
        await drawn(pilot)
        assert any("and text again" in row for row in app.rows())


async def test_a_fixed_size_stands_in_the_middle() -> None:
    async with running(100, 41, fixed=True) as (app, pilot):
        app.feed(b"\x1b[?1049h\x1b[Htop left")
        await drawn(pilot)
        assert (app.engine.columns, app.engine.rows) == (80, 24)
        assert app.rows()[8] == " " * 10 + "top left"
        await pilot.resize_terminal(40, 11)
        app.feed(b"\x1b[24;70Hhere")
        await drawn(pilot)
        assert app.rows()[-1].endswith("here"), "a small window follows the cursor"


async def test_looking_back_stays_in_place_and_says_what_is_new() -> None:
    async with running(80, 25) as (app, pilot):
        app.feed(b"".join(b"line %d\r\n" % number for number in range(100)))
        await drawn(pilot)
        assert app.rows()[-2] == "line 99"
        await pilot.press("shift+pageup")
        await drawn(pilot)
        top = app.rows()[0]
        assert top == "line 54"
        assert app.rows()[-1].endswith("looking back")
        app.feed(b"one more\r\nand more\r\n")
        await drawn(pilot)
        assert app.rows()[0] == top
        assert app.rows()[-1].endswith("2 new lines")
        await pilot.press("x")
        await drawn(pilot)
        assert app.rows()[-2] == "and more", "typing goes to the bottom"
        assert app.typed == b"x"


async def test_the_wheel_looks_back_or_is_arrows_or_the_guest_s() -> None:
    async with running() as (app, pilot):
        app.feed(b"".join(b"line %d\r\n" % number for number in range(100)))
        await drawn(pilot)
        await pilot._post_mouse_events([events.MouseScrollUp], app.terminal, button=0)
        await drawn(pilot)
        assert app.rows()[0] == "line 74"
        await pilot._post_mouse_events([events.MouseScrollDown], app.terminal, button=0)
        app.feed(b"\x1b[?1049h")
        await pilot._post_mouse_events([events.MouseScrollUp], app.terminal, button=0)
        await pilot.pause()
        assert app.typed == b"\x1b[A" * 3
        app.told.clear()
        app.feed(b"\x1b[?1000h\x1b[?1006h")
        await pilot._post_mouse_events([events.MouseScrollUp], app.terminal, (4, 2), button=0)
        await pilot.pause()
        assert app.typed == b"\x1b[<64;5;3M"


async def test_the_mouse_is_the_guest_s_if_it_asked() -> None:
    async with running() as (app, pilot):
        app.feed(b"\x1b[?1002h\x1b[?1006h")
        await pilot.mouse_down(app.terminal, offset=(3, 1))
        await pilot.mouse_up(app.terminal, offset=(3, 1))
        await pilot.pause()
        # Textual's pilot moves the mouse with the button held before it presses, and before it releases.
        assert app.typed.replace(b"\x1b[<32;4;2M", b"") == b"\x1b[<0;4;2M\x1b[<0;4;2m"


async def drag(pilot: Pilot[None], start: Offset, end: Offset) -> None:
    await pilot.mouse_down(offset=start)
    await pilot.hover(offset=end)
    await pilot.mouse_up(offset=end)
    await drawn(pilot)


def copied(app: TerminalApp) -> list[str]:
    return [event.text for event in app.told if isinstance(event, TerminalWidget.Copied)]


async def test_selecting_copies() -> None:
    async with running(40, 11) as (app, pilot):
        app.feed(b"first line here\r\nsecond /var/log/messages\r\n" + b"w" * 60 + b"\r\n")
        await drawn(pilot)
        await drag(pilot, Offset(6, 0), Offset(5, 1))
        assert copied(app) == ["line here\nsecond"]
        assert app.clipboard == "line here\nsecond"
        await pilot.click(offset=(10, 1), times=2)
        assert copied(app)[-1] == "/var/log/messages"
        await pilot.click(offset=(10, 3), times=3)
        assert copied(app)[-1] == "w" * 60, "a line that was wrapped is one"
        app.told.clear()
        await pilot.click(offset=(1, 0))
        assert copied(app) == [], "a click alone selects nothing"


async def test_selection_and_matches_show_without_colours() -> None:
    async with running(40, 11) as (app, pilot):
        app.feed(b"one two three two\r\n")
        await drawn(pilot)
        assert app.terminal.search("two") == 2
        await drawn(pilot)
        strip = app.terminal.render_lines(app.terminal.size.region)[0]
        found = {segment.text: segment.style for segment in strip if segment.style is not None}
        assert found["two"].underline, "the last one, which is the current one, is underlined"
        await drag(pilot, Offset(0, 0), Offset(2, 0))
        strip = app.terminal.render_lines(app.terminal.size.region)[0]
        (one,) = [segment.style for segment in strip if segment.text == "one" and segment.style is not None]
        assert one.reverse


async def test_search_goes_from_place_to_place() -> None:
    async with running(40, 11) as (app, pilot):
        app.feed(b"".join(b"line %d %s\r\n" % (n, b"Panic" if n % 30 == 0 else b"") for n in range(100)))
        await drawn(pilot)
        assert app.terminal.search("panic") == 4
        await drawn(pilot)
        assert any("line 90 Panic" in row for row in app.rows())
        assert app.terminal.search_next(-1)
        await drawn(pilot)
        assert any("line 60 Panic" in row for row in app.rows())
        assert app.terminal.search_next(1)
        assert app.terminal.search_next(1), "around the end"
        await drawn(pilot)
        assert any("line 0 Panic" in row for row in app.rows())
        assert app.terminal.search("PANIC") == 0, "capital letters count"
        assert app.terminal.search("") == 0


async def test_a_paste_is_told_and_not_typed() -> None:
    async with running() as (app, pilot):
        app.terminal.post_message(events.Paste("one\ntwo"))
        await pilot.pause()
        assert [event.text for event in app.told if isinstance(event, TerminalWidget.Pasted)] == ["one\ntwo"]
        assert app.typed == b""


async def test_focus_is_told_to_a_guest_that_asked() -> None:
    async with running() as (app, pilot):
        app.query_one("#other").focus()
        await pilot.pause()
        assert app.typed == b""
        app.feed(b"\x1b[?1004h")
        app.terminal.focus()
        await pilot.pause()
        app.query_one("#other").focus()
        await pilot.pause()
        assert app.typed == b"\x1b[I\x1b[O"


HOSTILE = (
    b"\x1b]0;owned\x07\x1b]2;owned\x1b\\\x1bkowned\x1b\\\x1b]52;c;b3duZWQ=\x07\x1b]52;c;?\x07\x1b]8;;http://evil\x1b\\"
    b"link\x1b]8;;\x1b\\\x1bP+q544e\x1b\\\x1b]10;?\x07\x1b[21t\x1b[18t\x1b[?1049h\x1b[>q\x05\xc2\x9d0;C1\xc2\x9c"
    b"\x1b_Gowned\x1b\\\x1b[200~\x1b[?2004h\x1b]1337;File=:owned\x07\x1b]9;owned\x07\x1b]777;notify;owned;x\x07"
)


@pytest.mark.parametrize("chunk", [1, 7, 4096])
async def test_nothing_of_a_hostile_guest_reaches_the_user_s_terminal(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    async with running() as (app, pilot):
        monkeypatch.setattr(app._driver, "write", written.append)
        display = app._display

        def show(screen: Any, renderable: Any) -> None:
            # A headless app draws nothing: this is what it would have sent.
            written.append(app.console._render_buffer(app.console.render(renderable)))
            display(screen, renderable)

        monkeypatch.setattr(app, "_display", show)
        for start in range(0, len(HOSTILE), chunk):
            app.feed(HOSTILE[start : start + chunk])
        app.feed(b"after the attack")
        await drawn(pilot)
    sent = "".join(written)
    assert "after the attack" in sent
    for trace in ("owned", "b3duZWQ", "evil", "\x1b]", "\x1bP", "\x1bk", "\x1b_", "\x9d", "\x05", "\x07"):
        assert trace not in sent, trace


async def test_an_idle_terminal_draws_nothing_and_has_no_timer_running(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running() as (app, pilot):
        app.feed(b"text")
        await drawn(pilot)
        await pilot.pause(0.1)
        frames: Any = app.terminal._frames
        assert not frames._active.is_set()
        drawn_lines: list[int] = []
        render = app.terminal.render_line

        def render_line(y: int) -> Strip:
            drawn_lines.append(y)
            return render(y)

        monkeypatch.setattr(app.terminal, "render_line", render_line)
        app.feed(b"\x1b[5;1Hone row")
        await drawn(pilot)
        assert set(drawn_lines) == {0, 4}, "the row that changed, and the one that the cursor left"
