"""The demo as a person starts it: a process that builds, serves, ends and clears up, whatever befell it."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilot.demo.hypervisor import PrivateHost
from pilot.demo.state import StateFolder
from pilot.errors import BusyError, ConfigError
from tests.support.waiting import until_sync

pytestmark = pytest.mark.e2e

RUNS = b"SIGTERM ends it"
"""The last words of a headless demo that is built."""


class Demo:
    """A `python -m pilot.demo` of its own; its output is what both streams say."""

    def __init__(self, state: Path, *arguments: str, stdin: bytes | None = None) -> None:
        self.state = state
        self.output = b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pilot.demo", "--state", str(state), *arguments],
            stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        if stdin is not None:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    def await_text(self, text: bytes | None, deadline: float = 60.0) -> bytes:
        """Read until the text came, or until the end if that is None."""
        assert self.process.stdout is not None
        end = time.monotonic() + deadline
        while text is None or text not in self.output:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise AssertionError(f"{text!r} did not come; the demo said:\n{self.output.decode()}")
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                assert text is None, f"the demo ended:\n{self.output.decode()}"
                break
            self.output += data
        return self.output

    def as_person(self, folder: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `pilot` as one of the demo's people."""
        return subprocess.run(
            [self.state / "bin" / "pilot", *words],
            env={**os.environ, "PILOT_CONFIG": str(self.state / folder)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def pids(self) -> list[int]:
        """All processes of the demo but its own."""
        found = [json.loads(path.read_text())["pid"] for path in self.state.glob("*.process")]
        for folder in self.state.glob("h[0-9]"):
            host = PrivateHost(folder, folder.name)
            found += [pid for pid in (host.pid, *host.qemu_pids().values()) if pid is not None]
        return found

    def end(self) -> None:
        """End it in order, if it has not ended."""
        assert self.process.stdout is not None
        if self.process.stdout.closed:
            return
        if self.process.poll() is None:
            self.process.terminate()
        self.await_text(None, 30)
        self.process.wait(timeout=10)
        self.process.stdout.close()


@pytest.fixture
def state(short_folder: Path) -> Iterator[Path]:
    folder = short_folder / "d"
    yield folder
    # Whatever a failed test left.
    leftover = StateFolder(folder)
    leftover.claim()
    leftover.release()


@pytest.fixture
def start(state: Path) -> Iterator[Callable[..., Demo]]:
    """Starts demos in the same state folder."""
    made: list[Demo] = []

    def make(*arguments: str, stdin: bytes | None = None) -> Demo:
        made.append(Demo(state, *arguments, stdin=stdin))
        return made[-1]

    yield make
    for demo in made:
        demo.end()


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_each_owner_sees_their_own_nodes_and_the_end_leaves_nothing(
    state: Path, start: Callable[..., Demo]
) -> None:
    demo = start("--headless", "--port", "0")
    demo.await_text(RUNS)
    yours = json.loads(demo.as_person("you", "nodes", "--json").stdout)
    theirs = json.loads(demo.as_person("them", "nodes", "--json").stdout)
    assert {(node["cluster"], node["name"]) for node in yours} == {
        ("vc1", name) for name in ("frontend", "compute-0-0", "compute-0-1", "compute-0-2", "compute-0-3")
    }
    assert {(node["cluster"], node["name"]) for node in theirs} == {
        ("vc2", "frontend"),
        ("vc2", "compute-0-0"),
    }
    listed = subprocess.run(
        ["ssh", "-F", state / "you" / "ssh_config", "airboss", "list"],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout  # fmt: skip
    assert "compute-0-3" in listed
    until_sync(lambda: len(demo.pids()) >= 1 + 3 + 3, 20, "airboss, three hosts and the nodes that are on")
    pids = demo.pids()
    demo.end()
    assert demo.process.returncode == 0
    assert not [pid for pid in pids if runs(pid)]
    assert not state.exists()


def test_shell_has_pilot_in_its_path(state: Path, start: Callable[..., Demo]) -> None:
    demo = start(stdin=b"pilot nodes\npilot-agent key list\nexit 7\n")
    output = demo.await_text(None)
    assert b"compute-0-3" in output
    assert b"them@vc2" in output
    assert demo.process.wait(timeout=20) == 7
    assert not state.exists()


def test_wreck_of_a_killed_demo_is_cleared_and_a_live_one_is_spared(
    state: Path, start: Callable[..., Demo]
) -> None:
    first = start("--headless")
    first.await_text(RUNS)
    until_sync(lambda: len(first.pids()) >= 5, 20, "a node is on")

    second = start("--headless")
    assert b"a demo runs already" in second.await_text(None)
    assert second.process.wait(timeout=20) != 0
    pids = first.pids()
    assert len(pids) >= 5
    assert all(runs(pid) for pid in pids)

    first.process.kill()
    first.process.wait(timeout=10)
    assert all(runs(pid) for pid in pids)

    third = start("--headless")
    assert b"cleared what an earlier demo left" in third.await_text(RUNS)
    assert not [pid for pid in pids if runs(pid)]
    third.end()
    assert not state.exists()


def test_interrupted_while_it_builds_leaves_nothing(state: Path, start: Callable[..., Demo]) -> None:
    demo = start("--headless")
    demo.await_text(b"private libvirtd")
    pids = demo.pids()
    demo.process.send_signal(signal.SIGINT)
    demo.await_text(None)
    assert demo.process.wait(timeout=20) == 130
    assert not [pid for pid in pids if runs(pid)]
    assert not state.exists()


def test_folder_of_somebody_else_is_refused(short_folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a folder that belongs to somebody else")
    folder = short_folder / "foreign"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    with pytest.raises(ConfigError, match="somebody else"):
        StateFolder(folder).claim()


def test_lock_is_held_until_released(short_folder: Path) -> None:
    one, other = StateFolder(short_folder / "s"), StateFolder(short_folder / "s")
    one.claim()
    with pytest.raises(BusyError, match=f"pid {os.getpid()}"):
        other.claim()
    (one.path / "precious").touch()
    other.release()
    assert (one.path / "precious").exists()
    one.release()
    other.claim()
    other.release()
