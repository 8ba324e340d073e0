"""How busy each node was in the last minutes, from what airboss tells sample by sample.

airboss leaves out nodes that use what they used before. So a node's samples are kept with the number of the
newest one, and what follows is filled in when it is asked for: a new sample costs as much as what it changes,
however many nodes there are.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass
from itertools import takewhile

from pilot.live.notifier import Notifier
from pilot.wire import Usage

SAMPLES = 60
"""How many are kept of each node."""
UNKNOWN = 255
"""The byte that stands for a sample that is not known."""


@dataclass(slots=True)
class _Line:
    """What is known of one node."""

    run: int
    """Which unbroken run of samples it belongs to: what was left out later is known only within it."""
    end: int
    """Number of its newest sample, plus one."""
    cpu: bytes
    memory: int
    version: int


class UsageHistory:
    """The last samples of each node. `changed` is told once for each frame that is taken."""

    def __init__(self) -> None:
        self.changed = Notifier()
        self.version = 0
        """Counts the frames taken."""
        self.time: float | None = None
        """airboss's clock at the newest sample; None before there is any."""
        self.step = 0.0
        """Seconds between two samples."""
        self._lines: dict[str, _Line] = {}
        """The one that was told of last is the last."""
        self._run = 0
        self._end = 0
        """Number of the newest sample of all, plus one."""

    # --- what the link brings --------------------------------------------------------------------

    def begin_anew(self) -> None:
        """A new snapshot: airboss tells the past anew. What is known stays, what was missed is a hole."""
        for line in self._lines.values():
            if line.run == self._run:
                line.cpu, line.end = self._until(line, self._end), self._end
        self._run += 1

    def take(self, frame: Usage) -> None:
        """Take samples in."""
        self._advance(frame.time, frame.step)
        self.version += 1
        for node in frame.nodes:
            line = self._lines.pop(node.node, None)
            before = self._until(line, self._end - len(node.cpu)) if line is not None else b""
            cpu = (before + node.cpu)[-SAMPLES:]
            self._lines[node.node] = _Line(self._run, self._end, cpu, node.memory, self.version)
        self.changed.tell()

    def forget(self, ids: Iterable[str]) -> None:
        """These nodes are gone."""
        for node_id in ids:
            self._lines.pop(node_id, None)

    def keep(self, ids: Container[str]) -> None:
        """Only these nodes are there."""
        for node_id in [node_id for node_id in self._lines if node_id not in ids]:
            del self._lines[node_id]

    # --- what is shown ---------------------------------------------------------------------------

    def cpu(self, node_id: str) -> bytes:
        """A byte a sample, oldest first, SAMPLES at most, the last one as of `time`: percent, or UNKNOWN."""
        line = self._lines.get(node_id)
        return self._until(line, self._end) if line is not None else b""

    def load(self, node_id: str) -> int | None:
        """Percent of its processors that a node used at the newest sample; None if that is not known."""
        line = self._lines.get(node_id)
        if line is None or not line.cpu or (line.run != self._run and line.end != self._end):
            return None
        return line.cpu[-1] if line.cpu[-1] != UNKNOWN else None

    def memory(self, node_id: str) -> int:
        """KiB of the host's memory that a node takes; 0 if that is not known."""
        line = self._lines.get(node_id)
        return line.memory if line is not None else 0

    def changed_since(self, version: int) -> set[str]:
        """The nodes with new values since then; each other one has gone on as it was."""
        newest = takewhile(lambda entry: entry[1].version > version, reversed(self._lines.items()))
        return {node_id for node_id, _ in newest}

    # --- inside ----------------------------------------------------------------------------------

    def _advance(self, time: float, step: float) -> None:
        """Number the samples on: by the time that has passed, since what is silent is not told of."""
        if self.time is None or step != self.step or time < self.time - step:
            # The clock was set back, or another rhythm: what was before cannot be put in a line with it.
            self._lines.clear()
            self._end += SAMPLES
        elif time > self.time:
            self._end += max(1, round((time - self.time) / step)) if step > 0 else 1
        self.time, self.step = time, step

    def _until(self, line: _Line, end: int) -> bytes:
        """A node's samples up to that number, with what was left out."""
        missing = end - line.end
        if missing <= 0:
            return line.cpu[: len(line.cpu) + missing] if -missing < len(line.cpu) else b""
        last = line.cpu[-1:] if line.run == self._run and line.cpu else bytes((UNKNOWN,))
        return (line.cpu + last * min(missing, SAMPLES))[-SAMPLES:]
