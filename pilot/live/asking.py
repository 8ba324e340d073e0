"""What a site is asked over the link that there is at the moment: the calls and streams of `Link`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pilot import wire
from pilot.verbs import Value

if TYPE_CHECKING:
    # With the link comes SSH, which the app's first frame does not wait for.
    from pilot.link.console_stream import ConsoleStream
    from pilot.link.link import Link
    from pilot.link.recordings import RecordingStream
    from pilot.link.screen_stream import ScreenStream
    from pilot.link.tail import Tail
    from pilot.link.watching import Watched


class Asking(ABC):
    """Each is refused at once while there is no link; nothing waits for one."""

    @abstractmethod
    def _linked(self) -> Link:
        """The link.

        Raises:
            UnreachableError: there is none.
        """

    async def call(
        self,
        verb: str,
        cluster: str,
        targets: Sequence[str] = (),
        args: Mapping[str, Value] | None = None,
        on_progress: Callable[[wire.Progress], None] | None = None,
    ) -> wire.Reply:
        """Ask for a verb and wait for its reply.

        Raises:
            UnreachableError: there is no link, or it was lost meanwhile. The rest as for `Link.call`.
        """
        return await self._linked().call(verb, cluster, targets, args, on_progress)

    async def console(
        self,
        node_id: str,
        cluster: str,
        mode: str = "write",
        cols: int = 80,
        rows: int = 24,
        replay: int | None = None,
    ) -> ConsoleStream:
        """Open a node's serial console, as `Link.console` does.

        Raises:
            as for `call`.
        """
        return await self._linked().console(node_id, cluster, mode, cols, rows, replay)

    def log(self, node_id: str, cluster: str, *, last: int, before: int = 0) -> AsyncIterator[wire.LogPage]:
        """What a node's console printed before a place in its log, as `Link.log` has it.

        Raises:
            UnreachableError: there is no link.
        """
        return self._linked().log(node_id, cluster, last=last, before=before)

    async def screen(
        self, node_id: str, cluster: str, mode: str = "control", exclusive: bool = False
    ) -> ScreenStream:
        """Open a node's screen.

        Raises:
            as for `call`.
        """
        return await self._linked().screen(node_id, cluster, mode, exclusive)

    async def picture(self, node_id: str, cluster: str) -> bytes:
        """A picture of an instance's screen, as `Link.picture` has it.

        Raises:
            as for `call`.
        """
        return await self._linked().picture(node_id, cluster)

    def tail(self, node_id: str, cluster: str) -> Tail:
        """The last that a node's console printed and what follows, as bytes.

        Raises:
            UnreachableError: there is no link.
        """
        return self._linked().tail(node_id, cluster)

    def watch_loads(self) -> AsyncGenerator[Watched, None]:
        """A watch of its own, with what nodes' interfaces carry, as `Link.watch` has it.

        Raises:
            UnreachableError: there is no link.
        """
        return self._linked().watch(load="all")

    def journal(
        self, cluster: str, *, last: int = 500, before: int = 0, follow: bool = True, sealed: bool = False
    ) -> AsyncGenerator[wire.JournalPage, None]:
        """Records of the site's journal, as `Link.journal` has it.

        Raises:
            UnreachableError: there is no link.
        """
        return self._linked().journal(cluster, last=last, before=before, follow=follow, sealed=sealed)

    def events(self, cluster: str, *, last: int = 500) -> AsyncGenerator[wire.Happened, None]:
        """What happened and what happens from now on, as `Link.events` has it.

        Raises:
            UnreachableError: there is no link.
        """
        return self._linked().events(cluster, last=last)

    def recordings(self, cluster: str) -> AsyncGenerator[wire.Recordings, None]:
        """The recordings of a cluster's consoles, as `Link.recordings` has them.

        Raises:
            UnreachableError: there is no link.
        """
        return self._linked().recordings(cluster)

    async def recording(self, id: str, cluster: str) -> RecordingStream:
        """One of them, as a file.

        Raises:
            as for `call`.
        """
        return await self._linked().recording(id, cluster)
