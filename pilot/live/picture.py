"""A picture of a screen that cannot be looked at live: taken when it is asked for, shown with its age."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from pilot import wire
from pilot.errors import PilotError, RefusedError
from pilot.live.screen import ScreenMode, ScreenSession
from pilot.vnc import jpeg

if TYPE_CHECKING:
    from pilot.link.screen_stream import ScreenStream

_log = logging.getLogger(__name__)


class PictureSession(ScreenSession):
    """One node's picture. It is taken at once, and again at each `retry`; between that nothing is asked."""

    def __init__(
        self,
        node: str,
        name: str,
        take: Callable[[], Awaitable[bytes]],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`take` gives a JPEG."""
        super().__init__(node, name, _none, mode="watch", clock=clock, monotonic=monotonic)
        self._take = take

    @property
    def taking(self) -> bool:
        """Whether one is being taken now."""
        return self.state == "opening"

    async def run(self) -> None:
        """Take one, and another each time that is wanted, until it is closed."""
        while not self._closed:
            self._enter("opening", "")
            try:
                self.screen = await jpeg.decoded(await self._take())
                self.updated, self.error = self._clock(), None
                self._enter("waiting", "")
                self.drawn.tell()
            except PilotError as error:
                self.error = error
                self._enter("ended", wire.plain(error.message, 400))
                self.tell(f"{error.message}. {error.hint}".strip())
            except Exception as error:
                _log.exception("a picture of %s", self.name)
                words = wire.plain(f"{type(error).__name__}: {error}")
                self._refused(PilotError(f"pilot made a mistake: {words}", "Please report it."))
            if not self._closed:
                await self._opening.wait(None)


async def _none(_mode: ScreenMode, _exclusive: bool) -> ScreenStream:
    raise RefusedError("of an instance there are only pictures")
