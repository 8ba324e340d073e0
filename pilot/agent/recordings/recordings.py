"""Recordings of serial consoles: begun by people; ended by them, by limits, and by what happens to nodes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from pilot.agent.caller import Caller
from pilot.agent.consoles.markers import stamp
from pilot.agent.inventory import Inventory
from pilot.agent.recordings import catalogue
from pilot.agent.recordings.catalogue import Kept
from pilot.agent.recordings.going import Consoles, Going, may_record
from pilot.agent.recordings.notary import Notary
from pilot.agent.recordings.shelf import Shelf
from pilot.agent.recordings.writer import RecordingWriter
from pilot.asciicast import Header
from pilot.errors import DeadlineError, PilotError, RefusedError, UnreachableError
from pilot.recording_seals import Seal
from pilot.records import Node
from pilot.verbs import Value
from pilot.wire import Notice, Recording, plain

VERBS = ("record.start", "record.stop")
STOP_SECONDS = 20.0
"""How long one who ends a recording waits until all of it is sealed."""
CLOSE_SECONDS = 5.0

_log = logging.getLogger(__name__)


class Recordings:
    """All of this airboss. Used from the event loop, where nothing says otherwise."""

    def __init__(
        self,
        shelf: Shelf,
        notary: Notary,
        inventory: Inventory,
        airboss: str,
        clock: Callable[[], float],
    ) -> None:
        """Await `load`, and set `consoles`, before anything is recorded.

        Args:
            shelf: has all that there are.
            notary: tells the journal.
            inventory: shows which nodes are recorded.
            airboss: the host key's fingerprint: the journal may be shared by several.
            clock: seconds since the epoch.
        """
        self.shelf = shelf
        self.consoles: Consoles | None = None
        self._notary = notary
        self._inventory = inventory
        self._airboss = airboss
        self._clock = clock
        self._can = True
        """The folder can be used."""
        self._open: dict[str, Going] = {}
        """Those whose end is not in the journal yet, by their ids."""
        self._going: dict[str, Going] = {}
        """Those that go on, or are about to, by their nodes."""
        self._closed = False
        self._tasks: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.get_running_loop()
        self._writer = RecordingWriter(self, time.monotonic)

    async def load(self) -> None:
        """Find what there is. What an earlier airboss could not end is ended behind the back."""
        try:
            await self.shelf.load()
        except OSError as error:
            _log.error("consoles cannot be recorded: %s: %s", self.shelf.root, error.strerror)
            self._can = False
            return
        self._spawn(self.shelf.recover(self.shelf.unfinished))
        self._spawn(self.shelf.sweep())

    # --- what people ask ------------------------------------------------------------------------

    async def act(self, caller: Caller, node: Node, verb: str, args: Mapping[str, Value]) -> str:
        """Begin or end the recording of a node's console; what came of it, in words.

        Raises:
            RefusedError: it may not be, or is recorded already.
            StorageError, BusyError, DeadlineError: the disk or the journal does not take it.
        """
        if verb == "record.stop":
            return await self._stop(caller, node)
        typed = bool(args["input"])
        self._may_begin(caller, node, typed)
        about = Recording(
            catalogue.new_id(), node.id, node.name, node.cluster, caller.principal, self._clock(), input=typed
        )
        one = Going(Kept(about, self.shelf.tenant(node.cluster), after=0))
        self._open[one.kept.id] = self._going[node.id] = one
        # Who asked may go meanwhile: then it is begun all the same, or not at all.
        return await asyncio.shield(self._spawn(self._begin(caller, node, one)))

    def _may_begin(self, caller: Caller, node: Node, typed: bool) -> None:
        may_record(caller, node, typed)
        if self._closed:
            raise UnreachableError("airboss stops", "Try again in a moment.")
        if not (self._can and self.shelf.settings.enabled):
            raise RefusedError(
                "this site does not record consoles", "The site's admin may allow it: [recordings] enabled."
            )
        if (one := self._going.get(node.id)) is not None:
            by = one.kept.recording
            raise RefusedError(
                f"{plain(by.principal)} records {node.name} since {stamp(by.started)}",
                "One recording of a console goes on at a time; `pilot record stop` ends it.",
            )

    async def _begin(self, caller: Caller, node: Node, one: Going) -> str:
        try:
            await self._enter(one)
        except BaseException:
            one.why = one.why or "it could not begin"
            self._let_go(one)
            self.shelf.drop(one.kept.id)
            self._open.pop(one.kept.id, None)
            one.over.set()
            raise
        began: asyncio.Future[bool] = self._loop.create_future()
        self._spawn(self._follow(one, began))
        try:
            await self._notary.began(one.kept, self._airboss)
        except BaseException:
            began.set_result(False)
            self.shelf.drop(one.kept.id)
            self._end(one, "the journal does not take it")
            raise
        began.set_result(True)
        try:
            may_record(caller, node, one.kept.recording.input)  # Still: the disk has taken its time.
        except RefusedError as error:
            self._end(one, error.message)
            raise
        if one.why:
            raise RefusedError(f"the recording of {node.name} has ended already: {one.why}")
        assert self.consoles is not None
        self.consoles.record(node.id, one.recorder(self._writer))
        self._inventory.recorded(node.id, True)
        one.shown = True
        typed = ", and what is typed" if one.kept.recording.input else ""
        text = f"{plain(caller.principal)} records this console{typed}"
        self.consoles.tell(node.id, Notice("host", text))
        return f"recording {one.kept.id}"

    async def _enter(self, one: Going) -> None:
        """Make room for it, and its file."""
        one.kept = kept = Kept(one.kept.recording, one.kept.tenant, await self._notary.head())
        if not await self.shelf.enter(kept):
            raise RefusedError(
                f"there is no room for another recording in {plain(kept.tenant.cluster)}: all go on",
                "End one with `pilot record stop`; [recordings] says how much may be kept.",
            )
        header = Header(timestamp=int(kept.recording.started), title=plain(kept.recording.name))

        def begin() -> None:
            root = self.shelf.root
            catalogue.write(root, kept)
            try:
                path = catalogue.path_of(root, kept.id)
                self._writer.begin(kept.id, path, header, self.shelf.settings.size)
            except OSError:
                catalogue.delete(root, kept.id)
                raise
            if one.why:
                self._writer.end(kept.id, one.why)

        await self._notary.beside(begin)

    async def _stop(self, caller: Caller, node: Node) -> str:
        one = self._going.get(node.id)
        if one is None:
            return "it was not recorded"
        self._end(one, f"{plain(caller.principal)} ended it")
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await one.over.wait()
        except TimeoutError:
            raise DeadlineError(
                f"the recording of {node.name} ends, but the disk has not taken the last of it yet",
                "`pilot record list` says when it has.",
            ) from None
        return f"recording {one.kept.id} has ended"

    # --- what ends them -------------------------------------------------------------------------

    def node_changed(self, node: Node) -> None:
        """There is a new record of a node. To be told before its console is, which may be others' now."""
        if (one := self._going.get(node.id)) is not None:
            self._hold_against(one, node.cluster)

    def clusters_changed(self) -> None:
        """The site's clusters may have changed: one that was added anew has new owners."""
        for one in tuple(self._going.values()):
            self._hold_against(one, one.kept.tenant.cluster)
        self.shelf.look()

    def node_gone(self, node_id: str) -> None:
        """A node is no more."""
        if (one := self._going.get(node_id)) is not None:
            self._end(one, f"{plain(one.kept.recording.name)} is no more")

    async def close(self) -> None:
        """End all in order. Takes 10 s at most."""
        self._closed = True
        for one in tuple(self._going.values()):
            one.why = one.why or "airboss stopped"
        if not await asyncio.to_thread(self._writer.close, CLOSE_SECONDS, "airboss stopped"):
            _log.warning("recordings are not ended: the disk is too slow; the next airboss sees to it")
        waits = [asyncio.create_task(one.over.wait()) for one in self._open.values()]
        if waits:
            await asyncio.wait(waits, timeout=CLOSE_SECONDS)
        rest = [*waits, *self._tasks]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        self._open.clear()

    def _hold_against(self, one: Going, cluster: str) -> None:
        if not one.kept.tenant.is_still(self.shelf.tenant(cluster)):
            about = one.kept.recording
            self._end(one, f"{plain(about.name)} is not of {plain(about.cluster)} any more")

    def _end(self, one: Going, why: str) -> None:
        if not one.why:
            one.why = why
            self._let_go(one)
            self._writer.end(one.kept.id, why)

    def _let_go(self, one: Going) -> None:
        """Its console is not recorded any more, and that is said."""
        node_id = one.kept.recording.node
        if self._going.get(node_id) is not one:
            return
        del self._going[node_id]
        if one.shown:
            assert self.consoles is not None
            self._inventory.recorded(node_id, False)
            self.consoles.record(node_id, None)
            text = f"this console is not recorded any more: {one.why}"
            self.consoles.tell(node_id, Notice("host", text))

    # --- from the writer's thread ---------------------------------------------------------------

    def sealed(self, id: str, seal: Seal) -> None:
        """A part is on the disk."""
        self._soon(lambda: self._note(id, seal))

    def ended(self, id: str, why: str, size: int) -> None:
        """Nothing more is written to it."""
        self._soon(lambda: self._note(id, why))

    def _soon(self, work: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(work)

    # --- what follows behind the back -----------------------------------------------------------

    def _note(self, id: str, note: Seal | str) -> None:
        if (one := self._open.get(id)) is None:
            return
        if isinstance(note, str):
            one.why = one.why or note
            self._let_go(one)
        one.notes.put_nowait(note)

    async def _follow(self, one: Going, began: asyncio.Future[bool]) -> None:
        """Tell the journal of one, from its beginning to its end."""
        known, sealed = await began, False
        while isinstance(note := await one.notes.get(), Seal):
            sealed = note.last
            if known:
                one.kept = await self._notary.sealed(one.kept, note)
                self.shelf.put(one.kept)
                await self._bound(one)
        if known:
            one.kept = await self._notary.ended(one.kept, one.why, sealed=sealed)
            self.shelf.put(one.kept)
            self.shelf.look()
        else:
            await self._notary.withdrawn(one.kept)
        del self._open[one.kept.id]
        one.over.set()

    async def _bound(self, one: Going) -> None:
        """Those of its cluster have grown."""
        try:
            if await self.shelf.room(one.kept.tenant):
                return
        except PilotError as error:
            _log.warning("no room is made for recordings: %s", error.message)
            return
        self._end(one, "the cluster's recordings have no more room")

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not isinstance(error, PilotError):
            _log.error("recordings failed", exc_info=error)
