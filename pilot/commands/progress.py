"""What is being waited for, said on stderr once it takes longer than a second."""

from __future__ import annotations

import asyncio
import os
import time
from types import TracebackType

from pilot.commands.talk import Talk
from pilot.render.palette import paint
from pilot.render.times import took
from pilot.wire import Progress, plain

QUIET_SECONDS = 1.0
_TICK = 0.25
_MOST_LINES = 12


class Waiting:
    """A context for the time of a wait. On a terminal its lines are redrawn, elsewhere each is said once."""

    def __init__(self, talk: Talk, what: str) -> None:
        self._talk = talk
        self._what = what
        self._begun = time.monotonic()
        self._targets: dict[str, str] = {}
        self._said: set[tuple[str, str]] = set()
        self._drawn = 0
        self._task: asyncio.Task[None] | None = None
        self._redraws = talk.err_tty and os.environ.get("TERM") != "dumb"

    async def __aenter__(self) -> Waiting:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._erase()

    def progress(self, frame: Progress) -> None:
        """Take what airboss says of a target."""
        if frame.outcome is not None:
            self._targets.pop(frame.target, None)
        else:
            self._targets[frame.target] = frame.text

    def waiting_for(self, targets: dict[str, str]) -> None:
        """What is waited for now, and for what of it."""
        self._targets = targets

    async def _run(self) -> None:
        await asyncio.sleep(QUIET_SECONDS)
        while True:
            if self._redraws:
                self._redraw()
            else:
                self._say_once()
            await asyncio.sleep(_TICK if self._redraws else QUIET_SECONDS)

    def _redraw(self) -> None:
        elapsed = took(time.monotonic() - self._begun)
        lines = [f"{self._what}, {elapsed}"]
        shown = list(self._targets.items())[:_MOST_LINES]
        lines += [f"  {plain(target, 60)}  {plain(text, 60)}" for target, text in shown]
        if len(self._targets) > len(shown):
            lines.append(f"  and {len(self._targets) - len(shown)} more")
        try:
            columns = os.get_terminal_size(2).columns or 80
        except OSError:
            columns = 80
        # A line that wrapped would be two to erase.
        lines = [line if len(line) < columns else line[: columns - 2] + "…" for line in lines]
        colour = self._talk.err_colour
        self._erase()
        self._talk.raw("".join(paint(line, "dim", colour) + "\n" for line in lines))
        self._drawn = len(lines)

    def _erase(self) -> None:
        if self._drawn:
            self._talk.raw(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0

    def _say_once(self) -> None:
        for pair in self._targets.items():
            if pair not in self._said and len(self._said) < 1000:
                self._said.add(pair)
                self._talk.say(f"{plain(pair[0])}: {plain(pair[1])}")
