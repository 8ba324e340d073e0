"""Watchers as other people have them: links that keep a store each, in a process of their own.

`python -m bench.watchers KEY KNOWN_HOSTS PORT CLUSTER COUNT` prints a line once all stores are complete, and
watches until its stdin ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from keys.identity import identities
from pilot.client_config import Site
from pilot.link.link import Link
from pilot.link.trust import KnownHosts
from pilot.store import Store


async def _watch(link: Link, cluster: str, complete: asyncio.Event) -> None:
    store = Store()
    async for frame in link.watch(cluster):
        store.apply(frame)
        if store.complete:
            complete.set()


async def _serve(key: Path, known_hosts: Path, port: int, cluster: str, count: int) -> None:
    signers = await identities([key], False, None)
    site = Site("test", "127.0.0.1", port)
    # A link of its own for each: as many people, as many connections.
    links = [await Link.connect(site, signers, KnownHosts(known_hosts)) for _ in range(count)]
    done = [asyncio.Event() for _ in links]
    tasks = [
        asyncio.create_task(_watch(link, cluster, event)) for link, event in zip(links, done, strict=True)
    ]
    for event in done:
        await event.wait()
    print("all complete", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*(link.close() for link in links))


if __name__ == "__main__":
    asyncio.run(_serve(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], int(sys.argv[5])))
