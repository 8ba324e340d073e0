"""How fast the journal is: one record alone, and many requests at once.

Beside it: what the same disk takes in plain appends with a sync after each, which is the most that
records written one by one could reach.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path

from bench.result import Row, at_least, median, percentile
from bench.workshop import CLUSTER, Workshop
from pilot.agent.database import Database
from pilot.agent.journal import Journal

ROUNDS = 5
ALONE = 50
CONCURRENT = 256
EACH = 10
"""Requests of each of the concurrent clients in a round; a request leaves an intent and an outcome."""
PLAIN = 100
BODY = b'{"v":1,"airboss":"SHA256:' + b"x" * 260 + b'"}'
SIGNATURE = b"SSHSIG" + b"\0" * 180


async def measure(workshop: Workshop) -> list[Row]:
    """Records alone, records at once and plain appends, in turns."""
    alone, rates, plain = list[float](), list[float](), list[float]()
    with tempfile.TemporaryDirectory(prefix="rocks-pilot-bench-", dir=workshop.disk) as name:
        folder = Path(name)
        database = Database.open(f"sqlite:///{folder / 'bench.db'}")
        journal = Journal(database)
        for _ in range(ROUNDS):
            for _ in range(ALONE):
                begin = time.perf_counter()
                await _append(journal)
                alone.append((time.perf_counter() - begin) / 2 * 1000)
            rates.append(await _at_once(journal))
            plain += _synced_appends(folder)
        await journal.close()
        database.close()
    workshop.notes.append(
        f"Journal: SQLite with a write-ahead log and synchronous=FULL; {CONCURRENT} requests at once. A "
        f"record alone is durable within {median(alone):.2f} ms (p50), {percentile(alone, 99):.2f} ms (p99)."
    )
    return [
        at_least(
            "journal, concurrent requests",
            median(rates),
            "records/s",
            2000,
            "a plain file, synced after each record",
            1000 / median(plain),
        )
    ]


async def _append(journal: Journal) -> None:
    intent = await journal.intent(
        actor="owner@vi-1",
        fingerprint="SHA256:" + "x" * 43,
        auth="signed",
        cluster=CLUSTER,
        verb="power.on",
        targets=["11111111-2222-3333-4444-555555555555"],
        args={"selectors": ["compute-0-0"]},
        body=BODY,
        signature=SIGNATURE,
    )
    await journal.outcome(intent, [{"target": "compute-0-0", "result": "done", "state": "on"}])


async def _at_once(journal: Journal) -> float:
    """Records a second."""

    async def client() -> None:
        for _ in range(EACH):
            await _append(journal)

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(CONCURRENT)))
    return CONCURRENT * EACH * 2 / (time.perf_counter() - begin)


def _synced_appends(folder: Path) -> list[float]:
    """Milliseconds of each."""
    times = []
    with (folder / "plain").open("ab", buffering=0) as file:
        for _ in range(PLAIN):
            begin = time.perf_counter()
            file.write(BODY + SIGNATURE)
            os.fsync(file.fileno())
            times.append((time.perf_counter() - begin) * 1000)
    return times
