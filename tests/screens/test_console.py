"""A console's tab in the whole app: its keys, what is asked and told, what is seen when things go wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

from textual import events

from pilot import wire
from pilot.app_config import AppConfig
from pilot.client_config import Site
from pilot.screens.guest_tab import TWICE_SECONDS
from pilot.screens.power_menu import PowerMenu
from pilot.widgets.confirm import ConfirmScreen
from tests.client.stand_in import Channel, node
from tests.screens.console_app import AtAConsole, at_a_console
from tests.support.waiting import until


async def test_all_keys_but_one_are_the_guest_s(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.sees("compute-0-0 login:")
        await app.write("q1:?/")
        await app.press("ctrl+c", "ctrl+q", "ctrl+p", "ctrl+z", "escape", "tab", "shift+tab", "u", "up")
        await app.typed(b"q1:?/\x03\x11\x10\x1a\x1b\t\x1b[Zu\x1b[A")
        await app.release()
        await app.sees("send keys")
        assert app.app.focused is None
        await app.press("enter")
        assert app.pane.typing
        await app.write("w")
        await app.typed(b"w")
        app.cockpit.monotonic = lambda: 100.0  # twice in a row, however long this machine takes
        await app.release("ctrl+right_square_bracket")
        await app.typed(b"w\x1d")
        assert app.pane.typing, "twice is for the guest, and one types on"


async def test_keys_that_are_typed_before_the_console_is_there_are_the_guest_s(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("q")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        answers = asyncio.Event()
        serve = app.airboss.on_request

        async def slowly(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
            await answers.wait()
            await serve(channel, request, body)

        app.airboss.on_request = slowly
        before = app.guest.typed
        driver = app.app._driver
        assert driver is not None
        for key in ("c", "r", "o", "o", "t", "enter"):
            event = events.Key(key, key if len(key) == 1 else None)
            event.set_sender(app.app)
            driver.send_message(event)
        await until(lambda: app.app.current_mode.startswith("console-"), what="the tab")
        await until(lambda: not app.app._typed and app.app._handling is None, what="all keys were handled")
        assert app.pane.session.state == "opening"
        assert app.guest.typed == before
        answers.set()
        await app.typed(before + b"root\r")
        assert app.pane.typing


async def test_another_key_can_release(tmp_path: Path) -> None:
    settings = AppConfig(keys={"console.release": "ctrl+t"})
    async with at_a_console(tmp_path, settings=settings) as app:
        await app.sees("Ctrl+T leaves")
        await app.press("ctrl+right_square_bracket")
        await app.typed(b"\x1d")
        now = 100.0
        app.cockpit.monotonic = lambda: now
        await app.press("ctrl+t")
        await until(lambda: not app.pane.typing, what="released")
        now += TWICE_SECONDS + 0.1
        await app.press("ctrl+t")
        assert not app.pane.typing, "too late for twice in a row"
        await app.press("enter")
        await until(lambda: app.pane.typing, what="typing again")
        await app.press("ctrl+t")
        await until(lambda: not app.pane.typing, what="released again")
        now += TWICE_SECONDS - 0.1
        await app.press("ctrl+t")
        await app.typed(b"\x1d\x14")


async def test_the_guest_has_all_of_80_columns_and_keeps_its_size(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        engine = app.pane.session.engine
        assert (engine.columns, engine.rows) == (80, 21)
        assert app.guest.sizes[-1] == (80, 21)
        await app.release("slash")
        await app.press("escape", "question_mark")
        await app.press("escape", "enter")
        assert app.guest.sizes == [(80, 21)], "looking for something else moves nothing"
        await app.keys.resize_terminal(120, 40)
        await until(lambda: app.guest.sizes[-1] == (120, 36), what=f"the new size, {app.guest.sizes}")
        await app.release("s")
        await app.typed(b"stty rows 36 cols 120\r")
        await app.release("z")
        await until(lambda: app.guest.sizes[-1] == (80, 24), what="the usual size")
        await app.press("z")
        await until(lambda: app.guest.sizes[-1] == (120, 36), what="all the room")


async def test_looking_back_and_searching(tmp_path: Path) -> None:
    lines = b"".join(b"line %d%s\r\n" % (n, b" Oops" if n % 50 == 7 else b"") for n in range(300))
    async with at_a_console(tmp_path, printed=lines) as app:
        await app.sees("line 299")
        await app.release("home")
        await app.sees("line 0")
        await app.press("end")
        await app.sees("line 299")
        await app.find("oops")
        await app.sees("6 found: n older, N newer")
        await app.sees("line 257 Oops")
        await app.press("n")
        await app.sees("line 207 Oops")
        await app.press("y")
        await until(lambda: "line 207 Oops" in app.app.clipboard, what="the screen is copied")
        await app.find("cattle")
        await app.sees("cattle is nowhere in what is kept")
        await app.press("i")
        await app.sees("line 299")


async def test_a_long_paste_is_asked_about_and_can_be_stopped(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        app.pane.terminal.post_message(events.Paste("uptime\n"))
        await app.typed(b"uptime\r")
        app.pane.terminal.post_message(events.Paste("make mischief\n" * 200))
        await app.shows(ConfirmScreen)
        await app.sees("Paste 200 lines into compute-0-0?")
        assert app.guest.typed == b"uptime\r"
        await app.press("escape")
        await until(lambda: app.pane.typing, what="typing again")
        app.pane.terminal.post_message(events.Paste("make mischief\n" * 200))
        await app.shows(ConfirmScreen)
        await until(lambda: app.screen.ready, what="the question was seen")  # type: ignore[attr-defined]
        await app.press("y")
        await app.sees("pasting,")
        await app.release("x")
        await app.sees("the rest of the paste is not typed")
        assert app.guest.typed.count(b"make mischief\r") < 150


async def test_who_watches_is_told_how_to_type(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("g")
        await app.sees("you watch")
        assert app.guest.releases == [0]
        await app.press("enter", "x")
        await app.sees("then t takes the keyboard")
        assert app.guest.typed == b""
        await app.release("t")
        await app.sees("you write")
        await app.press("x")
        await app.typed(b"x")


async def test_power_is_at_hand(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("p")
        await app.shows(PowerMenu)
        await app.sees("compute-0-0")
        await app.press("z")
        await until(lambda: [b.verb for b in app.airboss.asked if b.verb == "power.pause"], what="the verb")
        await until(lambda: app.app.screen is app.console, what="the menu is gone")
        assert not app.pane.typing, "what is typed ahead of a menu's end is not for the guest"


async def test_what_is_lost_says_so_and_comes_back_in_place(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, printed=b"a line long enough to know it by\r\n" * 40) as app:
        await app.sees("a line long enough")
        await app.airboss.stop()
        await app.sees("lost")
        await app.press("x")
        await app.sees("nothing is typed: the console is lost")
        await app.airboss.start(app.airboss.port)
        await app.sees("you write", 30)
        engine = app.pane.session.engine
        assert sum("long enough" in engine.text(n) for n in range(engine.history + engine.rows)) == 40
        await app.press("z")
        await app.typed(b"z")


async def test_a_refusal_stays_and_says_why(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        app.guest.refusal = wire.Fault(
            "refused", "your key is not entitled to vc1 any more", "Ask the admin."
        )
        app.guest.says("your key is not entitled to vc1 any more", False, final=True)
        await app.sees("✕ your key is not entitled to vc1 any more")
        app.guest.refusal = None
        await app.release("r")
        await app.sees("you write")


async def test_tabs_split_and_close(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, size=(120, 30)) as app:
        await app.release("vertical_line")
        await app.write("compute-0-1")
        await app.press("enter")
        await until(lambda: len(app.console.panes) == 2, what="two panes")
        await until(lambda: app.pane.session.name == "compute-0-1" and app.pane.typing, what="the second")
        left, right = app.console.panes
        await until(lambda: (left.size.width, right.size.width) == (59, 60), what="side by side")
        await app.release("vertical_line")
        await until(lambda: left.size.width == right.size.width == 120, what="one above the other")
        await app.press("tab")
        assert app.pane is left
        await app.release("q")
        await until(lambda: app.console.panes == [right], what="the second alone")
        await until(lambda: len(app.guest.channels) == 1, what="the first is left")
        await app.release("1")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        await app.press("c")
        await until(lambda: app.app.current_mode == "console-2", what="a tab for compute-0-0 again")
        await app.release("escape")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        app.guest.prints(b"news")
        await until(lambda: all(tab.news for tab in app.cockpit.opened), what="news in both tabs")
        await app.press("alt+1")
        await until(lambda: app.app.current_mode == "console-1", what="the first tab")
        assert [tab.news for tab in app.cockpit.opened] == [False, True]
        await app.release("q")
        await until(lambda: app.app.current_mode == "console-2", what="the tab beside it")
        await app.release("q")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        await until(lambda: not app.guest.channels, what="all are left")
        assert app.cockpit.opened == []


async def test_a_tab_leads_back_to_its_site(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        app.cockpit.config.remember(Site("two", "127.0.0.1", 1))
        await app.release("escape")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        first = app.cockpit.desk
        app.cockpit.sites.switch("two")
        assert app.cockpit.desk is not first
        assert app.cockpit.opened, "tabs stay"
        await app.press("alt+1")
        await until(lambda: app.app.current_mode == "console-1", what="the tab")
        assert app.cockpit.desk is first
        assert app.pane.session.state == "live"


async def test_too_small_is_no_reason_to_fall_over(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        for columns, rows in ((20, 5), (1, 1), (3, 2), (80, 24)):
            await app.keys.resize_terminal(columns, rows)
            await app.keys.pause()
        await app.sees("you write")


def shown_line(app: AtAConsole) -> str:
    """The last line of the screen."""
    return app.text().splitlines()[-1]


async def test_the_last_line_says_how_to_leave(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.sees("Ctrl+] leaves")
        assert "? keys" in shown_line(app)
        app.guest.says("bob has joined and watches")
        await app.sees("bob has joined and watches")
        assert "bob has joined" in shown_line(app)


async def test_a_read_only_look_types_nothing(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, settings=AppConfig(readonly=True)) as app:
        assert app.pane.session.mode == "watch"
        assert not app.pane.session.writing
        await app.write("reboot")
        await app.sees("read-only")
        await app.release("t")
        await app.press("p")
        await app.keys.pause()
        assert app.screen is app.console, "there is no menu"
        assert app.pane.session.mode == "watch"
        assert not app.guest.typed


async def test_one_key_opens_no_flood_of_consoles(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("escape")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        store = app.cockpit.desk.live.store
        store.apply(wire.Delta(store.version, tuple(node(number, state="on") for number in range(40))))
        await until(lambda: app.nodes.table.total == 40, what="the nodes")
        await app.press("ctrl+a", "c")
        await app.sees("of 40 nodes at once is too much")
        assert len(app.cockpit.opened) == 1
