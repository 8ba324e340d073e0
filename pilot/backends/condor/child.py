"""The process that asks a pool, beside airboss: HTCondor's library stops all of a process while it waits.

Started as `python -m pilot.backends.condor.child SETTINGS`, SETTINGS in JSON (see `process.py`, which also
sets the environment that HTCondor's library reads). It ends when its standard input does.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import msgspec

from pilot.backends.condor import ads, frames, long_format
from pilot.backends.condor.failing import Failure
from pilot.records import Machine, Queue

if TYPE_CHECKING:
    from pilot.backends.condor import query

CHUNK = 1000
"""Slots that travel in a frame: few enough that airboss is not held up by one."""

NICE = 10
"""By how much the process gives way to airboss (nice(2))."""


class Settings(msgspec.Struct, frozen=True):
    """What the process is for."""

    pool: str
    collector: str = ""
    file: str = ""
    token: str = ""
    tokens: str = ""
    """The private folder that HTCondor looks for tokens in: what `token` holds is put there."""
    deadline: float = 5.0


class Child:
    """Answers questions, one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._told: dict[str, bytes] = {}
        self._first = True
        self._stamp: tuple[int, ...] = ()
        self._query: query.Query | None = None

    def answer(self, question: frames.Question) -> Iterator[frames.Answer]:
        """The frames that answer a question."""
        try:
            if isinstance(question, frames.Drain):
                yield frames.Done(note=self._asking().drain(question))
            elif self._settings.file:
                yield from self._read()
            else:
                yield from self._ask()
        except Failure as failure:
            yield frames.Failed(failure.reason, failure.said)

    def _asking(self) -> query.Query:
        if self._query is None:
            from pilot.backends.condor import query  # here: a file of ads is read without HTCondor's library

            s = self._settings
            self._query = query.Query(s.collector, s.token, s.tokens, s.deadline)
        return self._query

    def _ask(self) -> Iterator[frames.Answer]:
        slots, submitters, broken = self._asking().ads()
        yield frames.Answered(self._first)
        now, name = time.time(), self._settings.pool
        yield from self._tell([*ads.machines(name, slots, now), *ads.queues(name, submitters)])
        yield frames.Done(len(slots), broken)

    def _read(self) -> Iterator[frames.Answer]:
        path = Path(self._settings.file)
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
            if stamp == self._stamp:
                yield frames.Answered(False, unchanged=True)
                yield frames.Done(good=status.st_mtime)
                return
            wanted = {*ads.SLOT_ATTRIBUTES, *ads.QUEUE_ATTRIBUTES, "MyType"}
            with path.open(encoding="utf-8", errors="replace") as lines:
                rows = list(long_format.ads(lines, wanted))
        except OSError as error:
            raise Failure("file", f"{path}: {error.strerror or error}") from None
        kinds = {row.get("MyType") for row in rows}
        if rows and not kinds & {"Machine", "Slot", "Submitter"}:
            raise Failure(
                "file", f"{path}: there are no ads of slots in it; `condor_status -long` writes them"
            )
        yield frames.Answered(self._first)
        now, name = time.time(), self._settings.pool
        slots = [row for row in rows if row.get("MyType") in ("Machine", "Slot")]
        submitters = [row for row in rows if row.get("MyType") == "Submitter"]
        yield from self._tell([*ads.machines(name, slots, now), *ads.queues(name, submitters)])
        self._stamp = stamp
        yield frames.Done(len(slots), len(rows) - len(slots) - len(submitters), status.st_mtime)

    def _tell(self, records: list[Machine | Queue]) -> Iterator[frames.Answer]:
        """Those that are other than they were told, a few at a time."""
        encode, before, now = msgspec.msgpack.Encoder().encode, self._told, dict[str, bytes]()
        some: list[Machine | Queue] = []
        size = 0
        for record in records:
            now[record.id] = encoded = encode(record)
            if before.get(record.id) == encoded:
                continue
            some.append(record)
            size += 1 + (len(record.slots) if isinstance(record, Machine) else 0)
            if size >= CHUNK:
                yield frames.Found(tuple(some))
                some, size = [], 0
        if some:
            yield frames.Found(tuple(some))
        if gone := tuple(before.keys() - now.keys()):
            yield frames.Gone(gone)
        self._told, self._first = now, False


def serve(child: Child, questions: BinaryIO, out: BinaryIO) -> None:
    """Answer until there are no more questions."""
    while (question := frames.read_question(questions)) is not None:
        for frame in child.answer(question):
            out.write(frames.packed(frame))
            out.flush()
        gc.collect()


def main() -> None:
    """Serve on standard input and output, which nothing else in the process gets to see."""
    settings = msgspec.json.decode(sys.argv[1], type=Settings)
    questions, out = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(2, 1)
    # Hundreds of thousands of small things that form no cycles: looking for some takes as long as the rest.
    gc.disable()
    # A key that somebody types at a console goes before a large pool's slots.
    os.nice(NICE)
    try:
        serve(Child(settings), questions, out)
    except BrokenPipeError:
        os._exit(0)  # airboss has ended; nobody reads what is left to be written


if __name__ == "__main__":
    main()
