"""Somebody who looks at a console and takes all that it prints, in a process of its own.

`python -m bench.onlooker KEY KNOWN_HOSTS PORT CLUSTER NODE` says "attached" and reads until its stdin ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from keys.identity import identities
from pilot.client_config import Site
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from pilot.link.trust import KnownHosts


async def _take(stream: ConsoleStream) -> None:
    async for _ in stream:
        pass


async def main(key: Path, known_hosts: Path, port: int, cluster: str, node: str) -> None:
    """Attach and read."""
    signers = await identities([key], False, None)
    link = await Link.connect(Site("test", "127.0.0.1", port), signers, KnownHosts(known_hosts))
    stream = await link.console(node, cluster, "watch")
    task = asyncio.create_task(_take(stream))
    print("attached", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await link.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]))
