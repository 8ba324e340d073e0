"""The demo as a person starts it: a process that builds, serves, ends and clears up, whatever befell it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pilot.demo import cloud
from pilot.demo.state import StateFolder
from pilot.errors import BusyError, ConfigError
from tests.support.demo import RUNS, Demo
from tests.support.waiting import until_sync

# Two or three boots or builds in a row, on a machine that is busy with others.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


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


def here(said: str) -> list[dict[str, str]]:
    """The nodes on hosts of `pilot nodes --json`: EC2's come when they come."""
    return [node for node in json.loads(said) if node["provider"] != "ec2"]


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
    yours = here(demo.as_person("you", "nodes", "--json").stdout)
    theirs = here(demo.as_person("them", "nodes", "--json").stdout)
    assert {(node["cluster"], node["name"]) for node in yours} == {
        ("vc1", name) for name in ("frontend", "compute-0-0", "compute-0-1", "compute-0-2", "compute-0-3")
    }
    assert {(node["cluster"], node["name"]) for node in theirs} == {
        ("vc2", "frontend"),
        ("vc2", "compute-0-0"),
    }
    until_sync(
        lambda: "guests" in demo.as_person("admin", "hosts", "--storage").stdout, 60, "storage", every=0.5
    )
    listed = subprocess.run(
        ["ssh", "-F", state / "you" / "ssh_config", "airboss", "list"],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    assert "compute-0-3" in listed
    until_sync(lambda: len(demo.pids()) >= 1 + 3 + 3, 20, "airboss, three hosts and the nodes that are on")
    pids = demo.pids()
    demo.end()
    assert demo.process.returncode == 0
    assert not [pid for pid in pids if runs(pid)]
    assert not state.exists()


def test_it_shows_a_pretended_ec2_and_says_so(start: Callable[..., Demo]) -> None:
    demo = start("--headless", "--port", "0")
    demo.await_text(RUNS)
    assert b"pretended" in demo.output
    found: dict[str, dict[str, Any]] = {}

    def seen(person: str, count: int) -> bool:
        listed = json.loads(demo.as_person(person, "instances", "--json").stdout)
        found.clear()
        found.update({one["name"]: one for one in listed})
        return len(found) == count

    until_sync(lambda: seen("them", 2), 60, "vc2's instances", every=0.5)
    assert {one["cluster"] for one in found.values()} == {"vc2"}
    until_sync(lambda: seen("you", 5) and found["remote-0-0"]["lease"], 60, "vc1's, one leased", every=0.5)
    assert found["remote-0-0"]["lease"]["principal"] == "you@vc1"
    assert found["remote-0-2"]["launched"] < time.time() - 86_400
    assert found["remote-0-3"]["state"] == "stopped"
    assert "spot capacity" in found["remote-0-3"]["reason"]
    assert found["remote-0-4"]["state"] == "terminated"
    said = demo.as_person("you", "instances").stdout
    assert said.count("pretended, not the real EC2") == 2
    machines = demo.as_person("you", "slots").stdout
    assert "remote-0-0" in machines, machines


def test_without_moto_it_goes_without_ec2(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cloud, "_NEEDED", ("flask", "nobody_has_this"))
    assert cloud.Cloud(tmp_path).missing() == "nobody_has_this"


def test_shell_has_pilot_in_its_path(state: Path, start: Callable[..., Demo]) -> None:
    demo = start(stdin=b"pilot nodes\npilot-agent key list\nexit 7\n")
    output = demo.await_text(None)
    assert b"compute-0-3" in output
    assert b"them@vc2" in output
    assert demo.process.wait(timeout=40) == 7
    assert not state.exists()


def test_wreck_of_a_killed_demo_is_cleared_and_a_live_one_is_spared(
    state: Path, start: Callable[..., Demo]
) -> None:
    first = start("--headless")
    first.await_text(RUNS)
    until_sync(lambda: len(first.pids()) >= 5, 20, "a node is on")

    second = start("--headless")
    assert b"a demo runs already" in second.await_text(None)
    assert second.process.wait(timeout=40) != 0
    pids = first.pids()
    assert len(pids) >= 5
    assert all(runs(pid) for pid in pids)

    first.process.kill()
    first.process.wait(timeout=40)
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
    assert demo.process.wait(timeout=40) == 130
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
