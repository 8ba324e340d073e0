"""However the app ends, the terminal is the user's again: in a real terminal, with the real command."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.airboss import Airboss, Person
from tests.support.cockpit import knows
from tests.support.terminal import CLI, Terminal, terminal
from tests.support.waiting import until

OTHER_SCREEN, OWN_SCREEN = b"\x1b[?1049h", b"\x1b[?1049l"
CURSOR, NO_MOUSE = b"\x1b[?25h", b"\x1b[?1000l"


def given_back(term: Terminal) -> None:
    """The screen, the cursor and the mouse are as they were."""
    for on, off in ((OTHER_SCREEN, OWN_SCREEN), (b"\x1b[?25l", CURSOR), (b"\x1b[?1000h", NO_MOUSE)):
        assert term.written.rfind(off) > term.written.rfind(on), off


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
async def test_a_signal_ends_it_in_order(boss: Airboss, ada: Person, number: int, code: int) -> None:
    knows(ada, boss)
    async with terminal(CLI, ada.environment) as term:
        before = term.settings()
        await term.shows(b"compute-0-7")
        assert term.settings() != before
        os.kill(term.process.pid, number)
        assert await term.ends() == code
        given_back(term)
        assert term.settings() == before
        assert b"Traceback" not in term.written


async def test_a_terminal_that_is_closed_leaves_no_process(boss: Airboss, ada: Person) -> None:
    knows(ada, boss)
    async with terminal(CLI, ada.environment) as term:
        await term.shows(b"compute-0-7")
        term.hang_up()
        await term.ends()


async def test_quitting_is_exit_code_0(boss: Airboss, ada: Person) -> None:
    knows(ada, boss)
    async with terminal(CLI, ada.environment) as term:
        before = term.settings()
        await term.shows(b"compute-0-7")
        term.type(b"\x11")
        assert await term.ends() == 0
        given_back(term)
        assert term.settings() == before
        assert not (ada.folder / "config" / "state" / "pilot.log").exists()


async def test_to_the_shell_and_back(boss: Airboss, ada: Person) -> None:
    knows(ada, boss)
    async with terminal(CLI, ada.environment) as term:
        before = term.settings()
        await term.shows(b"compute-0-7")
        term.type(b"\x1a")
        status = Path(f"/proc/{term.process.pid}/status")
        await until(lambda: "State:\tT" in status.read_text(), 10, "it is stopped")
        await term.drained()
        given_back(term)
        assert term.settings() == before
        seen = len(term.written)
        os.kill(term.process.pid, signal.SIGCONT)
        await until(lambda: b"compute-0-7" in term.written[seen:], 10, "it is back")
        term.type(b"\x11")
        assert await term.ends() == 0
        given_back(term)


BROKEN = """
import sys
from pilot.cli import main
from pilot.screens.nodes import NodesScreen

def broken(screen):
    passphrase = "hunter" + str(2)
    raise LookupError("a mistake")

NodesScreen.action_copy = broken
sys.exit(main())
"""


async def test_a_mistake_of_its_own_is_shown_and_logged(boss: Airboss, ada: Person) -> None:
    knows(ada, boss)
    async with terminal(("-c", BROKEN), ada.environment) as term:
        before = term.settings()
        await term.shows(b"compute-0-7")
        term.type(b"y")
        assert await term.ends() == 1
        given_back(term)
        assert term.settings() == before
        behind = bytes(term.written[term.written.rfind(OWN_SCREEN) :])
        assert b"a mistake" in behind
        assert b"pilot made a mistake, and had to end" in behind
        assert b"hunter2" not in behind
    log = (ada.folder / "config" / "state" / "pilot.log").read_text()
    assert "LookupError: a mistake" in log
    assert "Traceback" in log
    assert "hunter2" not in log


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        (b'thme = "dark"', b"thme"),
        (b'theme = "puce"', b"theme"),
        (b"undo-seconds = 100", b"from 0 to 60"),
        (b'[keys]\n"nodes.pwer" = "o"', b"Perhaps 'nodes.power'?"),
        (b"theme = ", b"app.toml"),
    ],
)
async def test_wrong_settings_are_said_before_it_opens(
    boss: Airboss, ada: Person, toml: bytes, said: bytes
) -> None:
    config = knows(ada, boss)
    (config.folder / "app.toml").write_bytes(toml)
    async with terminal(CLI, ada.environment) as term:
        assert await term.ends() == 2
        await term.shows(said)
        assert OTHER_SCREEN not in term.written


FIRST_FRAME = """
import sys
from pilot.app import PilotApp
from pilot.cli import main
from pilot.link import connector

def look(app):
    heavy = {"asyncssh", "libvirt", "bittty", "cryptography", "sqlalchemy", "numpy"}
    app.exit(7, message="loaded: " + " ".join(sorted(heavy & set(sys.modules))) + ".")

PilotApp._connect = look
connector.load = lambda: None  # what is imported beside the app, by a thread of its own
sys.exit(main())
"""


async def test_what_the_first_frame_does_not_wait_for(boss: Airboss, ada: Person) -> None:
    knows(ada, boss)
    async with terminal(("-c", FIRST_FRAME), ada.environment) as term:
        assert await term.ends() == 7
        await term.shows(b"loaded: .")
        assert b"Connecting to one" in term.written
