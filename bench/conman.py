"""ConMan's daemon on VMs' serial ptys, and its client."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tests.support.airboss import free_port


class Conman(NamedTuple):
    """A conmand."""

    pid: int
    client: list[str]
    """The command of a client on the first pty. `&.` leaves it."""


@asynccontextmanager
async def conman(folder: Path, *ptys: str) -> AsyncIterator[Conman]:
    """A conmand that holds the ptys, with a log of each if there are several."""
    program = shutil.which("conmand", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        raise RuntimeError("conmand is not installed; on Debian: apt-get install conman")
    port = free_port()
    (folder / "conman.conf").write_text(
        f'server loopback=on\nserver port={port}\nserver logdir="{folder}"\nserver pidfile="{folder}/pid"\n'
        + ('global log="%N.log"\n' if len(ptys) > 1 else "")
        + "".join(
            f'console name="vm{number or ""}" dev="{pty}" seropts="115200,8n1"\n'
            for number, pty in enumerate(ptys)
        )
    )
    with (folder / "conmand.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(program, "-F", "-c", str(folder / "conman.conf")),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(10):
            while not await _listens(port):
                if process.returncode is not None:
                    raise RuntimeError(f"conmand ended: {(folder / 'conmand.log').read_text()}")
                await asyncio.sleep(0.02)
        yield Conman(process.pid, ["conman", "-d", f"127.0.0.1:{port}", "vm"])
    finally:
        with suppress(ProcessLookupError):
            process.terminate()
        await asyncio.wait_for(process.wait(), 10)


async def _listens(port: int) -> bool:
    with suppress(OSError):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True
    return False
