"""Lines that a renderer has drawn, as what can be searched and selected."""

from __future__ import annotations

from collections.abc import Sequence

from wcwidth import wcwidth

from pilot.console.engine import Modes, Run


class FrameLines:
    """The lines of the last frame, or none where it is a picture."""

    history = 0
    dropped = 0
    modes = Modes()

    def __init__(self) -> None:
        """No lines yet."""
        self.columns = 0
        self.rows = 0
        self._lines: Sequence[tuple[Run, ...]] = ()
        self._cells: dict[int, tuple[tuple[Run, ...], tuple[str, ...]]] = {}

    def show(self, lines: Sequence[tuple[Run, ...]]) -> None:
        """These are the lines from now on."""
        self._lines = lines
        self.rows = len(lines)
        self.columns = max((len(self.cells(number)) for number in range(self.rows)), default=0)

    def line(self, number: int) -> tuple[Run, ...]:
        """A line; empty where there is none."""
        return self._lines[number] if 0 <= number < self.rows else ()

    def text(self, number: int) -> str:
        """The same as plain text, without trailing blanks."""
        return "".join(run.text for run in self.line(number)).rstrip(" ")

    def cells(self, number: int) -> tuple[str, ...]:
        """What stands in each cell of a line, "" in the second of a wide character."""
        line = self.line(number)
        known = self._cells.get(number)
        if known is not None and (known[0] is line or known[0] == line):
            return known[1]
        cells: list[str] = []
        for character in "".join(run.text for run in line):
            cells.append(character)
            if wcwidth(character) == 2:
                cells.append("")
        self._cells[number] = line, tuple(cells)
        return self._cells[number][1]

    def wrapped(self, number: int) -> bool:
        """What a screen shows has no lines that go on in the next."""
        return False

    def all_text(self) -> str:
        """All of it, without the blank lines at its end."""
        return "\n".join(self.text(number) for number in range(self.rows)).rstrip("\n")
