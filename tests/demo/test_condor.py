"""The demo where HTCondor is installed: a real pool, drained for real, of which nothing is left."""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilot.demo import processes
from pilot.demo.condor import FOLDER
from pilot.demo.state import StateFolder
from tests.support.demo import RUNS, Demo
from tests.support.installed_condor import InstalledCondor
from tests.support.waiting import until_sync

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]
SLOW = 120.0


@pytest.fixture
def place(short_folder: Path) -> Path:
    """The same outside and inside of what HTCondor is installed in."""
    place = Path(tempfile.mkdtemp(prefix="c", dir=short_folder))
    place.chmod(0o755)
    return place


@pytest.fixture
def demo(place: Path) -> Iterator[Demo]:
    demo = Demo(place / "d", "--headless", "--port", "0", condor=InstalledCondor(place / "bin"))
    demo.await_text(RUNS)
    yield demo
    demo.end()
    leftover = StateFolder(place / "d")
    leftover.claim()
    leftover.release()


def machines(demo: Demo) -> dict[str, dict[str, Any]]:
    """Those of the demo's only pool that its owner sees, by the node that each is."""
    listed = json.loads(demo.as_person("you", "slots", "--json").stdout)
    names = {node["id"]: node["name"] for node in json.loads(demo.as_person("you", "nodes", "--json").stdout)}
    return {names[one["node"]]: one for pool in listed for one in pool["machines"] if one["node"] in names}


def test_the_pool_is_real_and_its_machines_are_nodes_and_instances(demo: Demo, place: Path) -> None:
    assert b"HTCondor: a real pool" in demo.output
    nodes = {"compute-0-0", "remote-0-0", "remote-0-1"}
    until_sync(lambda: machines(demo).keys() == nodes, SLOW, "machines", every=1)

    def busy() -> bool:
        return all(any(slot["job"] for slot in one["slots"]) for one in machines(demo).values())

    until_sync(busy, SLOW, "jobs on all", every=1)
    drained = demo.as_person("you", "drain", "compute-0-0", "--reason", "a new disk")
    assert drained.returncode == 0, drained.stdout + drained.stderr
    until_sync(lambda: machines(demo)["compute-0-0"]["drain_reason"] == "a new disk", SLOW, "drains", every=1)

    assert len(processes.inside(place / "d" / FOLDER)) > 3 * 2 + 4
    demo.end()
    assert demo.process.returncode == 0
    assert not processes.inside(place / "d" / FOLDER)
    assert not (place / "d").exists()


def test_a_demo_that_is_killed_leaves_it_to_the_next(demo: Demo, place: Path) -> None:
    until_sync(lambda: len(processes.inside(place / "d" / FOLDER)) > 4, SLOW, "it runs", every=0.5)
    os.kill(demo.process.pid, signal.SIGKILL)
    demo.process.wait(timeout=30)
    assert processes.inside(place / "d" / FOLDER)
    folder = StateFolder(place / "d")
    cleared = folder.claim()
    folder.release()
    assert "a part of HTCondor" in cleared
    assert not processes.inside(place / "d" / FOLDER)
