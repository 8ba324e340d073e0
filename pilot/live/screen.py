"""One VM's screen kept open: a VNC client on a stream that comes back by itself.

Nothing here knows of widgets or renderers. Updates are asked for only while somebody looks.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from pilot import wire
from pilot.errors import PilotError
from pilot.live.notifier import Notifier
from pilot.live.opening import Opening
from pilot.live.pacing import Pacing
from pilot.live.screen_controls import ScreenControls
from pilot.live.told import NOTICES, Told
from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.rfb import RfbClient, SizeAnswer

if TYPE_CHECKING:
    from pilot.link.screen_stream import ScreenStream

State = Literal["waiting", "opening", "live", "lost", "ended"]
"""`waiting`: there is a reason not to open it, as of a node that is off or hung; it is opened without one."""
ScreenMode = Literal["control", "watch"]
OpenScreen = Callable[[ScreenMode, bool], Awaitable["ScreenStream"]]
"""Opens the screen in a mode, or exclusively."""

LOOK_AGAIN_SECONDS = 1.0
"""Between two looks whether the reason not to open it is gone."""

_log = logging.getLogger(__name__)


class _NotNowError(Exception):
    """There is a reason not to open it."""


class ScreenSession(ScreenControls):
    """One node's screen. `run` keeps it open until `close`, or until it is refused."""

    def __init__(
        self,
        node: str,
        name: str,
        open: OpenScreen,
        *,
        mode: ScreenMode = "control",
        why_not: Callable[[], str] = lambda: "",
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is opened yet.

        Args:
            node: the node's id.
            name: what it is called.
            open: opens the screen; an UnreachableError is tried again.
            mode: control, or only watch.
            why_not: why it is not to be opened now, in words; empty if it may.
            clock: seconds since the epoch.
            monotonic: seconds of a clock that is never set.
        """
        self.changed = Notifier()
        """State, control or notices."""
        super().__init__(self._drain, self.changed.tell)
        self.node = node
        self.name = name
        self.mode: ScreenMode = mode
        self.exclusive = False
        """Nobody else is to see it meanwhile."""
        self.state: State = "opening"
        self.why = ""
        """Why it waits, is lost or has ended."""
        self.error: PilotError | None = None
        """With what it was refused."""
        self.since = clock()
        """When the state was entered."""
        self.updated: float | None = None
        """When the picture was last known to be right; None if there is none yet."""
        self.others = 0
        """Who else sees it, as far as airboss knows."""
        self.attached: wire.ScreenAttached | None = None
        """What airboss said when it was last opened."""
        self.notices: deque[Told] = deque(maxlen=NOTICES)
        self.drawn = Notifier()
        """There is something new in `screen`, or another `screen`."""
        self.screen: Framebuffer | None = None
        """The picture; the last one that is known while it is not live."""
        self.pacing = Pacing(monotonic)
        self._why_not = why_not
        self._clock = clock
        self._size: SizeAnswer | None = None
        self._stream: ScreenStream | None = None
        self._open = open
        self._opening = Opening(self._open_now, clock)
        self._closed = False

    # --- what the user does ----------------------------------------------------------------------

    @property
    def looking(self) -> bool:
        """Whether somebody looks: only then it is asked what changes."""
        return self.pacing.looking

    @looking.setter
    def looking(self, looks: bool) -> None:
        self.pacing.looking = looks
        if not looks and self._client is not None:
            self._client.rest()

    def turn(self, mode: ScreenMode, exclusive: bool = False) -> None:
        """Control it, only watch it, or have it alone. It is opened anew for that."""
        self.mode, self.exclusive = mode, exclusive
        self.pasting.cancel()
        self._opening.was_wanted()
        if self._stream is not None:
            self._stream.close()

    def retry(self) -> None:
        """Try to open it now: after it has ended, or without waiting for the next attempt."""
        self._opening.retry()

    def close(self) -> None:
        """Leave the screen; `run` returns."""
        self._closed = True
        self.pasting.cancel()
        self._opening.close()
        if self._stream is not None:
            self._stream.close()

    # --- what keeps it open ----------------------------------------------------------------------

    async def run(self) -> None:
        """Open it, follow it, open it again; until it is closed or this is cancelled."""
        try:
            while await self._may():
                try:
                    stream = await self._opening.stream(self._how, self._failed)
                except _NotNowError:
                    continue
                except PilotError as error:
                    self._refused(error)
                    await self._opening.wait(None)
                    self._enter("opening", "")
                    continue
                if stream is None:
                    return
                wanted = (self.mode, self.exclusive)
                why = await self._follow(stream)
                if not self._closed:
                    self._left(why, asked=wanted != (self.mode, self.exclusive))
        except Exception as error:
            # The app goes on with all else, and says what happened to this one.
            _log.exception("the screen of %s", self.name)
            words = wire.plain(f"{type(error).__name__}: {error}")
            self._refused(PilotError(f"pilot made a mistake: {words}", "Please report it."))

    async def _may(self) -> bool:
        """Wait while there is a reason not to open it; False once it is closed."""
        waited = False
        while not self._closed and (why := self._why_not()):
            waited = True
            self._enter("waiting", why)
            await self._opening.wait(LOOK_AGAIN_SECONDS)
        if waited and not self._closed:
            self._opening.was_wanted()
            self._enter("opening", "")
        return not self._closed

    async def _open_now(self, mode: ScreenMode, exclusive: bool) -> ScreenStream:
        if self._why_not():
            # It may have become known since the attempt before.
            raise _NotNowError
        return await self._open(mode, exclusive)

    def _how(self) -> tuple[ScreenMode, bool]:
        return self.mode, self.exclusive

    def _failed(self, error: PilotError) -> None:
        if error.message != self.why:
            self._enter("lost" if self.attached is not None else "opening", error.message)

    def _refused(self, error: PilotError) -> None:
        self.error = error
        self._enter("ended", error.message)
        self.tell(f"{error.message} {error.hint}".strip())

    def _left(self, why: str, *, asked: bool) -> None:
        """A stream has ended: by itself, or since it was wanted."""
        if asked:
            self._enter("opening", "")
        elif reason := self._why_not():
            self._enter("waiting", reason)
        else:
            self._enter("lost", why)
            self.tell(f"{why}; trying again")

    async def _follow(self, stream: ScreenStream) -> str:
        """Take what comes until the stream ends; why it did."""
        self._stream = stream
        stream.notices = self._noticed
        client = RfbClient(stream, shared=not self.exclusive)
        client.updated = self._updated
        pacing: asyncio.Task[None] | None = None
        try:
            await client.handshake()
            self._begin(stream.attached, client)
            pacing = asyncio.create_task(self.pacing.run(client.request), name="screen-pacing")
            await client.run()
        except PilotError as error:
            return stream.why or error.message
        finally:
            self._client = self._stream = None
            self.controlling = False
            self.pasting.cancel()
            if pacing is not None:
                pacing.cancel()
                with suppress(asyncio.CancelledError):
                    await pacing
            stream.close()
        return stream.why or "airboss closed the screen"

    def _begin(self, attached: wire.ScreenAttached, client: RfbClient) -> None:
        known = self.attached is not None
        self._client = client
        self.attached = attached
        self.name = wire.plain(attached.name) or self.name
        self.controlling, self.others = attached.controlling, attached.others
        self._size = None
        self.error = None
        if known and self.state == "lost":
            self.tell("connected again")
        self._enter("live", "")

    def _updated(self) -> None:
        """A whole update is in the picture."""
        if self._client is not None:
            # Before the first update a new connection's picture is black: the old one is more.
            self.screen = self._client.screen
            self._hear_of_size(self._client.size_answer)
        self.updated = self._clock()
        self.pacing.answered()
        self.drawn.tell()

    # --- what is said ----------------------------------------------------------------------------

    def _hear_of_size(self, answer: SizeAnswer | None) -> None:
        if answer is not None and answer is not self._size and not answer.done:
            self.tell(f"no other size: {answer.why}")
        self._size = answer

    def _noticed(self, notice: wire.Notice) -> None:
        self.others = max(self.others + {"joined": 1, "left": -1}.get(notice.what, 0), 0)
        if notice.writing is not None:
            self.controlling = notice.writing
            if not notice.writing:
                self.pasting.cancel()
        self.tell(notice.text, notice.what)

    def tell(self, text: str, what: str = "") -> None:
        """Add a notice."""
        self.notices.append(Told(self._clock(), wire.plain(text, 400), what))
        self.changed.tell()

    def _enter(self, state: State, why: str) -> None:
        if (state, why) == (self.state, self.why):
            return
        if state != self.state:
            self.since = self._clock()
        self.state, self.why = state, why
        self.changed.tell()

    async def _drain(self) -> None:
        """Wait while airboss does not read what is typed."""
        if self._stream is not None:
            await self._stream.drain()
