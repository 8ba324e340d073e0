"""A stand-in for airboss whose guest floods its console: `python -m bench.flood_guest FOLDER`.

A process of its own, so that it takes nothing from what is measured. FOLDER gets the configuration of a user.
It says "ready", and "open" when a console is opened. The guest echoes what is typed, and floods when it is
told to: a line on the standard input with megabytes, 1 for colours, and a last word.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import sys
from pathlib import Path

from pilot import wire
from tests.client.stand_in import Channel, StandIn, User, node

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
    airboss.records[2:] = [node(0, state="on")]
    user = User(folder, airboss)
    consoles: list[Channel] = []

    async def serve(channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        if body.verb != "console.open":
            await airboss.answer(channel, request, body)
            return
        (one,) = airboss.nodes(())
        done = wire.Outcome(one.name, "done", one.id, one.state)
        channel.send(airboss.signed(request, (done,)), wire.Attached(one.id, one.name, True, 0))
        consoles.append(channel)
        print("open", flush=True)
        while True:
            frame = await channel.frames.get()
            if isinstance(frame, wire.Input):
                channel.send(wire.Output(frame.data))

    airboss.on_request = serve
    await airboss.start()
    user.pin()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        megabytes, colour, last = line.split()
        data = boot_log(int(megabytes) * 1_000_000, colour == "1") + f"\r\n{last}".encode()
        print("begun", flush=True)
        for start in range(0, len(data), wire.MAX_CONSOLE_CHUNK):
            consoles[-1].send(wire.Output(data[start : start + wire.MAX_CONSOLE_CHUNK]))
    await airboss.stop()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
