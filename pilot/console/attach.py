"""A console in the user's plain terminal: raw both ways, `Ctrl+]` leaves at once, the rest is the guest's."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Literal, Protocol

from pilot import wire
from pilot.console.screen import Screen
from pilot.console.terminal import Out, RawMode, window_size
from pilot.console_keys import PREFIX, Keys, Meant, help_words, shown
from pilot.errors import PilotError, UnreachableError
from pilot.link.console_stream import ConsoleStream
from pilot.people import who

_READ = 4096
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


class Reopening(Protocol):
    """A console that can be opened anew when it is lost."""

    stream: ConsoleStream | None

    async def reopen(self, mode: Literal["write", "watch"], cols: int, rows: int) -> ConsoleStream:
        """Open it again, however long it takes. Raises PilotError if waiting does not mend it."""


class Attached:
    """One stay at a console."""

    def __init__(
        self,
        console: Reopening,
        keys: int,
        screen: int,
        *,
        prefix: int | None = PREFIX,
        send_break: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """Nothing is shown yet.

        Args:
            console: opens it again.
            keys: a descriptor of the terminal.
            screen: another of it.
            prefix: the control character that makes a command of the next key; None for none.
            send_break: sends the guest a serial break; raises PilotError if it cannot.
        """
        self._console = console
        self._keys = keys
        self._size_of = screen
        self._out = Out(screen)
        self._screen = Screen(interactive=True)
        self._left = asyncio.Event()
        self._signal: int | None = None
        self._said_watching = False
        self._prefix = prefix
        self._send_break = send_break
        self._meanings = Keys(prefix, breaks=send_break is not None)
        self._asides = set[asyncio.Task[None]]()
        """What is being said or sent."""
        self.doing: asyncio.Task[str] | None = None

    async def run(self, stream: ConsoleStream, doing: Coroutine[Any, Any, str] | None = None) -> int | None:
        """Stay until the user leaves or the console ends; the signal that ended it, if one did.

        `doing` runs meanwhile, and what it says when it ends is shown as a notice; it may go on after this.

        Raises:
            PilotError: the console was refused when it was opened anew.
        """
        loop = asyncio.get_running_loop()
        raw = RawMode(self._keys)
        showing: asyncio.Task[None] | None = None
        with raw:
            loop.add_reader(self._keys, self._typed)
            handlers: dict[int, Callable[[], None]] = {
                signal.SIGWINCH: self._resized,
                signal.SIGCONT: raw.again,
                **{number: partial(self._stop, number) for number in _ENDING},
            }
            for number, handler in handlers.items():
                loop.add_signal_handler(number, handler)
            try:
                # First the greeting, so that it stands above what the guest prints.
                await self._greet(stream)
                if doing is not None:
                    self.doing = asyncio.create_task(self._do(doing))
                showing = asyncio.create_task(self._show(stream))
                leaving = asyncio.create_task(self._left.wait())
                await asyncio.wait({showing, leaving}, return_when=asyncio.FIRST_COMPLETED)
                leaving.cancel()
                if showing.done():
                    await showing
            finally:
                for number in handlers:
                    loop.remove_signal_handler(number)
                loop.remove_reader(self._keys)
                if showing is not None:
                    showing.cancel()
                    await asyncio.gather(showing, return_exceptions=True)
                for task in self._asides:
                    task.cancel()
                await self._out.finish(self._screen.leave() + self._screen.notice("left"))
                self._out.close()
        return self._signal

    async def _do(self, doing: Coroutine[Any, Any, str]) -> str:
        try:
            said = await doing
        except PilotError as error:
            await self._out.write(self._screen.notice(error.message))
            raise
        await self._out.write(self._screen.notice(said))
        return said

    async def _greet(self, stream: ConsoleStream) -> None:
        attached = stream.attached
        others = f", {attached.watchers} watching" if attached.watchers else ""
        writer = "you write" if attached.writing else f"{attached.writer or 'nobody'} writes, you watch"
        more = f", {shown(self._prefix)} ? tells more" if self._prefix is not None else ""
        text = f"{attached.name}: {writer}{others}. Ctrl+] leaves{more}"
        await self._out.write(self._screen.notice(text))

    async def _show(self, stream: ConsoleStream) -> None:
        while True:
            self._screen.attached(stream.attached.replay)
            try:
                async for frame in stream:
                    if isinstance(frame, wire.Notice):
                        if not self._screen.has_shown(frame.text):
                            await self._out.write(self._screen.notice(frame.text))
                        if frame.final:
                            return
                    elif isinstance(frame, wire.Output):
                        await self._out.write(self._screen.output(frame.data, stream.writing))
                        # Frames may be waiting one after the other: keys have their turn, too.
                        await asyncio.sleep(0)
                    if self._out.broken:
                        return
                why = "airboss closed the console"
            except UnreachableError as error:
                why = error.message
            await self._out.write(self._screen.notice(f"{why}; trying again, Ctrl+] leaves"))
            mode: Literal["write", "watch"] = "write" if stream.writing else "watch"
            stream = await self._console.reopen(mode, *window_size(self._size_of))
            await self._out.write(self._screen.notice("connected again"))

    def _typed(self) -> None:
        try:
            data = os.read(self._keys, _READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._left.set()
            return
        for meant in self._meanings.feed(data):
            if meant.what == "leave":
                self._left.set()
            elif meant.what == "echo":
                self._aside(self._out.write(meant.data))
            elif self._console.stream is not None:
                self._follow(meant, self._console.stream)

    def _follow(self, meant: Meant, stream: ConsoleStream) -> None:
        """What keys mean."""
        if meant.what == "type" and stream.writing:
            stream.type(meant.data)
        elif meant.what == "type":
            if not self._said_watching:
                self._said_watching = True
                self._say(f"you only watch: {self._how_to_take()}, Ctrl+] leaves")
        elif meant.what == "take":
            stream.take()
        elif meant.what == "join":
            stream.join()
        elif meant.what == "release":
            stream.release()
        elif meant.what == "who":
            self._say(who(stream.people) if stream.people is not None else "airboss has not said who is here")
        elif meant.what == "say":
            self._aside(self._out.write(meant.data))
            stream.chat(meant.text)
        elif meant.what == "break" and self._send_break is not None:
            self._aside(self._break(self._send_break))
        else:
            self._say(help_words(self._prefix, breaks=self._send_break is not None))

    def _how_to_take(self) -> str:
        if self._prefix is None:
            return "`pilot console NODE --take` takes the keyboard"
        return f"{shown(self._prefix)} t takes the keyboard"

    async def _break(self, send: Callable[[], Awaitable[None]]) -> None:
        try:
            await send()
        except PilotError as error:
            await self._out.write(self._screen.notice(f"no break: {error.message}"))

    def _say(self, text: str) -> None:
        self._aside(self._out.write(self._screen.notice(text)))

    def _aside(self, doing: Coroutine[Any, Any, None]) -> None:
        """Do it behind the reader of keys, which waits for nothing."""
        task = asyncio.ensure_future(doing)
        self._asides.add(task)
        task.add_done_callback(self._asides.discard)

    def _resized(self) -> None:
        if self._console.stream is not None:
            self._console.stream.resize(*window_size(self._size_of))

    def _stop(self, number: int) -> None:
        self._signal = number
        self._left.set()
