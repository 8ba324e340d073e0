"""`pilot console` in a real terminal, against a guest that is kind, and one that is not."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from pilot import wire
from tests.client.stand_in import Channel, StandIn, User
from tests.console.tmux import COLUMNS, ROWS, Tmux
from tests.support.waiting import until

PILOT = f"{sys.executable} -m pilot.cli"


@pytest.fixture
async def airboss() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    await stand_in.start()
    yield stand_in
    await stand_in.stop()


@pytest.fixture
def ada(tmp_path: Path, airboss: StandIn) -> User:
    user = User(tmp_path, airboss)
    user.pin()
    return user


@pytest.fixture
def terminal(ada: User) -> Iterator[Tmux]:
    with (
        tempfile.TemporaryDirectory(prefix="rp-", dir="/tmp") as folder,
        Tmux(Path(folder), ada.environment) as tmux,
    ):
        yield tmux


async def shows(terminal: Tmux, text: str, deadline: float = 20.0) -> str:
    """Await a text on the screen; the screen."""

    async def look() -> str:
        screen = await asyncio.to_thread(terminal.screen)
        return screen if text in screen else ""

    try:
        return await until(look, deadline, every=0.05)
    except AssertionError:
        raise AssertionError(f"no {text!r} in:\n{terminal.screen()}") from None


async def fresh(terminal: Tmux) -> None:
    """Clear the screen, and await that it is: what a command before this one showed cannot be meant."""
    terminal.type("clear\n")

    async def cleared() -> bool:
        return (await asyncio.to_thread(terminal.screen)).strip() == "$"

    await until(cleared, 20, "nothing but the shell's prompt", every=0.05)


class Guest:
    """What a test makes of the other end of the console."""

    def __init__(self, airboss: StandIn) -> None:
        self.typed = b""
        self.sizes: list[tuple[int, int]] = []
        self.channel: Channel | None = None
        self.prints: list[bytes] = []
        self.live: list[bytes] = []
        self.writing = True
        self.opened = 0
        self.acts: list[wire.AnyClientFrame] = []
        self._airboss = airboss
        airboss.on_request = self.serve

    async def serve(self, channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        if body.verb != "console.open":
            await self._airboss.answer(channel, request, body)
            return
        self.opened += 1
        self.sizes.append((request.cols, request.rows))
        (target,) = self._airboss.nodes(body.targets)
        done = wire.Outcome(target.name, "done", target.id, target.state)
        replay = b"".join(self.prints)
        channel.send(
            self._airboss.signed(request, (done,)),
            wire.Attached(target.id, target.name, self.writing, len(replay), "" if self.writing else "bob"),
            wire.Output(replay),
            *(wire.Output(data) for data in self.live),
        )
        self.channel = channel
        while True:
            frame = await channel.frames.get()
            if isinstance(frame, wire.Input):
                self.typed += frame.data
            elif isinstance(frame, wire.Resize):
                self.sizes.append((frame.cols, frame.rows))
            elif not isinstance(frame, wire.HelloAsk | wire.Request):
                self.acts.append(frame)


@pytest.fixture
def guest(airboss: StandIn) -> Guest:
    return Guest(airboss)


def stty(terminal: Tmux) -> None:
    terminal.type(
        "stty -a | grep -o -- '-*\\(icanon\\|echo\\|isig\\|opost\\)\\b' | tr '\\n' ' '; echo EN''D\n"
    )


async def test_keys_reach_the_guest_and_ctrl_bracket_leaves(terminal: Tmux, guest: Guest) -> None:
    guest.prints = [b"Debian GNU/Linux 12 compute-0-0 ttyS0\r\n\r\ncompute-0-0 login: "]
    terminal.type(f"{PILOT} console compute-0-0\n")
    screen = await shows(terminal, "compute-0-0 login:")
    assert "[pilot: compute-0-0: you write. Ctrl+] leaves, Ctrl+^ ? tells more]" in screen
    assert guest.sizes == [(COLUMNS, ROWS)]
    for key in ("C-c", "C-z", "C-\\", "C-d", "Escape", "Tab", "C-q", "C-s"):
        terminal.key(key)
    await until(lambda: guest.typed == b"\x03\x1a\x1c\x04\x1b\t\x11\x13", what=f"keys, {guest.typed!r}")
    terminal.resize(90, 25)
    await until(lambda: guest.sizes[-1] == (90, 25), what="the new size")
    terminal.key("C-]")
    await shows(terminal, "[pilot: left]")
    stty(terminal)
    screen = await shows(terminal, "END")
    assert " icanon" in f" {screen}" or "\nicanon" in screen
    assert "-icanon" not in screen
    assert "-echo " not in screen


async def test_an_evil_guest_changes_nothing_and_types_nothing(terminal: Tmux, guest: Guest) -> None:
    title = terminal.ask("pane_title")
    attack = (
        b"\x1b]0;owned\x07\x1b]2;owned\x1b\\\x1bkowned\x1b\\\x1b]52;c;b3duZWQ=\x07\x1b]52;c;?\x07"
        b"\x1b[6n\x1b[c\x1b[>c\x1b[5n\x1b[21t\x1b[18t\x1bP+q544e\x1b\\\x1b]10;?\x07\x1b[?1$p\x1b[>q\x05"
        b"\x9d0;owned\x9c\xc2\x9d0;owned\xc2\x9c\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"
    )
    guest.prints = [attack]
    guest.live = [b"\r\nafter the attack\r\n"]
    terminal.type(f"{PILOT} console compute-0-0\n")
    await shows(terminal, "after the attack")
    terminal.key("x")
    await until(lambda: guest.typed == b"x", what="only what was typed comes back")
    assert terminal.ask("pane_title") == title
    assert terminal.ask("window_name") == "window"
    assert terminal.buffers() == ""
    # Live and typing, the guest may ask where the cursor is, and nothing else.
    assert guest.channel is not None
    guest.channel.send(wire.Output(b"\x1b[3;5H" + attack))
    await until(lambda: guest.typed.startswith(b"x\x1b[3;5R"), 20, "the cursor's place")
    guest.channel.send(wire.Output(b"\r\nafter it too\r\n"))
    await shows(terminal, "after it too")
    await until(lambda: guest.typed.count(b"\x1b") == 2, 20, "the cursor's place and what the terminal is")
    terminal.key("y")
    await until(lambda: b"y" in guest.typed, 20, "what was typed")
    assert b"owned" not in guest.typed
    assert guest.typed.count(b"\x1b") == 2, "nothing else was answered"
    assert guest.typed.endswith(b"y")
    terminal.key("C-]")
    await shows(terminal, "[pilot: left]")
    assert terminal.ask("pane_title") == title
    assert terminal.buffers() == ""


async def test_a_viewer_s_terminal_answers_nothing(terminal: Tmux, guest: Guest) -> None:
    guest.writing = False
    guest.live = [b"\x1b[6n\x1b[cready\r\n"]
    terminal.type(f"{PILOT} console compute-0-0 --watch\n")
    screen = await shows(terminal, "ready")
    assert "bob writes, you watch" in screen
    terminal.type("hello")
    await shows(terminal, "you only watch")
    assert guest.typed == b""
    terminal.key("C-]")
    await shows(terminal, "[pilot: left]")


async def test_a_full_screen_program_is_left_behind(terminal: Tmux, guest: Guest) -> None:
    guest.live = [
        b"\x1b[?1049h\x1b[?25l\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[5;10r\x1b[31m\x1b(0\x1b=\x1b[2;2Hqqq"
    ]
    terminal.type(f"{PILOT} console compute-0-0\n")
    await until(lambda: terminal.ask("alternate_on") == "1", what="the alternate screen")
    assert guest.channel is not None
    guest.channel.send(wire.Notice("joined", "bob watches"))
    screen = await shows(terminal, "[pilot: bob watches]")
    assert screen.rstrip().endswith("[pilot: bob watches]"), "at the bottom, out of the way"
    terminal.key("C-]")
    screen = await shows(terminal, "[pilot: left]")
    assert "console compute-0-0" in screen, "the user's own screen is back"
    names = ("alternate_on", "cursor_flag", "mouse_any_flag", "keypad_flag")
    assert [terminal.ask(name) for name in names] == ["0", "1", "0", "0"]
    assert terminal.ask("scroll_region_upper") == "0"
    terminal.type("echo normal $((6*7))\n")
    await shows(terminal, "normal 42")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
async def test_the_terminal_is_restored_when_pilot_is_ended(
    terminal: Tmux, guest: Guest, number: signal.Signals
) -> None:
    guest.live = [b"\x1b[?25lready"]
    terminal.type(f"{PILOT} console compute-0-0; echo ended $?\n")
    await shows(terminal, "ready")
    os.kill(_pilot(terminal), number)
    await shows(terminal, f"ended {128 + number}")
    stty(terminal)
    screen = await shows(terminal, "END")
    assert "-icanon" not in screen
    assert terminal.ask("cursor_flag") == "1"


def _pilot(terminal: Tmux) -> int:
    """Pid of the process in the terminal's foreground."""
    shell = int(terminal.ask("pane_pid"))
    children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
    return int(children[0])


async def test_a_console_comes_back_when_airboss_does_and_repeats_nothing(
    terminal: Tmux, guest: Guest, airboss: StandIn
) -> None:
    guest.prints = [b"line one of the boot, quite long\r\n", b"line two of the boot, quite long\r\n"]
    terminal.type(f"{PILOT} console compute-0-0\n")
    await shows(terminal, "line two")
    await airboss.stop()
    await shows(terminal, "trying again")
    guest.prints.append(b"line three came meanwhile\r\n")
    await airboss.start(airboss.port)
    screen = await shows(terminal, "line three")
    assert "connected again" in screen
    assert screen.count("line one") == 1
    terminal.type("z")
    await until(lambda: guest.typed == b"z", what="keys go to the new connection")
    terminal.key("C-]")
    await shows(terminal, "[pilot: left]")


async def test_ctrl_bracket_leaves_at_once_while_reconnecting(
    terminal: Tmux, guest: Guest, airboss: StandIn
) -> None:
    terminal.type(f"{PILOT} console compute-0-0; echo ended $?\n")
    await shows(terminal, "you write")
    await airboss.stop()
    await shows(terminal, "trying again")
    terminal.key("C-]")
    await shows(terminal, "ended 0", 5)


async def test_power_on_with_console_in_a_terminal(terminal: Tmux, guest: Guest) -> None:
    terminal.type(f"{PILOT} power on compute-0-0 --console; echo ended $?\n")
    screen = await shows(terminal, "on: compute-0-0 ✓ done")
    assert screen.index("Ctrl+] leaves") < screen.index("on: compute-0-0")
    assert guest.channel is not None
    guest.channel.send(wire.Output(b"SeaBIOS\r\n"))
    await shows(terminal, "SeaBIOS")
    terminal.key("C-]")
    await shows(terminal, "ended 0")


async def test_danger_asks_and_cancel_is_the_default(terminal: Tmux, airboss: StandIn) -> None:
    asked: Callable[[], list[str]] = lambda: [body.verb for body in airboss.asked]  # noqa: E731
    terminal.type(f"{PILOT} power off @all; echo ended $?\n")
    screen = await shows(terminal, "Go on? [y/N]")
    assert "Turn off 3 nodes of vc1 now?" in screen
    assert "compute-0-0  compute-0-1  compute-0-2" in screen
    assert "Data not yet written to disk is lost." in screen
    terminal.key("Enter")
    await shows(terminal, "ended 130")
    assert "power.off" not in asked()
    await fresh(terminal)
    terminal.type(f"{PILOT} power off compute-0-0; echo ended $?\n")
    await shows(terminal, "Go on? [y/N]")
    terminal.type("y\n")
    await shows(terminal, "ended 0")
    assert "power.off" in asked()
    await fresh(terminal)
    terminal.type(f"{PILOT} power install compute-0-1; echo ended $?\n")
    await shows(terminal, "Type compute-0-1")
    terminal.type("yes\n")
    await shows(terminal, "ended 130")
    await fresh(terminal)
    terminal.type(f"{PILOT} power install compute-0-1; echo ended $?\n")
    await shows(terminal, "Type compute-0-1")
    terminal.key("C-c")
    await shows(terminal, "ended 130")
    assert "power.install" not in asked()


async def test_the_host_key_is_asked_for_as_ssh_does(terminal: Tmux, ada: User, airboss: StandIn) -> None:
    (ada.config / "known_hosts").unlink()
    terminal.type(f"{PILOT} nodes; echo ended $?\n")
    screen = await shows(terminal, "(yes/no/the fingerprint)")
    assert airboss.fingerprint in screen
    terminal.type("maybe\n")
    await shows(terminal, "Please type yes or no")
    terminal.type("no\n")
    await shows(terminal, "ended 5")
    await fresh(terminal)
    terminal.type(f"{PILOT} nodes; echo ended $?\n")
    await shows(terminal, "(yes/no/the fingerprint)")
    terminal.type("yes\n")
    await shows(terminal, "ended 0")


async def test_a_passphrase_is_asked_without_echo(terminal: Tmux, ada: User) -> None:
    encrypted = ada.key.export_private_key(passphrase="open sesame", rounds=16, ignore_few_rounds=True)
    ada.key_file.write_bytes(encrypted)
    terminal.type(f"{PILOT} nodes; echo ended $?\n")
    await shows(terminal, "Passphrase for")
    terminal.type("open sesame\n")
    screen = await shows(terminal, "ended 0")
    assert "compute-0-0" in screen
    assert "sesame" not in screen


async def test_a_prefix_leads_to_the_others_and_to_a_break(
    terminal: Tmux, guest: Guest, airboss: StandIn
) -> None:
    terminal.type(f"{PILOT} console compute-0-0\n")
    await shows(terminal, "Ctrl+^ ? tells more")
    await until(lambda: guest.channel is not None, 20, "the console")
    assert guest.channel is not None
    people = (
        wire.Person(1, "ada", True, 10.0, 90.0, True),
        wire.Person(2, "bob", False, 10.0, 0.0, True),
    )
    guest.channel.send(wire.Presence(people, 1, 91.0), wire.Output(b"$ "))
    await shows(terminal, "$ ")
    terminal.keys("C-^", "w")
    await shows(terminal, "ada (you) types; bob watches")
    terminal.keys("C-^", "?")
    await shows(terminal, "b serial break")
    terminal.keys("C-^", "s", "h", "i", "Enter")
    terminal.keys("C-^", "r", "C-^", "j", "C-^", "t")
    expected = [wire.Chat("hi"), wire.Release(), wire.Join(), wire.Take()]
    await until(lambda: guest.acts == expected, 20, f"{guest.acts}")
    terminal.keys("C-^", "b")
    await until(lambda: [b for b in airboss.asked if b.verb == "send.break"], 20, "the break")
    assert guest.typed == b""
    terminal.keys("C-^", "C-^", "x")
    await until(lambda: guest.typed == b"\x1ex", 20, "the literal key")
    terminal.keys("C-]")
    await shows(terminal, "[pilot: left]")


async def test_without_a_prefix_all_but_one_key_is_the_guest_s(terminal: Tmux, guest: Guest) -> None:
    terminal.type(f"{PILOT} console compute-0-0 --prefix none\n")
    await shows(terminal, "Ctrl+] leaves")
    assert "tells more" not in terminal.screen()
    terminal.keys("C-^", "w")
    await until(lambda: guest.typed == b"\x1ew", 20, "both keys")
    terminal.keys("C-]")
    await shows(terminal, "[pilot: left]")
    await fresh(terminal)
    terminal.type(f"{PILOT} console compute-0-0 --prefix ctrl+]\n")
    await shows(terminal, "is no such key")
