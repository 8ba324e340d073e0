"""A console in a script: standard input is typed, what the guest prints goes to standard output."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable

from pilot import wire
from pilot.console.screen import Screen
from pilot.console.terminal import Out
from pilot.errors import RefusedError
from pilot.link.console_stream import ConsoleStream

_READ = 4096


class _Input:
    """Standard input, whatever it is. Read in a thread: the event loop cannot wait for files."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._loop = asyncio.get_running_loop()
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue(4)
        # A daemon: at exit nobody waits for a thread that waits for a person.
        threading.Thread(target=self._read, name="standard input", daemon=True).start()

    def _read(self) -> None:
        data = b"begin"
        while data:
            try:
                data = os.read(self._fd, _READ)
            except OSError:
                data = b""
            try:
                asyncio.run_coroutine_threadsafe(self._chunks.put(data), self._loop).result()
            except (RuntimeError, asyncio.CancelledError):
                return  # The loop is gone, and with it whoever wanted to know.

    async def chunk(self) -> bytes:
        """What came; empty at its end."""
        return await self._chunks.get()


async def pipe(
    stream: ConsoleStream,
    *,
    keys: int | None,
    out: int,
    linger: float,
    replay: bool,
    say: Callable[[str], None],
) -> None:
    """Pass bytes both ways until the console ends.

    After the end of the input the guest is listened to until it has printed nothing for `linger` seconds.
    With `keys` None nothing is typed, and only the end of the console or of whoever reads ends it.

    Raises:
        RefusedError: there is something to type, but somebody else has the keyboard.
        UnreachableError: the connection was lost.
    """
    writer = Out(out)
    screen = Screen(interactive=False)
    screen.attached(stream.attached.replay)
    loop = asyncio.get_running_loop()
    heard = asyncio.Event()

    async def show() -> None:
        async for frame in stream:
            if isinstance(frame, wire.Presence):
                continue
            heard.set()
            if isinstance(frame, wire.Notice):
                if not screen.has_shown(frame.text):
                    say(wire.plain(frame.text))
            elif isinstance(frame, wire.Output):
                await writer.write(screen.output(frame.data, False, replay=replay))
            if writer.broken:
                return

    async def type_all() -> None:
        assert keys is not None
        source = _Input(keys)
        while data := await source.chunk():
            if not stream.writing:
                raise RefusedError(
                    f"{stream.attached.writer or 'somebody else'} types at {stream.attached.name}",
                    "--take takes the keyboard, --watch only looks.",
                )
            stream.type(data)
            await stream.drain()
        while True:
            heard.clear()
            quiet_at = loop.time() + linger
            try:
                async with asyncio.timeout_at(quiet_at):
                    await heard.wait()
            except TimeoutError:
                return

    tasks = [asyncio.create_task(show())]
    if keys is not None:
        tasks.append(asyncio.create_task(type_all()))
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await writer.finish(screen.leave() if os.isatty(out) else b"")
        writer.close()
