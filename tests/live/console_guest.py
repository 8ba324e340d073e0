"""The other end of a console, played behind a stand-in airboss; and links to it that come back."""

from __future__ import annotations

import asyncio

from pilot import wire
from pilot.errors import UnreachableError
from pilot.link.console_stream import ConsoleStream
from pilot.link.link import Link
from tests.client.conftest import Connect
from tests.client.stand_in import NOW, Channel, StandIn

NODE = "compute-0-0"


class Guest:
    """What it has printed is replayed to whoever opens the console; what is typed is kept."""

    def __init__(self, airboss: StandIn) -> None:
        self.typed = b""
        self.sizes: list[tuple[int, int]] = []
        self.modes: list[str] = []
        self.takes = 0
        self.joins = 0
        self.releases: list[int] = []
        self.chats: list[str] = []
        self.replays: list[int] = []
        self.older: tuple[wire.LogLine, ...] = ()
        """What the log has of before `start`."""
        self.start = 0
        """Where what is replayed begins."""
        self.logs: list[dict[str, object]] = []
        """What was asked of the log."""
        self.log_fault: wire.Fault | None = None
        self.log_waits: asyncio.Event | None = None
        """Set before the log is answered, if there is one."""
        self.printed = b""
        self.writing = True
        self.refusal: wire.Fault | None = None
        self.channels: list[Channel] = []
        self._airboss = airboss
        airboss.on_request = self.serve

    @property
    def channel(self) -> Channel:
        return self.channels[-1]

    def prints(self, data: bytes) -> None:
        """To all who look now, and to those who come later."""
        self.printed += data
        for channel in self.channels:
            for start in range(0, len(data), wire.MAX_CONSOLE_CHUNK):
                channel.send(wire.Output(data[start : start + wire.MAX_CONSOLE_CHUNK]))

    def says(self, text: str, writing: bool | None = None, *, final: bool = False) -> None:
        """A notice of airboss's."""
        self.channel.send(wire.Notice("closed" if final else "power", text, writing, final))

    async def serve(self, channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        if body.verb == "console.log":
            await self._log(channel, request, body)
            return
        if body.verb != "console.open":
            await self._airboss.answer(channel, request, body)
            return
        self.modes.append(str(body.args["mode"]))
        self.sizes.append((request.cols, request.rows))
        self.replays.append(int(body.args["replay"]))
        if self.refusal is not None:
            outcome = wire.Outcome(NODE, "refused", fault=self.refusal)
            channel.send(self._airboss.signed(request, (outcome,)))
            return
        node = next(node for node in self._airboss.nodes(()) if {node.name, node.id} & {*body.targets})
        done = wire.Outcome(node.name, "done", node.id, node.state)
        writing = self.writing and body.args["mode"] != "watch"
        channel.send(
            self._airboss.signed(request, (done,)),
            wire.Attached(
                node.id,
                node.name,
                writing,
                len(self.printed),
                "" if writing else "bob",
                start=self.start,
                oldest=self.older[0].offset if self.older else self.start,
            ),
        )
        for start in range(0, len(self.printed), 1000):
            channel.send(wire.Output(self.printed[start : start + 1000]))
        self.channels.append(channel)
        try:
            await self._listen(channel)
        finally:
            self.channels.remove(channel)

    async def _listen(self, channel: Channel) -> None:
        while True:
            frame = await channel.frames.get()
            if isinstance(frame, wire.Input):
                self.typed += frame.data
            elif isinstance(frame, wire.Resize):
                self.sizes.append((frame.cols, frame.rows))
            elif isinstance(frame, wire.Take):
                self.takes += 1
                channel.send(wire.Notice("writer", "the keyboard is yours now", True))
            elif isinstance(frame, wire.Join):
                self.joins += 1
                channel.send(wire.Notice("writer", "you type, too", True))
            elif isinstance(frame, wire.Release):
                self.releases.append(frame.to)
                channel.send(wire.Notice("writer", "you watch", False))
            elif isinstance(frame, wire.Chat):
                self.chats.append(frame.text)

    def meets(self, *people: wire.Person, you: int = 1, time: float = NOW) -> None:
        """These are attached now."""
        self.channel.send(wire.Presence(people, you, time))

    async def _log(self, channel: Channel, request: wire.Request, body: wire.RequestBody) -> None:
        self.logs.append(dict(body.args))
        if self.log_fault is not None:
            channel.send(wire.Reply(fault=self.log_fault))
            return
        channel.send(wire.Reply())
        if self.log_waits is not None:
            await self.log_waits.wait()
        lines = self.older[-int(body.args["last"]) :]
        for start in range(0, max(len(lines), 1), 500):
            page = lines[start : start + 500]
            channel.send(wire.LogPage(page, more=start + 500 < len(lines)))


class Links:
    """Opens the console on a link that is made anew when it is gone."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._link: Link | None = None
        self.attempts = 0

    async def open(self, mode: str, cols: int, rows: int) -> ConsoleStream:
        self.attempts += 1
        if self._link is None or self._link.closed:
            try:
                self._link = await self._connect()
            except asyncio.CancelledError:
                raise
            except OSError as error:
                raise UnreachableError(str(error)) from None
        return await self._link.console(NODE, "vc1", mode, cols, rows)
