"""The demo's second start: from its process to the first verb's answer."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

from bench.result import Row, below, median
from bench.workshop import ROOT, Workshop, console_script, run

STARTS = 2


async def measure(workshop: Workshop) -> list[Row]:
    """Start it, ask it, end it; once before, so that guest and capabilities are kept already."""
    await _start(workshop)
    times = [await _start(workshop) for _ in range(STARTS)]
    return [below("`make demo`, second start, until `pilot nodes` has answered", median(times), "s", 5)]


async def _start(workshop: Workshop) -> float:
    folder = workshop.fresh("d")
    begin = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pilot.demo", "--headless", "--state", str(folder / "s")),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            while b"The demo runs" not in (line := await process.stdout.readline()):
                if not line:
                    raise RuntimeError(f"the demo ended with {await process.wait()}: `make demo` says why")
        environment = {**os.environ, "PILOT_CONFIG": str(folder / "s" / "you")}
        nodes = json.loads(await run([*console_script("pilot"), "nodes", "--json"], environment))
        took = time.perf_counter() - begin
        assert nodes, "the demo has no nodes"
        return took
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(30):
            await asyncio.gather(process.stdout.read(), process.wait())
