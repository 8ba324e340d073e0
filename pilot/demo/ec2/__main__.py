"""The demo's EC2 as a process of its own: `python -m pilot.demo.ec2 HTTP_FD SERIAL_FD`.

It is given sockets that listen already, so that whoever connects before it is ready waits and is not refused.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys

from pilot.demo.ec2.moto_server import ENVIRONMENT
from pilot.demo.ec2.stand_in import StandIn

SLOW_SECONDS = 4.0
"""What instances take to start and to stop: long enough to be seen."""


async def serve(at: socket.socket, serial_at: socket.socket) -> None:
    """Be EC2 until SIGTERM."""
    # moto in this very process: one less that could outlive the demo.
    os.environ.update(ENVIRONMENT)
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    stand_in = StandIn("PRETENDED", slow=SLOW_SECONDS, moto=f"http://{host}:{port}")
    await stand_in.start(at, serial_at, fleet=True)
    ending = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ending.set)
    await ending.wait()
    await stand_in.stop()
    moto.stop()


def main() -> None:
    """Take the sockets over."""
    http, serial = (socket.socket(fileno=int(word)) for word in sys.argv[1:3])
    asyncio.run(serve(http, serial))


if __name__ == "__main__":
    main()
