"""How fast the journal is: one record alone, and many requests at once. Prints JSON.

Beside it: what the same disk takes in plain appends with a sync after each, which is the most that
records written one by one could reach. Give the folder whose disk is to be measured.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from pilot.agent.database import Database
from pilot.agent.journal import Journal

ALONE = 200
CONCURRENT = 256
RECORDS = 20_000
BODY = b'{"v":1,"airboss":"SHA256:' + b"x" * 260 + b'"}'
SIGNATURE = b"SSHSIG" + b"\0" * 180


async def _append(journal: Journal) -> None:
    intent = await journal.intent(
        actor="owner@vi-1",
        fingerprint="SHA256:" + "x" * 43,
        auth="signed",
        cluster="vi-1",
        verb="power.on",
        targets=["11111111-2222-3333-4444-555555555555"],
        args={"selectors": ["compute-0-0"]},
        body=BODY,
        signature=SIGNATURE,
    )
    await journal.outcome(intent, [{"target": "compute-0-0", "result": "done", "state": "on"}])


async def _measure(folder: Path) -> dict[str, float]:
    database = Database.open(f"sqlite:///{folder / 'bench.db'}")
    journal = Journal(database)
    alone: list[float] = []
    for _ in range(ALONE):
        begin = time.perf_counter()
        await _append(journal)
        alone.append((time.perf_counter() - begin) / 2 * 1000)

    async def client(count: int) -> None:
        for _ in range(count):
            await _append(journal)

    begin = time.perf_counter()
    await asyncio.gather(*(client(RECORDS // 2 // CONCURRENT) for _ in range(CONCURRENT)))
    took = time.perf_counter() - begin
    await journal.close()
    database.close()
    return {
        "alone_ms_p50": statistics.median(alone),
        "alone_ms_p99": statistics.quantiles(alone, n=100)[98],
        "concurrent_records_per_s": RECORDS // 2 // CONCURRENT * CONCURRENT * 2 / took,
    }


def _plain(folder: Path) -> float:
    """Synced appends per second, one after the other."""
    count = 200
    record = BODY + SIGNATURE
    with (folder / "plain").open("ab", buffering=0) as file:
        begin = time.perf_counter()
        for _ in range(count):
            file.write(record)
            os.fsync(file.fileno())
        return count / (time.perf_counter() - begin)


def main() -> None:
    where = sys.argv[1] if len(sys.argv) > 1 else "/var/tmp"
    with tempfile.TemporaryDirectory(dir=where) as folder:
        numbers = asyncio.run(_measure(Path(folder)))
        numbers["plain_synced_appends_per_s"] = _plain(Path(folder))
    print(json.dumps({name: round(value, 3) for name, value in numbers.items()}))


if __name__ == "__main__":
    main()
