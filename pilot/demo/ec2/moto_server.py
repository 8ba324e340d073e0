"""moto's server in a process of its own, on the loopback."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys

from pilot.errors import PilotError

START_SECONDS = 60.0
ENVIRONMENT = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}
"""Reading descriptions of images takes moto seconds, and nothing here needs them."""


class MotoServer:
    """One of it."""

    def __init__(self, url: str = "") -> None:
        """`url` is of one that runs already, if there is one."""
        self.url = url
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and wait until it listens.

        Raises:
            PilotError: it does not; moto may not be installed.
        """
        if self.url:
            return
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port),
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, env={**os.environ, **ENVIRONMENT},
        )  # fmt: skip
        try:
            async with asyncio.timeout(START_SECONDS):
                while not await _listens(port):
                    if self._process.returncode is not None:
                        raise PilotError(
                            "moto's server does not start", "python -m moto.server says why; is it installed?"
                        )
                    await asyncio.sleep(0.05)
        except TimeoutError:
            await self.stop()
            raise PilotError(f"moto's server does not listen after {START_SECONDS:g} s") from None

    async def stop(self) -> None:
        """End it."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(3):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
