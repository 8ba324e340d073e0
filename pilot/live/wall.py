"""What stands on the screens of many nodes: followed while they are looked at, kept with its age after that.

Of a node that is off, or has no screen, it is the last that its serial console said.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING

from pilot.errors import PilotError
from pilot.live.glance import Glance, Tail
from pilot.live.notifier import Notifier
from pilot.live.screen import ScreenSession
from pilot.live.turns import FIRST_SECONDS, Shown, Turns
from pilot.live.wall_tile import WORDS, Kind, Log, Tile, is_blank, last_words, source
from pilot.records import Node

if TYPE_CHECKING:
    from pilot.link.screen_stream import ScreenStream

MOST = 40
"""Screens that are followed at the same time, in turns if there are more: each is a channel of the one
connection, which bears 64."""
MOST_TAILS = 12
"""Serial consoles that are: airboss lets one key follow 16."""
TURN_SECONDS = 0.1
"""Between two looks whose turn it is."""
AT_ONCE = 16
"""Screens that are being opened at the same time."""
RATE = 2.0
"""Questions in a second what has changed on a screen."""
FIRST_RATE = 10.0
"""The same until there is a picture: what QEMU sends first is empty."""
AGAIN_SECONDS = 10.0
"""Between two attempts to read last words."""
_CLOSE_SECONDS = 5.0

OpenScreen = Callable[[str, str], Awaitable["ScreenStream"]]
"""From a node's id and cluster to its screen, to be watched only."""


class Wall:
    """The tiles of one site. `look` says which of them are in view."""

    def __init__(
        self,
        node_of: Callable[[str], Node | None],
        open_screen: OpenScreen,
        tail: Tail,
        log: Log,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Nothing is followed yet.

        Args:
            node_of: a node's record as it is now, by its id.
            open_screen: opens a screen to watch it.
            tail: follows a serial console.
            log: reads the end of a serial console's log.
            clock: seconds since the epoch.
        """
        self.changed = Notifier()
        """There is something new to draw, or to say."""
        self.tiles: dict[str, Tile] = {}
        self._node_of = node_of
        self._open_screen = open_screen
        self._tail = tail
        self._log = log
        self._clock = clock
        self._opening = asyncio.Semaphore(AT_ONCE)
        self._nodes: Sequence[Node] = ()
        self._turns: dict[Kind, Turns] = {"screen": Turns(MOST, clock), "serial": Turns(MOST_TAILS, clock)}
        self._turning: asyncio.Task[None] | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def tile(self, node: Node) -> Tile:
        """The tile of a node."""
        tile = self.tiles.get(node.id)
        if tile is None:
            tile = self.tiles[node.id] = Tile(node)
        tile.node = node
        return tile

    @property
    def followed(self) -> int:
        """How many tiles are followed now."""
        return len(self._tasks)

    def look(self, nodes: Sequence[Node]) -> None:
        """Follow these from now on, no others; all others keep what they show.

        It may be called as often as one likes: it tells nodes that have changed as well.
        """
        self._nodes = nodes
        self._give_places()
        if any(turns.waiting for turns in self._turns.values()) and self._turning is None:
            self._turning = asyncio.create_task(self._take_turns(), name="wall-turns")

    def hurry(self) -> None:
        """All that are in view are to be seen anew, as soon as may be."""
        for turns in self._turns.values():
            turns.hurry()
        self._give_places()

    async def _take_turns(self) -> None:
        try:
            while any(turns.waiting for turns in self._turns.values()):
                await asyncio.sleep(TURN_SECONDS)
                self._give_places()
        finally:
            self._turning = None

    def _give_places(self) -> None:
        kinds = {node.id: source(node) for node in self._nodes}
        # Whose QEMU answers nobody is asked nothing: it takes no place from others.
        hangs = {node.id for node in self._nodes if node.hung_ms is not None and kinds[node.id] == "screen"}
        placed = {
            node_id
            for kind, turns in self._turns.items()
            for node_id in turns.pick(
                [key for key in kinds if kinds[key] == kind and key not in hangs], self._shown
            )
        }
        wanted: dict[str, tuple[Node, Kind]] = {}
        for node in self._nodes:
            kind = kinds[node.id]
            if node.id in placed or kind not in self._turns or (node.id in hangs and self._may_stay(node.id)):
                wanted[node.id] = (node, kind)
            elif node.id in hangs:
                self._hangs(self.tile(node))
        for node_id in [*self._tasks]:
            if node_id not in wanted or wanted[node_id][1] != self.tiles[node_id].kind:
                self._leave(node_id)
        for node, kind in wanted.values():
            tile = self.tile(node)
            if tile.session is not None:
                # Whose QEMU answers nobody is asked nothing.
                tile.session.looking = node.hung_ms is None
                self._settle(tile)
            if node.id not in self._tasks and self._is_due(tile, kind):
                self._follow(tile, kind)

    def _shown(self, node_id: str) -> Shown:
        tile = self.tiles.get(node_id)
        return tile.shown if tile is not None else Shown(None, False)

    def _may_stay(self, node_id: str) -> bool:
        """Whether one that hangs now stays open: as long as that takes no place from others."""
        return node_id in self._tasks and not self._turns["screen"].waiting

    def _hangs(self, tile: Tile) -> None:
        """It is not followed, and why."""
        tile.why = "it hangs"

    async def close(self) -> None:
        """Follow none."""
        self.look(())
        if self._ending:
            await asyncio.wait(self._ending, timeout=_CLOSE_SECONDS)

    def forget(self) -> None:
        """Drop the tiles of nodes that are no more."""
        for node_id in [key for key in self.tiles if self._node_of(key) is None]:
            if node_id in self._tasks:
                self._leave(node_id)
            del self.tiles[node_id]

    def _is_due(self, tile: Tile, kind: Kind) -> bool:
        """Last words are read once; again only where that failed, and not at once."""
        if kind != "words" or tile.kind != "words":
            return True
        return bool(tile.why) and self._clock() - tile.tried > AGAIN_SECONDS

    # --- one node --------------------------------------------------------------------------------

    def _follow(self, tile: Tile, kind: Kind) -> None:
        tile.kind, tile.why, tile.tried = kind, "", self._clock()
        if kind == "none":
            return
        doing = {"screen": self._screen, "serial": self._serial, "words": self._words}[kind]
        task = asyncio.create_task(doing(tile), name=f"wall-{kind}")
        self._tasks[tile.node.id] = task
        if kind == "words":
            # It is read once, and is over by itself.
            task.add_done_callback(lambda done: self._over(tile.node.id, done))

    def _over(self, node_id: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(node_id) is task:
            del self._tasks[node_id]

    def _leave(self, node_id: str) -> None:
        task, tile = self._tasks.pop(node_id), self.tiles[node_id]
        if tile.session is not None:
            tile.session.close()
        else:
            task.cancel()
        if tile.glance is not None:
            tile.glance.stop()
        tile.rest()
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _screen(self, tile: Tile) -> None:
        node, begun = tile.node, self._clock()
        tile.whole = False

        async def opened(_mode: str, _exclusive: bool) -> ScreenStream:
            async with self._opening:
                return await self._open_screen(node.id, node.cluster)

        session = ScreenSession(
            node.id,
            node.name or node.domain,
            opened,
            mode="watch",
            why_not=lambda: self._why_not(node.id),
            clock=self._clock,
        )
        session.pacing.rate = FIRST_RATE
        tile.session = session
        session.looking = node.hung_ms is None

        def drawn() -> None:
            tile.stale = True
            tile.words = ()
            shown = session.screen is not None and not is_blank(session.screen)
            if shown or self._clock() - begun > FIRST_SECONDS:
                session.pacing.rate = RATE
            self._settle(tile)
            self.changed.tell()

        def changed() -> None:
            self._settle(tile)
            self.changed.tell()

        unlisten = [session.drawn.listen(drawn), session.changed.listen(changed)]
        try:
            await session.run()
        finally:
            for stop in unlisten:
                stop()

    def _why_not(self, node_id: str) -> str:
        node = self._node_of(node_id)
        if node is None:
            return "it is no node of yours any more"
        return "it hangs" if node.hung_ms is not None else ""

    def _settle(self, tile: Tile) -> None:
        """What is known of a tile whose screen is followed, by its session."""
        session, node = tile.session, tile.node
        if session is None:
            return
        tile.live = session.state == "live" and node.hung_ms is None and session.screen is not None
        tile.why = session.why if session.state in ("waiting", "lost", "ended") else ""
        if tile.live:
            # What does not change is as it was: the server would have said so.
            tile.updated = self._clock()

    async def _serial(self, tile: Tile) -> None:
        glance = tile.glance = Glance(self._tail, settle=0.0)

        def changed() -> None:
            if lines := glance.lines(WORDS):
                tile.words, tile.drawn = tuple(lines), None
                tile.updated, tile.live, tile.whole = self._clock(), not glance.why, True
            tile.why = glance.why
            tile.live = tile.live and not glance.why
            tile.stale = True
            self.changed.tell()

        unlisten = glance.changed.listen(changed)
        try:
            glance.look(tile.node)
            await asyncio.Event().wait()
        finally:
            glance.stop()
            unlisten()

    async def _words(self, tile: Tile) -> None:
        try:
            async with self._opening:
                words, moment = await last_words(tile.node, self._log)
        except PilotError as error:
            tile.why = error.message
        else:
            if words:
                tile.words, tile.drawn = words, None
                tile.updated = moment
        tile.stale = True
        self.changed.tell()
