"""A stand-in for airboss whose guest floods its console: `python -m bench.flood_guest FOLDER`.

A process of its own, so that it takes nothing from what is measured. It says its port, "open" when its
console is, and floods when it is told to: a line on its standard input with megabytes, 1 for colours, and a
last word.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from pathlib import Path

from pilot import wire
from tests.client.stand_in import Channel, StandIn, User

_WORDS = (
    "usb",
    "ata1.00",
    "systemd[1]",
    "EXT4-fs (vda1)",
    "pci 0000:00:02.0",
    "virtio_net virtio0 eth0",
    "audit",
)
_SAYS = ("registered new interface driver", "mounted filesystem with ordered data mode", "link becomes ready")


def boot_log(size: int, colour: bool = False) -> bytes:
    """Lines as a kernel and an init print them; the same ones every time."""
    chance = random.Random(7)
    out = bytearray()
    for number in itertools.count():
        line = f"[{number / 97:12.6f}] {chance.choice(_WORDS)}: {chance.choice(_SAYS)} {chance.random():.12f}"
        if colour:
            line = f"[\x1b[0;32m  OK  \x1b[0m] Started \x1b[1;{31 + number % 7}m{line}\x1b[0m."
        out += line.encode() + b"\r\n"
        if len(out) >= size:
            break
    return bytes(out[:size])


async def main(folder: Path) -> None:
    """Serve until standard input ends."""
    airboss = StandIn()
    User(folder, airboss)
    opened: asyncio.Future[Channel] = asyncio.get_running_loop().create_future()

    async def serve(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        (node,) = airboss.nodes(body.targets)
        done = wire.Outcome(node.name, "done", node.id, node.state)
        channel.send(airboss.signed(request, (done,)), wire.Attached(node.id, node.name, True, 0))
        opened.set_result(channel)
        await channel.closed.wait()

    airboss.on_request = serve
    await airboss.start()
    print(airboss.port, flush=True)
    channel = await opened
    print("open", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        megabytes, colour, last = line.split()
        data = boot_log(int(megabytes) * 1_000_000, colour == "1") + f"\r\n{last}".encode()
        print("begun", flush=True)
        for start in range(0, len(data), wire.MAX_CONSOLE_CHUNK):
            channel.send(wire.Output(data[start : start + wire.MAX_CONSOLE_CHUNK]))
    await airboss.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
