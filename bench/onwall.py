"""Somebody's wall with the screens of all nodes, drawn as the app draws it, in a process of its own.

`python -m bench.onwall KEY KNOWN_HOSTS PORT CLUSTER` says how many nodes it shows once it has drawn them all.
For each line on stdin it then looks at all of them anew, and prints after how many seconds that was done.
"""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from keys.identity import identities
from pilot.client_config import Site
from pilot.link.link import Link
from pilot.link.screen_stream import ScreenStream
from pilot.link.trust import KnownHosts
from pilot.live.wall import Wall
from pilot.records import Node
from pilot.vnc.renderer import View
from pilot.vnc.text import Fonts

VIEW = View(24, 4)
DRAW_SECONDS = 0.05
SWITCH_SECONDS = 0.0005
"""As in the app: a thread that decodes does not keep the loop waiting."""


class OnWall:
    """A wall, and what draws it."""

    def __init__(self, link: Link, nodes: list[Node]) -> None:
        self._nodes = nodes
        known = {node.id: node for node in nodes}

        async def screen(node_id: str, cluster: str) -> ScreenStream:
            return await link.screen(node_id, cluster, "watch")

        self.wall = Wall(known.get, screen, link.tail, lambda *words: link.log(*words[:2]))
        self._fonts = Fonts.built_in()

    async def drawing(self) -> None:
        """Draw what is new, and say now and then that all is looked at, as the app's screen does."""
        looked = 0.0
        while True:
            if time.monotonic() - looked > 1.0:
                looked = time.monotonic()
                self.wall.look(self._nodes)
            for tile in [*self.wall.tiles.values()]:
                if tile.stale:
                    tile.draw(self._fonts, VIEW)
                    await asyncio.sleep(0)
            await asyncio.sleep(DRAW_SECONDS)

    async def seen_since(self, moment: float) -> None:
        """Await that all show more than an empty picture which is not older than this."""
        while not all(  # noqa: ASYNC110 - nothing tells of all
            tile.whole and tile.drawn is not None and (tile.updated or 0.0) >= moment
            for tile in (self.wall.tile(node) for node in self._nodes)
        ):
            await asyncio.sleep(0.02)


async def main(key: Path, known_hosts: Path, port: int, cluster: str) -> None:
    """Show them, and look anew when told."""
    sys.setswitchinterval(SWITCH_SECONDS)
    signers = await identities([key], False, None)
    link = await Link.connect(Site("test", "127.0.0.1", port), signers, KnownHosts(known_hosts))
    reply = await link.call("node.list", cluster)
    shown = OnWall(link, [record for record in reply.records if isinstance(record, Node)])
    drawing = asyncio.create_task(shown.drawing())
    drawing.add_done_callback(lambda done: done.cancelled() or sys.exit(f"{done.exception()!r}"))
    await shown.seen_since(0.0)
    print(len(reply.records), flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        begin, moment = time.perf_counter(), time.time()
        shown.wall.hurry()
        await shown.seen_since(moment)
        print(time.perf_counter() - begin, flush=True)
    drawing.cancel()
    await link.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]))
