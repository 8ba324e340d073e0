"""An hour in which nodes change all the time, and somebody looks at one tree after the other: memory."""

from __future__ import annotations

import asyncio
import itertools
import time

from bench.changing import changing
from bench.hosts import fleets_of, raise_file_limit, resident
from bench.keystrokes import Pty
from bench.result import Row, at_most_times, median
from bench.workshop import CLUSTER, Bench, Workshop, console_script
from pilot.demo.fleet import Fleet
from tests.support.airboss import Airboss

HOSTS, EACH = 10, 100
CHANGES = 10
MINUTES = 60
WARM_MINUTES = 35
"""Until what has a bound is full: 10,000 events in the app are a quarter of an hour and more."""
SAMPLES = 5
"""Minutes whose median stands for one end of the time."""
MINUTE = 60.0
LOOK_SECONDS = 12.0
SCREENS = b"1236789"
READY_SECONDS = 60.0
ROWS, COLUMNS = 48, 160
LEAVE = b"\x11"


async def measure(workshop: Workshop) -> list[Row]:
    """A site of 1,000 nodes, and the app that looks at it."""
    raise_file_limit()
    async with fleets_of(workshop, HOSTS, EACH) as fleets:
        airboss = Airboss(workshop.fresh("a"), {fleet.host.name: fleet.uri for fleet in fleets})
        airboss.editor.add_cluster(CLUSTER, None, False)
        site = Bench(airboss, await airboss.person("ada", "*", "admin"))
        try:
            await airboss.start()
            await site.remember()
            await site.await_nodes(HOSTS * EACH)
            assert airboss.process is not None
            return await asyncio.to_thread(_measured, workshop, site, fleets, airboss.process.pid)
        finally:
            await airboss.stop()


def _measured(workshop: Workshop, site: Bench, fleets: list[Fleet], airboss: int) -> list[Row]:
    environment = {**site.ada.environment, "COLORTERM": "truecolor"}
    app = Pty(console_script("pilot"), environment, ROWS, COLUMNS)
    ours, theirs = list[float](), list[float]()
    try:
        assert app.await_text(b"%d nodes" % (HOSTS * EACH), READY_SECONDS), app.last
        with changing(fleets, CHANGES) as pace:
            begin, screens = time.monotonic(), itertools.cycle(SCREENS)
            for minute in range(1, MINUTES + 1):
                while (left := begin + minute * MINUTE - time.monotonic()) > 0:
                    app.type(bytes([next(screens)]))
                    app.listen(min(left, LOOK_SECONDS))
                ours.append(resident(airboss))
                theirs.append(resident(app.pid))
                workshop.say(f"minute {minute}: airboss {ours[-1]:.1f} MB, app {theirs[-1]:.1f} MB")
            changes = pace.changes
    finally:
        app.end(LEAVE)
    marks = range(10, MINUTES + 1, 10)
    seen = ", ".join(f"{n}: {ours[n - 1]:.0f} and {theirs[n - 1]:.0f} MB" for n in marks)
    workshop.notes.append(
        f"Soak: {HOSTS} libvirtds with {EACH} nodes each; {changes:,} times in {MINUTES} minutes a node was "
        f"started or stopped; the app showed another of its screens every {LOOK_SECONDS:.0f} s. Medians of "
        f"{SAMPLES} minutes at either end, the first of them minute {WARM_MINUTES}. Memory at minute {seen}."
    )
    return [
        _flat(f"airboss after {MINUTES} minutes of {CHANGES} changes/s among {HOSTS * EACH:,} nodes", ours),
        _flat("the app that looks at them", theirs),
    ]


def _flat(what: str, samples: list[float]) -> Row:
    early = median(samples[WARM_MINUTES - 1 : WARM_MINUTES - 1 + SAMPLES])
    return at_most_times(what, median(samples[-SAMPLES:]), "MB", f"after {WARM_MINUTES} minutes", early, 1.05)
