"""What a console's stream gives, on its way to the loop: in order, in steps, all of it before the end."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from typing import Any

import libvirt

from pilot.backends.libvirt import eventloop
from pilot.backends.libvirt.console import BACKLOG, STEP, Console
from pilot.backends.libvirt.writer import Outbox, Writer
from tests.support.waiting import until


class Stream:
    """A stream that has some pieces to read, and tells which events it waits for."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces
        self.events = libvirt.VIR_STREAM_EVENT_READABLE

    def recv(self, _size: int) -> bytes:
        return self.pieces.pop(0)

    def eventUpdateCallback(self, events: int) -> None:  # noqa: N802 - libvirt's name
        self.events = events

    def eventRemoveCallback(self) -> None:  # noqa: N802
        self.events = 0

    def abort(self) -> None:
        pass


def console(stream: Any, output: Any, lost: Any) -> tuple[Console, Writer]:
    eventloop.start()
    loop, alone, writer = asyncio.get_running_loop(), contextlib.nullcontext(), Writer("test")
    outbox = Outbox(stream, threading.Lock(), writer, loop)
    return Console(stream, alone, outbox, loop, output, lost, 5.0), writer


async def test_a_flood_is_delivered_in_steps_with_turns_for_others_between() -> None:
    flood = random.Random(1).randbytes(BACKLOG + 5000)
    stream = Stream([flood[at : at + 50_000] for at in range(0, len(flood), 50_000)])
    told: list[bytes | str] = []
    turns = 0
    turn_of: list[int] = []

    def output(data: bytes) -> None:
        told.append(data)
        turn_of.append(turns)

    held, writer = console(stream, output, told.append)

    def tick() -> None:
        nonlocal turns
        turns += 1
        if told[-1:] != ["QEMU closed it: the node was turned off, or is about to be"]:
            asyncio.get_running_loop().call_soon(tick)

    tick()
    while stream.pieces:
        held.ready(stream, libvirt.VIR_STREAM_EVENT_READABLE, None)
    assert not stream.events & libvirt.VIR_STREAM_EVENT_READABLE, "nobody takes it: it is not read on"
    stream.pieces.append(b"")
    held.ready(stream, libvirt.VIR_STREAM_EVENT_READABLE, None)
    await until(lambda: held.over, 20)
    pieces = [piece for piece in told if isinstance(piece, bytes)]
    assert b"".join(pieces) == flood
    assert max(map(len, pieces)) <= STEP
    assert len(set(turn_of)) == len(turn_of), "one step a turn"
    assert told[-1] == "QEMU closed it: the node was turned off, or is about to be"
    writer.stop()


async def test_the_stream_is_read_again_once_all_was_taken() -> None:
    stream = Stream([b"x" * (BACKLOG // 4)] * 4 + [b"more"])
    seen = bytearray()
    held, writer = console(stream, seen.extend, lambda _why: None)
    for _ in range(4):
        held.ready(stream, libvirt.VIR_STREAM_EVENT_READABLE, None)
    assert not stream.events & libvirt.VIR_STREAM_EVENT_READABLE
    await until(lambda: stream.events & libvirt.VIR_STREAM_EVENT_READABLE, 20)
    assert len(seen) == BACKLOG
    held.ready(stream, libvirt.VIR_STREAM_EVENT_READABLE, None)
    await until(lambda: seen.endswith(b"more"), 20)
    held.abandon()
    writer.stop()


async def test_what_was_read_of_a_lost_console_is_not_lost() -> None:
    stream = Stream([b"last words" * 4000])
    told: list[bytes | str] = []
    held, writer = console(stream, told.append, told.append)
    held.ready(stream, libvirt.VIR_STREAM_EVENT_READABLE, None)
    held.lose("its host does not answer")
    assert b"".join(piece for piece in told[:-1] if isinstance(piece, bytes)) == b"last words" * 4000
    assert told[-1] == "its host does not answer"
    await asyncio.sleep(0)
    assert told[-1] == "its host does not answer", "nothing comes after the end"
    writer.stop()
