"""A screen as true pixels, in terminals that know Kitty's graphics protocol: a grid of tiles.

Only tiles that changed are sent, and few at a time: whoever shows them asks again once the terminal has
these, and gets what the tiles look like by then. So nothing queues up.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilot.console.engine import Look, Run
from pilot.vnc import kitty_protocol as protocol
from pilot.vnc.framebuffer import Framebuffer, Rect
from pilot.vnc.renderer import Frame, Kind, View
from pilot.vnc.scaling import Scaling, window

TILE = 128
"""Pixels of a tile across and down, about: it ends where a cell does."""
MOST_TILES = 24
"""Sent with one frame; they take some 20 ms to make, in which nobody else has a turn."""


class _Tile:
    """Where a tile is in the picture, and what was sent of it."""

    def __init__(self, id: int, part: Rect, cells: tuple[int, int]) -> None:
        self.id = id
        self.part = part
        self.cells = cells
        self.sent: int | None = None
        """The hash of what was sent last; None for nothing."""


class KittyTiles:
    """Its cells stay the same as long as the view does; what changes is sent beside them."""

    kind: Kind = "kitty"

    def __init__(self, *, ids: protocol.Ids = protocol.IDS, passthrough: bool = False) -> None:
        """Nothing is sent yet.

        Args:
            ids: gives the ids of tiles.
            passthrough: tmux is in between, and is to hand it on. There are no answers then.
        """
        self.asks = not passthrough
        """With each frame that has graphics, the terminal is asked to say so when it has them."""
        self.behind = False
        """There is more to send than was in the last frame: draw again once the terminal has that."""
        self.awaited: int | None = None
        """The id that the terminal is to answer for after the last frame; None if it is not asked."""
        self._new_ids = ids
        self._ids: list[int] = []
        self._live: set[int] = set()
        self._wrap = protocol.passed_through if passthrough else bytes
        self._view: View | None = None
        self._size = (0, 0)
        self._scaling: Scaling | None = None
        self._tiles: list[_Tile] = []
        self._due: set[int] = set()
        self._next = 0
        self._frame = Frame(())

    def owns(self, id: int) -> bool:
        """Whether a picture's id is one of these tiles'."""
        return id in self._live

    def draw(self, screen: Framebuffer, dirty: Sequence[Rect], view: View) -> Frame | None:
        """The screen as it is now; in `graphics`, tiles that changed."""
        commands: list[bytes] = []
        size = (screen.width, screen.height)
        if view != self._view or size != self._size or self._scaling is None:
            commands += self._begin(screen, view)
            dirty = (Rect(0, 0, *size),)
        assert self._scaling is not None
        for rect in self._scaling.reach(dirty):
            self._due.update(self._touched(rect))
        commands += self._changed(screen)
        return self._frame._replace(graphics=b"".join(map(self._wrap, commands)))

    def forget(self) -> None:
        """The terminal has lost what was sent: all of it is sent again."""
        for tile in self._tiles:
            tile.sent = None
        self._due = set(range(len(self._tiles)))

    def close(self) -> bytes:
        """What deletes all that was sent. It may be drawn again after that."""
        commands = [protocol.forget(id) for id in sorted(self._live)]
        self._live.clear()
        self.forget()
        return b"".join(map(self._wrap, commands))

    def _begin(self, screen: Framebuffer, view: View) -> list[bytes]:
        """Another view: tiles of other sizes, under the same ids. What deletes those that are too many."""
        self._view, self._size = view, (screen.width, screen.height)
        shown = window(screen.width, screen.height, view)
        step = 1 / shown.zoom
        width, height = view.cell_width, view.cell_height
        self._scaling = Scaling(
            screen, shown.left, shown.top, (step, step), (shown.columns * width, shown.rows * height)
        )
        self._across = min(max(TILE // width, 1), protocol.MOST_CELLS)
        self._down = min(max(TILE // height, 1), protocol.MOST_CELLS)
        self._cell = (width, height)
        self._per_row = -(-shown.columns // self._across)
        self._tiles = []
        for top in range(0, shown.rows, self._down):
            for left in range(0, shown.columns, self._across):
                cells = (min(self._across, shown.columns - left), min(self._down, shown.rows - top))
                part = Rect(left * width, top * height, cells[0] * width, cells[1] * height)
                self._tiles.append(_Tile(self._id(len(self._tiles)), part, cells))
        self._due = set(range(len(self._tiles)))
        self._frame = Frame(
            tuple(self._line(row) for row in range(shown.rows)),
            scale=(width * step, height * step),
            origin=(round(shown.left), round(shown.top)),
        )
        unused = self._live.intersection(self._ids[len(self._tiles) :])
        self._live -= unused
        return [protocol.forget(id) for id in sorted(unused)]

    def _id(self, number: int) -> int:
        while number >= len(self._ids):
            self._ids.append(self._new_ids.take())
        return self._ids[number]

    def _line(self, row: int) -> tuple[Run, ...]:
        """A line of cells: of each tile the same row."""
        first = row // self._down * self._per_row
        return tuple(
            Run(
                protocol.cells(row % self._down, tile.cells[0]),
                Look((tile.id >> 16, tile.id >> 8 & 0xFF, tile.id & 0xFF)),
            )
            for tile in self._tiles[first : first + self._per_row]
        )

    def _touched(self, rect: Rect) -> set[int]:
        """The tiles that these pixels of the picture are in."""
        width, height = self._across * self._cell[0], self._down * self._cell[1]
        columns = range(rect.x // width, (rect.x + rect.width - 1) // width + 1)
        rows = range(rect.y // height, (rect.y + rect.height - 1) // height + 1)
        return {row * self._per_row + column for row in rows for column in columns}

    def _changed(self, screen: Framebuffer) -> list[bytes]:
        """What sends tiles that look other than when they were sent, as many as are sent at once."""
        assert self._scaling is not None
        chosen: list[tuple[_Tile, bytes]] = []
        # From where the last frame ended: tiles that change all the time must not keep others waiting.
        for number in sorted(self._due, key=lambda number: (number < self._next, number)):
            if len(chosen) == MOST_TILES:
                break
            self._due.discard(number)
            self._next = number + 1
            tile = self._tiles[number]
            pixels = self._scaling.make(screen, tile.part).tobytes()
            if tile.sent != (look := hash(pixels)):
                tile.sent = look
                chosen.append((tile, pixels))
        self.behind = bool(self._due)
        self.awaited = chosen[-1][0].id if chosen and self.asks else None
        commands = []
        for number, (tile, pixels) in enumerate(chosen, 1):
            self._live.add(tile.id)
            size = (tile.part.width, tile.part.height)
            answer = self.asks and number == len(chosen)
            commands += protocol.picture(tile.id, pixels, size, tile.cells, answer=answer)
        return commands
