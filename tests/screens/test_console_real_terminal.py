"""A console's tab in a real terminal: what a guest can do to it, and giving all of it to the console."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.client.stand_in import StandIn, User, node
from tests.console.test_attach import shows
from tests.console.tmux import Tmux
from tests.live.console_guest import Guest
from tests.support.waiting import until
from tests.widgets.test_terminal import HOSTILE

AtAConsole = tuple[Tmux, Guest]


@pytest.fixture
async def at_a_console(tmp_path: Path) -> AsyncIterator[AtAConsole]:
    """`pilot` in a real terminal, at the console of a guest that the test plays."""
    airboss = StandIn()
    airboss.records[2:] = [node(0, state="on")]
    guest = Guest(airboss)
    guest.printed = b"compute-0-0 login: "
    await airboss.start()
    try:
        user = User(tmp_path, airboss)
        user.pin()
        with (
            tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as folder,
            Tmux(Path(folder), user.environment) as terminal,
        ):
            await asyncio.to_thread(terminal.type, f"{sys.executable} -m pilot.cli; echo ended $?\n")
            await shows(terminal, "● on")
            terminal.key("c")
            await shows(terminal, "login:")
            yield terminal, guest
    finally:
        await airboss.stop()


async def typed(guest: Guest, data: bytes) -> None:
    await until(lambda: guest.typed.endswith(data), 20, f"{data!r}, is {guest.typed[-80:]!r}")


async def test_a_hostile_guest_changes_nothing_of_the_terminal(at_a_console: AtAConsole) -> None:
    terminal, guest = at_a_console
    title = terminal.ask("pane_title")
    guest.prints(HOSTILE + b"\r\nafter the attack\r\n")
    await shows(terminal, "after the attack")
    terminal.key("x")
    await until(lambda: b"x" in guest.typed, 20, "what was typed")
    assert terminal.ask("pane_title") == title
    assert terminal.ask("window_name") == "window"
    assert terminal.buffers() == ""
    assert b"owned" not in guest.typed


async def test_keys_that_terminals_and_apps_like_to_keep(at_a_console: AtAConsole) -> None:
    terminal, guest = at_a_console
    for key in ("C-c", "C-z", "C-\\", "C-d", "Escape", "Tab", "C-q", "C-s", "C-p", "F1", "BTab", "M-x"):
        terminal.key(key)
    await typed(guest, b"\x03\x1a\x1c\x04\x1b\t\x11\x13\x10\x1bOP\x1b[Z\x1bx")
    assert "ended" not in terminal.screen()


async def test_the_whole_terminal_for_the_console_and_back(at_a_console: AtAConsole) -> None:
    terminal, guest = at_a_console
    terminal.key("C-]")
    await shows(terminal, "send keys")
    terminal.key("f")
    await shows(terminal, "[pilot: compute-0-0: you write. Ctrl+] leaves, Ctrl+^ ? tells more]")
    assert guest.modes[-1] == "take"
    screen = await asyncio.to_thread(terminal.screen)
    assert "Journal" not in screen, "nothing of the app is left on the screen"
    terminal.type("root")
    await typed(guest, b"root")
    guest.prints(b"root\r\nPassword: ")
    screen = await shows(terminal, "Password:")
    assert "Journal" not in screen
    terminal.key("C-]")
    await shows(terminal, "Journal")
    await shows(terminal, "you write")
    screen = await shows(terminal, "login: root")
    assert screen.count("login: root") == 1, "what was printed meanwhile is there, once"
    await until(lambda: len(guest.channels) == 1, 20, "one console is open")
    terminal.type("z")
    await typed(guest, b"z")


async def to_the_whole_terminal(terminal: Tmux) -> None:
    terminal.key("C-]")
    await shows(terminal, "send keys")
    terminal.key("f")
    await shows(terminal, "[pilot: compute-0-0: you write. Ctrl+] leaves, Ctrl+^ ? tells more]")


async def end(terminal: Tmux) -> None:
    """Tell pilot, which the terminal's shell has started, to end."""
    shell = await asyncio.to_thread(terminal.ask, "pane_pid")
    (child,) = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)


async def test_it_can_be_told_to_end_in_the_whole_terminal(at_a_console: AtAConsole) -> None:
    terminal, _ = at_a_console
    await to_the_whole_terminal(terminal)
    await end(terminal)
    await shows(terminal, "ended 143")


async def test_it_can_be_told_to_end_behind_that(at_a_console: AtAConsole) -> None:
    terminal, _ = at_a_console
    await to_the_whole_terminal(terminal)
    terminal.key("C-]")
    await shows(terminal, "Journal")
    await shows(terminal, "you write")
    await end(terminal)
    screen = await shows(terminal, "ended 143")
    assert "Journal" not in screen, "the screen is given back"
