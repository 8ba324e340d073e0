"""Trees of 10,000 nodes in the app: first frames, and keys while 500 nodes a second change."""

from __future__ import annotations

import asyncio
import re
import time
from typing import NamedTuple

from bench.changing import changing
from bench.cursor import DOWN, UP, await_other_row
from bench.hosts import fleets_of, raise_file_limit
from bench.keystrokes import Pty
from bench.result import Row, below, median, percentile
from bench.workshop import CLUSTER, Bench, Workshop, console_script
from pilot.demo.fleet import Fleet
from tests.support.airboss import Airboss

HOSTS, EACH = 100, 100
NODES = HOSTS * EACH
CHANGES = 500
STARTS = 5
ROUNDS = 2
STEPS = 90
"""Keys one way, within the nodes of one host."""
BURSTS, BURST = 10, 40
PAUSE = 0.03
"""Seconds between a frame and the next key, about as fast as a held key repeats."""
READY_SECONDS = 60.0
SETTLE_SECONDS = 1.0
LOST_SECONDS = 10.0
"""Without another row until what was typed counts as lost."""
ROWS, COLUMNS = 48, 160
LEAVE = b"\x11"


class Tree(NamedTuple):
    """How one is asked for, and what is in it."""

    key: bytes
    heading: bytes
    """What only its headings say."""
    above: int
    """Lines above the first node, once all branches are open."""


TREES = {"hosts": Tree(b"2", b"VCPUS", 1), "VLANs": Tree(b"3", b"PACKETS", 2)}


async def measure(workshop: Workshop) -> list[Row]:
    """A large site's trees; airboss, 100 libvirtds and the bench share the processors with the app."""
    raise_file_limit()
    async with fleets_of(workshop, HOSTS, EACH) as fleets:
        workshop.say(f"{HOSTS} libvirtds with {EACH} running domains each are up")
        airboss = Airboss(workshop.fresh("a"), {fleet.host.name: fleet.uri for fleet in fleets})
        airboss.editor.add_cluster(CLUSTER, None, False)
        site = Bench(airboss, await airboss.person("ada", "*", "admin"))
        try:
            await airboss.start()
            await site.remember()
            await site.await_nodes(NODES)
            return await asyncio.to_thread(_measured, workshop, site, fleets)
        finally:
            await airboss.stop()


def _measured(workshop: Workshop, site: Bench, fleets: list[Fleet]) -> list[Row]:
    first = [_first_frames(site) for _ in range(STARTS)]
    frames = {name: median([one[name] for one in first]) for name in TREES}
    pressed = {name: _keys(site, fleets, tree) for name, tree in TREES.items()}
    rate = min(keys.rate for keys in pressed.values())
    lost = sum(keys.lost for keys in pressed.values())
    typed = sum(len(keys.times) + 2 * BURSTS * BURST for keys in pressed.values())
    slowest = ", ".join(
        f"{name} {median(keys.times):.1f} ms, slowest {max(keys.times):.0f} ms"
        for name, keys in pressed.items()
    )
    workshop.notes.append(
        f"Trees: `pilot` on a terminal of {COLUMNS}x{ROWS}, {HOSTS} libvirtds with {EACH} nodes each. A "
        f"tree's first frame is timed from the key that asks for it, in {STARTS} apps that never showed it. "
        f"Keys go up and down among the nodes of one open host while {rate:.0f} changes a second are made "
        f"through libvirt: median {slowest}. Each has to move the cursor by one line; in each tree "
        f"{2 * BURSTS} bursts of {BURST} keys have to end where they should."
    )
    return [
        *(below(f"tree of {name}, {NODES:,} nodes: to its first frame", frames[name], "ms", 500)
          for name in TREES),
        *(below(f"{name}, {CHANGES} changes/s: key to frame p95", percentile(keys.times, 95), "ms", 50)
          for name, keys in pressed.items()),
        Row(f"keys dropped there, of {typed}", lost, "keys", target="0 keys", met=not lost),
    ]  # fmt: skip


def _started(site: Bench) -> Pty:
    environment = {**site.ada.environment, "COLORTERM": "truecolor"}
    terminal = Pty(console_script("pilot"), environment, ROWS, COLUMNS)
    assert terminal.await_text(b"%d nodes" % NODES, READY_SECONDS), terminal.last
    terminal.listen(SETTLE_SECONDS)
    return terminal


def _first_frames(site: Bench) -> dict[str, float]:
    """Milliseconds from the key of each tree until its headings and a line of it have arrived."""
    terminal = _started(site)
    try:
        taken = {}
        for name, tree in TREES.items():
            begin = time.perf_counter()
            terminal.type(tree.key)
            assert terminal.await_text(tree.heading, READY_SECONDS), terminal.last
            assert terminal.await_text(b"vm-container-0-0", READY_SECONDS), terminal.last
            taken[name] = (time.perf_counter() - begin) * 1000
            terminal.listen(SETTLE_SECONDS)
        return taken
    finally:
        terminal.end(LEAVE)


class Keys(NamedTuple):
    """What became of those that were typed."""

    times: list[float]
    """Milliseconds of each that was typed alone."""
    lost: int
    """How many did not move the cursor as they should."""
    rate: float
    """Changes a second meanwhile."""


def _keys(site: Bench, fleets: list[Fleet], tree: Tree) -> Keys:
    terminal = _started(site)
    try:
        terminal.type(tree.key)
        assert terminal.await_text(tree.heading, READY_SECONDS), terminal.last
        terminal.type(b"+")
        terminal.listen(SETTLE_SECONDS)
        terminal.seen.clear()
        terminal.type(b"\x1b[H" + DOWN * tree.above)
        name = await_other_row(terminal, b"vm-container-0-0", READY_SECONDS)
        times, lost = [], 0
        with changing(fleets, CHANGES) as pace:
            terminal.listen(SETTLE_SECONDS)
            for key, step in [(DOWN, 1), (UP, -1)] * ROUNDS:
                for _ in range(STEPS):
                    terminal.settle(0.0)
                    terminal.seen.clear()
                    begin, before = time.perf_counter(), name
                    terminal.type(key)
                    name = await_other_row(terminal, name, READY_SECONDS)
                    times.append((time.perf_counter() - begin) * 1000)
                    lost += _number(name) != _number(before) + step
                    time.sleep(PAUSE)
            for key, step in [(DOWN, BURST), (UP, -BURST)] * BURSTS:
                due = b"compute-0-%d" % (_number(name) + step)
                terminal.type(key * BURST)
                while name != due:
                    try:
                        name = await_other_row(terminal, name, LOST_SECONDS)
                    except AssertionError:
                        lost += abs(_number(due) - _number(name))
                        break
            rate = pace.rate
        return Keys(times, lost, rate)
    finally:
        terminal.end(LEAVE)


def _number(name: bytes) -> int:
    found = re.search(rb"\d+$", name)
    assert found is not None
    return int(found[0])
