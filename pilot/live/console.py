"""One console kept open: a terminal engine fed from a stream that comes back by itself.

Nothing here knows of widgets. What the guest prints goes to the engine, in slices, so that whoever shares the
event loop has their turn however much a guest prints; what airboss says goes to a list of notices of its own.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from pilot import wire
from pilot.console.engine import Engine
from pilot.console.paste import Chunk
from pilot.errors import PilotError
from pilot.live.feeding import Feeding
from pilot.live.notifier import Notifier
from pilot.live.older import FIRST_REPLAY, OLDER_LINES, WHOLE_REPLAY, Log, Older
from pilot.live.opening import Mode, Open, Opening
from pilot.live.pasting import Pasting
from pilot.live.sharing import Sharing
from pilot.live.told import NOTICES, Told
from pilot.people import People

if TYPE_CHECKING:
    from pilot.link.console_stream import ConsoleStream

State = Literal["opening", "live", "lost", "ended"]

_log = logging.getLogger(__name__)


class ConsoleSession(Sharing):
    """One node's console. `run` keeps it open until `close`, or until it is refused."""

    def __init__(
        self,
        node: str,
        name: str,
        open: Open,
        engine: Engine,
        *,
        mode: Mode = "write",
        clock: Callable[[], float] = time.time,
        turns: asyncio.Lock | None = None,
        log: Log | None = None,
        older_lines: int = OLDER_LINES,
    ) -> None:
        """Nothing is opened yet.

        Args:
            node: the node's id.
            name: what it is called.
            open: opens the console; an UnreachableError is tried again.
            engine: the terminal; its size is what the console is opened with.
            mode: write, watch, take, or join.
            clock: seconds since the epoch.
            turns: shared by the sessions of one app, so that only one of them parses in a turn of the loop.
            log: reads what the console printed before, as far as airboss keeps it.
            older_lines: how many lines of that are asked for.
        """
        super().__init__(mode, clock)
        self.node = node
        self.name = name
        self.engine = engine
        self.state: State = "opening"
        self.why = ""
        """Why it is lost or has ended."""
        self.error: PilotError | None = None
        """With what it was refused."""
        self.since = clock()
        """When the state was entered."""
        self.attached: wire.Attached | None = None
        """What airboss said when it was last opened."""
        self.notices: deque[Told] = deque(maxlen=NOTICES)
        self.changed = Notifier()
        """State, keyboard or notices."""
        self.printed = Notifier()
        """The engine has taken what the guest printed."""
        self.pasting = Pasting(self.type, self._drain, self.changed.tell)
        self._clock = clock
        turns = turns or asyncio.Lock()
        self._feeding = Feeding(engine, self.printed.tell, turns)
        self.older = Older(engine, log, older_lines, turns, self._older_changed)
        self._opening = Opening(open, clock)
        self._closed = False
        self._paused = False
        self._limited = False
        """A limit of the site has ended it."""

    @property
    def replay(self) -> int:
        """How many bytes of what was printed before it is to be opened with."""
        return FIRST_REPLAY if self.attached is None else WHOLE_REPLAY

    @property
    def loading(self) -> bool:
        """Whether older lines are on their way."""
        return self.older.loading

    # --- what the user does ----------------------------------------------------------------------

    def paste(self, text: str) -> bool:
        """Begin to type a text, at a pace that a serial line takes; False if nobody takes it."""
        if self._stream is None or not self.writing:
            return False
        self.pasting.begin(text, self.engine.modes)
        return True

    def send_keys(self, pieces: Sequence[Chunk]) -> bool:
        """Begin to type these, with their pauses; False if nobody takes them."""
        if self._stream is None or not self.writing:
            return False
        self.pasting.begin_keys(pieces)
        return True

    def resize(self, columns: int, rows: int) -> None:
        """The terminal has another size."""
        if (columns, rows) == (self.engine.columns, self.engine.rows):
            return
        self.engine.resize(columns, rows)
        if self._stream is not None:
            self._stream.resize(columns, rows)
        self.printed.tell()

    def stty_command(self) -> bytes:
        """What tells the guest's shell the size of the terminal: a serial line does not carry it."""
        return b"stty rows %d cols %d\r" % (self.engine.rows, self.engine.columns)

    def pause(self) -> None:
        """Leave it until `resume`: somebody else shows it meanwhile."""
        self._paused = True
        self.pasting.cancel()
        if self._stream is not None:
            self._stream.close()

    def resume(self, mode: Mode) -> None:
        """Go on after `pause`."""
        self._paused = False
        self.mode = mode
        self.retry()

    def retry(self) -> None:
        """Try to open it now: after it has ended, or without waiting for the next attempt."""
        self._opening.retry()

    def close(self) -> None:
        """Leave the console; `run` returns."""
        self._closed = True
        self.pasting.cancel()
        self._opening.close()
        self.older.stop()
        if self._stream is not None:
            self._stream.close()

    # --- what keeps it open ----------------------------------------------------------------------

    async def run(self) -> None:
        """Open it, follow it, open it again; until it is closed or this is cancelled."""
        try:
            while not self._closed:
                try:
                    stream = await self._opening.stream(self._how, self._failed)
                except PilotError as error:
                    await self._rest(error)
                    continue
                if stream is None:
                    return
                self._begin(stream)
                why = await self._follow(stream)
                self._stop(stream)
                if self._limited:
                    await self._rest(PilotError(why))
                else:
                    await self._left(why)
        except Exception as error:
            # The app goes on with all else, and says what happened to this one.
            _log.exception("the console of %s", self.name)
            words = wire.plain(f"{type(error).__name__}: {error}")
            self._refused(PilotError(f"pilot made a mistake: {words}", "Please report it."))
        finally:
            if self._stream is not None:
                self._stop(self._stream)

    async def _rest(self, error: PilotError) -> None:
        """It has ended, and is opened again once the user says so."""
        self._refused(error)
        await self._opening.wait(None)
        self._enter("opening", "")

    async def _left(self, why: str) -> None:
        """A stream has ended: by itself, or since it was wanted."""
        if self._paused:
            self._enter("lost", _ELSEWHERE)
            while self._paused and await self._opening.wait(None):
                pass
            self._opening.was_wanted()
        elif not self._closed:
            self._enter("lost", why)
            self.tell(f"{why}; trying again")

    def _how(self) -> tuple[Mode, int, int]:
        return self.mode, self.engine.columns, self.engine.rows

    def _failed(self, error: PilotError) -> None:
        if error.message != self.why:
            self._enter("lost" if self.attached is not None else "opening", error.message)

    def _refused(self, error: PilotError) -> None:
        self.error = error
        self._enter("ended", error.message)
        self.tell(f"{error.message} {error.hint}".strip())
        if said := self._type_ahead():
            self.tell(said)

    def _begin(self, stream: ConsoleStream) -> None:
        known = self.attached is not None
        self._stream = stream
        self.attached = stream.attached
        self.name = wire.plain(stream.attached.name) or self.name
        self.writing = stream.writing
        self.error = None
        if self.mode == "take":
            self.mode = "write"
        self._feeding.begin(stream.attached.replay)
        self.older.opened(stream.attached.start, stream.attached.oldest)
        if known and self.why != _ELSEWHERE:
            self.tell("connected again")
        self._enter("live", "")
        if said := self._type_ahead():
            self.tell(said)
        if not self._feeding.replaying:
            self.older.go_on()

    def _stop(self, stream: ConsoleStream) -> None:
        self._stream = self.people = None
        self.writing = False
        self.older.stop()
        self.pasting.cancel()
        stream.close()

    async def _follow(self, stream: ConsoleStream) -> str:
        """Take what comes until the stream ends; why it did."""
        try:
            async for frame in stream:
                if isinstance(frame, wire.Output):
                    if await self._feeding.take(frame.data, self.type):
                        self.tell("… missed: not all that was printed meanwhile is known")
                    if not self._feeding.replaying:
                        self.older.go_on()
                    continue
                if isinstance(frame, wire.Presence):
                    self.people = People(frame, self._clock())
                    self.changed.tell()
                    continue
                self._limited = frame.final and frame.what == "limit"
                if frame.writing is not None:
                    self._writes(frame.writing)
                if not (self._limited or self._feeding.has_shown(frame.text)):
                    self.tell(frame.text, frame.what)
                self.changed.tell()
                if frame.final:
                    return wire.plain(frame.text)
        except PilotError as error:
            return error.message
        return "airboss closed the console"

    # --- what is said ----------------------------------------------------------------------------

    def tell(self, text: str, what: str = "") -> None:
        """Add a notice."""
        self.notices.append(Told(self._clock(), wire.plain(text, 400), what))
        self.changed.tell()

    def _older_changed(self) -> None:
        self.printed.tell()
        self.changed.tell()

    def _enter(self, state: State, why: str) -> None:
        if state != self.state:
            self.since = self._clock()
        self.state, self.why = state, why
        self.changed.tell()

    async def _drain(self) -> None:
        """Wait while airboss does not read what is typed."""
        if self._stream is not None:
            await self._stream.drain()


_ELSEWHERE = "it is shown elsewhere"
"""A loss that the user wanted: nothing is said when it is back."""
