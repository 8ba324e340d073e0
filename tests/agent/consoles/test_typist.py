"""Keys reach a slow guest all and in order: who types waits."""

from __future__ import annotations

import asyncio
import contextlib
import os

from pilot.agent.consoles.typist import COMFORTABLE, Typist


class Pipe:
    """A guest's end that takes what a real pipe has room for."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)

    def fill(self) -> None:
        """Leave no room."""
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(self._writer, bytes(4096))

    async def write(self, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(self._writer, data) :]
            except BlockingIOError:
                await asyncio.sleep(0)

    async def close(self) -> None:
        os.close(self._writer)


async def test_a_paste_larger_than_all_buffers_arrives_whole_and_in_order() -> None:
    dropped: list[str] = []
    typist, pipe = Typist(dropped.append), Pipe()
    typist.connect(pipe)
    paste = os.urandom(1 << 20)
    got = bytearray()

    async def type_it() -> None:
        for start in range(0, len(paste), COMFORTABLE):
            assert typist.type(paste[start : start + COMFORTABLE]) == ""
            await typist.room()

    typing = asyncio.create_task(type_it())
    async with asyncio.timeout(30):
        while len(got) < len(paste):
            got += await asyncio.to_thread(os.read, pipe.reader, 65536)
    await typing
    assert bytes(got) == paste
    assert not dropped
    await pipe.close()
    os.close(pipe.reader)


async def test_who_types_goes_on_when_the_console_is_lost() -> None:
    typist, pipe = Typist(lambda _why: None), Pipe()
    pipe.fill()
    typist.connect(pipe)
    for _ in range(2):
        typist.type(bytes(COMFORTABLE))
    waiting = asyncio.create_task(typist.room())
    await asyncio.sleep(0)
    assert not waiting.done()
    typist.disconnect()
    async with asyncio.timeout(20):
        await waiting
    await pipe.close()
    os.close(pipe.reader)
