"""What can be sent to a node, at its console and from the list; the last boot; a node that is off."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilot import wire
from pilot.app_config import AppConfig
from pilot.config import KeyProblem
from pilot.key_sequences import KeySequence
from pilot.screens import sysrq
from pilot.screens.keys_menu import PREFIX, KeysMenu, SysrqMenu
from pilot.screens.verb_menu import menu_verbs
from pilot.verbs import BY_ID, VERBS
from pilot.verbs.sending import SYSRQ_LETTERS
from pilot.widgets.confirm import ConfirmScreen
from tests.client.stand_in import NOW, node
from tests.screens.console_app import AtAConsole, at_a_console
from tests.support.waiting import until


def test_every_verb_and_every_letter_is_in_a_menu() -> None:
    keyed = {verb.id for verb in VERBS if verb.key.startswith("k ")}
    assert {verb.id for verb in menu_verbs(PREFIX).values()} == keyed
    assert "send.sysrq" in keyed
    assert sorted(sysrq.LETTERS) == sorted(SYSRQ_LETTERS)
    assert BY_ID["send.sysrq"].arguments({"letter": "b", "by": "serial"})


def asked(app: AtAConsole, verb: str) -> list[wire.RequestBody]:
    return [body for body in app.airboss.asked if body.verb == verb]


async def confirm(app: AtAConsole) -> None:
    await app.shows(ConfirmScreen)
    await until(lambda: app.screen.ready, what="the question was seen")  # type: ignore[attr-defined]
    await app.press("y")


async def test_a_break_is_sent_at_once_and_what_is_dangerous_asks(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("k")
        await app.shows(KeysMenu)
        await app.sees("Send to compute-0-0")
        await app.press("b")
        await until(lambda: len(asked(app, "send.break")) == 1, what="the break")
        await until(lambda: app.app.screen is app.console, what="the menu is gone")
        await app.press("k", "n")
        await app.shows(ConfirmScreen)
        await app.sees("Send an NMI to compute-0-0")
        assert not asked(app, "send.nmi")
        await confirm(app)
        await until(lambda: len(asked(app, "send.nmi")) == 1, what="the NMI")


async def test_sysrq_asks_for_its_letter_and_says_what_it_does(tmp_path: Path) -> None:
    async with at_a_console(tmp_path) as app:
        await app.release("k", "s")
        await app.shows(SysrqMenu)
        await app.sees("list the tasks that are blocked")
        await app.press("tab", "b")
        await app.shows(ConfirmScreen)
        await app.sees("Send magic SysRq b to compute-0-0")
        await app.sees("b: reboot now")
        await confirm(app)
        await until(lambda: len(asked(app, "send.sysrq")) == 1, what="the letter")
        assert asked(app, "send.sysrq")[0].args == {"letter": "b", "by": "serial"}
        await app.press("k", "s", "escape")
        await until(lambda: app.app.screen is app.console, what="the menus are gone")
        assert app.guest.typed == b""


SEQUENCES = [
    KeySequence("log in", [r"root\r", r"pw\r"], wait=0.2),
    KeySequence("to the monitor", r"\e[17~^C", confirm=True),
]


async def test_the_user_s_own_sequences_are_typed(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, settings=AppConfig(sequence=SEQUENCES)) as app:
        await app.release("k")
        await app.sees("log in")
        await app.press("1")
        await app.typed(b"root\rpw\r")
        await until(lambda: not app.pane.session.pasting.going, what="the end")
        await app.press("k", "2")
        await app.shows(ConfirmScreen)
        await app.sees("Type to the monitor into compute-0-0?")
        await confirm(app)
        await app.typed(b"\x1b[17~\x03")
        await app.press("g")
        await app.sees("you watch")
        await app.press("k")
        await app.sees("you do not write")
        await app.press("1")
        await app.keys.pause()
        assert app.guest.typed == b"root\rpw\r\x1b[17~\x03"


async def test_the_user_s_own_keys_are_pressed_on_the_keyboard(tmp_path: Path) -> None:
    own = [
        *SEQUENCES,
        KeySequence("terminal two", press="ctrl+alt+f2"),
        KeySequence("reset", press="ctrl+alt+delete", confirm=True),
    ]
    async with at_a_console(tmp_path, settings=AppConfig(sequence=own)) as app:
        await app.release("k")
        await app.sees("presses ctrl+alt+f2")
        await app.press("3")
        await until(lambda: len(asked(app, "send.keys")) == 1, what="the keys")
        assert asked(app, "send.keys")[0].args["keys"] == "ctrl+alt+f2"
        await app.press("k", "4")
        await app.shows(ConfirmScreen)
        await app.sees("Press reset at compute-0-0?")
        assert len(asked(app, "send.keys")) == 1, "it is asked about first"
        await confirm(app)
        await until(lambda: len(asked(app, "send.keys")) == 2, what="the confirmed keys")
        await app.press("escape")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        await app.press("ctrl+a", "K")
        await app.sees("Send to 3 nodes")
        assert "log in" not in app.text(), "there is no console to type it at"
        await app.press("3")
        await until(lambda: len(asked(app, "send.keys")) == 3, what="the keys for all")
        assert len(asked(app, "send.keys")[2].targets) == 3
        assert app.guest.typed == b""


@pytest.mark.parametrize("words", ["+", "ctrl+", "a+b+c+d+e+f+g+h+i", "ctrl alt"])
def test_what_cannot_be_pressed_is_refused(words: str) -> None:
    with pytest.raises(KeyProblem):
        KeySequence("wrong", press=words)
    with pytest.raises(KeyProblem):
        KeySequence("both", keys="a", press="b")
    with pytest.raises(KeyProblem):
        KeySequence("neither")


async def test_the_list_sends_to_the_marked_nodes(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, settings=AppConfig(sequence=SEQUENCES)) as app:
        await app.release("escape")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        await app.press("ctrl+a", "K")
        await app.shows(KeysMenu)
        await app.sees("Send to 3 nodes")
        assert "log in" not in app.text(), "there is no console to type it at"
        await app.press("b")
        await until(lambda: len(asked(app, "send.break")) == 1, what="the break")
        assert len(asked(app, "send.break")[0].targets) == 3


async def test_a_read_only_look_sends_nothing(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, settings=AppConfig(readonly=True)) as app:
        await app.release("k", "escape")
        await until(lambda: app.app.current_mode == "nodes", what="the nodes")
        await app.press("K")
        await app.keys.pause()
        assert not isinstance(app.app.screen, KeysMenu)


def boot(hour: int, lines: int) -> bytes:
    marker = b"\r\n[pilot 2026-11-22T%02d:00:00Z compute-0-0: turned on]\r\n" % hour
    return marker + b"".join(b"boot %d line %d\r\n" % (hour, number) for number in range(lines))


async def test_the_last_boot_and_the_one_before(tmp_path: Path) -> None:
    printed = b"early\r\n" + boot(1, 100) + boot(2, 100) + boot(3, 100)
    async with at_a_console(tmp_path, printed=printed) as app:
        await app.sees("boot 3 line 99")
        await app.release("B")
        await app.sees("2026-11-22T03:00:00Z compute-0-0: turned on]")
        await app.sees("boot 3 line 0")
        await app.press("B")
        await app.sees("boot 2 line 0")
        await app.press("B")
        await app.sees("boot 1 line 0")
        await app.press("B")
        await app.sees("no start above this: nothing older is kept")
        await app.press("end", "B")
        await app.sees("boot 3 line 0")


async def test_a_boot_that_fits_the_screen_leads_on_to_the_one_before(tmp_path: Path) -> None:
    async with at_a_console(tmp_path, printed=boot(1, 100) + boot(2, 3)) as app:
        await app.sees("boot 2 line 2")
        await app.release("B", "B")
        await app.sees("boot 1 line 0")


@pytest.mark.parametrize("state", ["off", "crashed"])
async def test_a_node_that_is_off_shows_what_it_said_last(tmp_path: Path, state: str) -> None:
    async with at_a_console(tmp_path, printed=b"Kernel panic - not syncing\r\n") as app:
        store = app.cockpit.desk.live.store
        dead = node(0, state=state, since=NOW)
        store.apply(wire.Delta(store.version + 1, (dead,)))
        await app.sees("this is what it printed last")
        await app.sees("Kernel panic - not syncing")


async def test_older_lines_are_there_and_the_way_to_the_screen(tmp_path: Path) -> None:
    lines = [b"line %d\r\n" % number for number in range(10_500)]
    async with at_a_console(tmp_path) as app:
        await app.release("q")
        await until(lambda: not app.guest.channels, what="it is left")
        guest = app.guest
        at = 0
        older = list[wire.LogLine]()
        for line in lines:
            older.append(wire.LogLine(at, NOW, NOW, line))
            at += len(line)
        guest.older, guest.start, guest.printed = tuple(older), at, b"login: "
        await app.press("c")
        await until(lambda: app.app.current_mode == "console-2", what="the tab")
        await app.sees("login: ")
        await until(lambda: app.pane.session.engine.history >= 10_000, 40, "the older lines")
        await app.release("home")
        await app.sees("line 500")
        assert guest.logs[0]["before"] == at
