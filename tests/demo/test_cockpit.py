"""The full-screen app on the real demo, in a real terminal: two people side by side, from off to off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.demo import RUNS, Demo
from tests.support.tmux import Terminal
from tests.support.waiting import until_sync

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

NODE = "compute-0-1"
BOOT_SECONDS = 120.0


@pytest.fixture
def demo(short_folder: Path) -> Iterator[Demo]:
    running = Demo(short_folder / "c", "--headless")
    try:
        running.await_text(RUNS)
        yield running
    finally:
        running.end()


def _pilot(demo: Demo, folder: Path, person: str, *options: str, columns: int = 100) -> Terminal:
    folder.mkdir()
    return Terminal(
        folder,
        [str(demo.state / "bin" / "pilot"), *options],
        {"PILOT_CONFIG": str(demo.state / person), "PATH": "/usr/bin:/bin", "HOME": str(folder)},
        columns,
    )


def _answer(terminal: Terminal, question: str, key: str) -> None:
    """Press a key until the question is gone: what comes at once is not taken for an answer."""

    def answered() -> bool:
        if not terminal.line(question):
            return True
        terminal.type(key)
        return False

    until_sync(answered, 60, question, every=0.5)


def test_a_node_from_off_to_off(demo: Demo, tmp_path: Path) -> None:
    with _pilot(demo, tmp_path / "you", "you") as you, _pilot(demo, tmp_path / "them", "them") as them:
        you.await_text("10 nodes")
        them.await_text("4 nodes")
        assert not them.line(NODE)

        # On, by the `:` line, and its console beside the list from the first byte.
        you.write(f":{NODE}\r")
        you.await_text(f"▌ +{NODE} +○ off")
        you.write("po")
        you.await_text(f"{NODE} +● on", BOOT_SECONDS)
        you.await_text(f"✓ on {NODE}")
        you.type("c")
        you.await_text(f"⌁ {NODE} .*you write")
        you.await_text("SeaBIOS|login:", BOOT_SECONDS)

        # Logged in; full-screen programs inside; no key of theirs is stolen.
        you.await_text("login:", BOOT_SECONDS)
        you.type("Enter")
        you.await_text(f"{NODE} login: *$")
        you.write("root\r")
        you.await_text("Password:")
        you.write("pilot\r")
        you.await_text("# *$")
        you.write("vi /tmp/note\r")
        you.await_text("/tmp/note")
        you.write("ihello from the cockpit")
        you.await_text("^hello from the cockpit")
        you.await_text("^I /tmp/note")
        # The guest's own vi takes an ESC and what is close behind it for one key.
        you.type("Escape")
        you.await_text("^- /tmp/note")
        you.write(":wq\r")
        you.await_text("# *$")
        you.write("clear; cat /tmp/note\r")
        you.await_text("^hello from the cockpit")
        you.write("top\r")
        you.await_text("PID +PPID +USER")
        you.type("C-c")
        you.await_text("# *$")
        you.write("cat -v\r")
        you.type("C-q", "C-p", "Tab", "Escape")
        you.write("end\r")
        # Ctrl+Q is the guest's own flow control: it got there, and cat is not told.
        you.await_text(r"\^P\s+\^\[end")
        you.type("C-c")

        # Released, the list again, off; the question has Cancel in focus.
        you.type("C-]")
        you.await_text("⏎ type")
        you.type("1")
        you.await_text(f"▌ +{NODE} +● on")
        you.write("px")
        you.await_text(f"Turn off {NODE} of vc1 now")
        _answer(you, f"Turn off {NODE}", "Enter")
        you.await_text(f"▌ +{NODE} +● on")
        you.write("px")
        you.await_text(f"Turn off {NODE} of vc1 now")
        _answer(you, f"Turn off {NODE}", "y")
        you.await_text(f"{NODE} +○ off", 60)
        you.await_text(f"✓ off {NODE}")

        # Nothing of it was seen by the owner of the other cluster.
        assert them.line("4 nodes")
        assert NODE not in them.screen()

        # What was asked, and the journal of it; verified with the receipts.
        you.type("9")
        you.await_text(f"off {NODE}")
        you.write(":journal\r")
        you.await_text(f"power.off +{NODE}")
        you.type("v")
        you.await_text("the chain of all .* records is right", 60)
        you.type("Escape")
        you.type("C-q")
        until_sync(lambda: you.ended, 60)


def test_airboss_dies_and_comes_back(demo: Demo, tmp_path: Path) -> None:
    with ExitStack() as stack, _pilot(demo, tmp_path / "you", "you") as you:
        you.await_text("10 nodes")
        you.write("/compute\r")
        you.await_text("4 of 10 nodes")
        you.type("j", "Space", "j")
        you.await_text("1 marked")
        you.await_text("▌ +compute-0-2")
        you.write(":console compute-0-0\r")
        you.await_text("⌁ compute-0-0 .*you write")
        you.await_text("login:", BOOT_SECONDS)
        you.type("Enter")
        demo.kill_airboss()
        you.await_text("✕ demo")
        # The demo ends the one that is started again, too.
        airboss = demo.start_airboss()
        stack.callback(airboss.wait, 60)
        stack.callback(demo.end)
        you.await_text("● demo", 60)
        you.await_text("you write", 60)
        you.type("Enter")
        you.write("root\r")
        you.await_text("Password:")
        you.type("C-]")
        you.await_text("⏎ type")
        you.type("1")
        you.await_text("4 of 10 nodes")
        you.await_text("1 marked")
        you.await_text("▌ +compute-0-2")


def test_read_only_offers_nothing_that_changes_something(demo: Demo, tmp_path: Path) -> None:
    with _pilot(demo, tmp_path / "you", "you", "--readonly", columns=80) as you:
        you.await_text("read only")
        you.await_text("10 nodes")
        you.write(":off compute-0-0\r")
        you.await_text("nothing here is called 'off'|read-only")
        you.type("C-q")
        until_sync(lambda: you.ended, 60)
