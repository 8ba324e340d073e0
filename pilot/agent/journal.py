"""The journal: append-only, hash-chained, on disk before anything is done.

`Journal` is airboss's end of it: one thread takes all records that wait and commits them in one
transaction, so that many requests share one sync of the disk and a single one waits for nobody.
The records and their hash are pilot.journal's; pilot.agent.journal_read reads, journal_verify checks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future

from pilot import journal as records
from pilot.agent import journal_chain as chain
from pilot.agent.database import Database
from pilot.errors import BusyError, DeadlineError, PilotError, StorageError
from pilot.journal import Auth, Entry, Head

_log = logging.getLogger(__name__)

APPEND_SECONDS = 15.0
"""How long a record may take to be on disk."""
MAX_BATCH = 1024
MAX_LATE = 10_000

_Waiting = tuple[Entry, "Future[Head]"]
Written = Sequence[tuple[Entry, Head]]
"""What one commit appended."""


class Journal:
    """Where airboss writes. Used from the event loop; `close` when done."""

    def __init__(
        self, database: Database, clock: Callable[[], float] = time.time, *, queue_size: int = 4096
    ) -> None:
        self._database = database
        self._clock = clock
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(queue_size)
        self._late: deque[Entry] = deque()
        self._trouble = ""
        self._closed = False
        self._listeners: list[tuple[asyncio.AbstractEventLoop, Callable[[Written], None]]] = []
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    async def intent(
        self,
        *,
        actor: str,
        fingerprint: str,
        auth: Auth,
        cluster: str,
        verb: str,
        targets: Sequence[str] = (),
        args: Mapping[str, object] | None = None,
        body: bytes = b"",
        signature: bytes = b"",
    ) -> int:
        """Record what is about to be done. It is on disk when this returns, and only then may it be done.

        Who is cancelled while the record is being written leaves an outcome that says so.

        Returns:
            The record's id, for the outcome.

        Raises:
            StorageError: it cannot be written; nothing may be done.
            BusyError: too many records wait for the disk; nothing may be done.
            DeadlineError: the disk does not answer; nothing may be done.
        """
        written = self._put(
            records.entry(
                self._clock(),
                "intent",
                principal=actor,
                fingerprint=fingerprint,
                auth=auth,
                cluster=cluster,
                verb=verb,
                targets=targets,
                args=args,
                body=body,
                signature=signature,
            )
        )
        try:
            return (await self._written(written)).id
        except (asyncio.CancelledError, DeadlineError):
            if not written.cancel():
                written.add_done_callback(self._withdraw)
            raise

    async def outcome(self, intent: int, result: object) -> Head:
        """Record what came of an intent.

        What cannot be written is kept in memory and written as soon as the disk takes it.

        Raises:
            StorageError, BusyError, DeadlineError: as for `intent`; it is not on disk yet.
        """
        item = self._outcome(intent, result)
        try:
            return await self._written(self._put(item))
        except BusyError:
            self._keep(item)
            raise

    async def event(
        self,
        *,
        actor: str,
        verb: str,
        auth: Auth,
        fingerprint: str = "",
        cluster: str = "",
        targets: Sequence[str] = (),
        args: Mapping[str, object] | None = None,
        result: object = None,
    ) -> Head:
        """Record something that happened, such as a refusal. Raises as `intent` does."""
        item = records.entry(
            self._clock(),
            "event",
            principal=actor,
            fingerprint=fingerprint,
            auth=auth,
            cluster=cluster,
            verb=verb,
            targets=targets,
            args=args,
            result=result,
        )
        return await self._written(self._put(item))

    def listen(self, told: Callable[[Written], None]) -> None:
        """Call this on the running event loop after each commit, until the journal is closed.

        What other programs append, such as the admin's commands, is not told.
        """
        self._listeners.append((asyncio.get_running_loop(), told))

    async def close(self) -> None:
        """Write what waits, and end. Takes `APPEND_SECONDS` at most."""
        self._stop()
        await asyncio.to_thread(self._thread.join, APPEND_SECONDS)

    @property
    def waiting(self) -> int:
        """Records that are not on disk yet, about."""
        return self._queue.qsize() + len(self._late)

    def _outcome(self, intent: int, result: object) -> Entry:
        return records.outcome(self._clock(), intent, result)

    def _put(self, item: Entry) -> Future[Head]:
        if self._closed:
            raise StorageError("the journal is closed: airboss is ending", "Ask again in a moment.")
        written: Future[Head] = Future()
        try:
            self._queue.put_nowait((item, written))
        except queue.Full:
            raise BusyError(
                f"{self._queue.maxsize} journal records wait for the disk: nothing was done",
                "Ask again in a moment.",
            ) from None
        return written

    async def _written(self, written: Future[Head]) -> Head:
        # Not cancelled by our own cancellation: `intent` must know whether it came too late for that.
        done = asyncio.wrap_future(written)
        try:
            async with asyncio.timeout(APPEND_SECONDS):
                return await asyncio.shield(done)
        except TimeoutError:
            done.add_done_callback(_seen)
            raise DeadlineError(
                f"the journal's disk has not answered for {APPEND_SECONDS:g} s",
                f"See what ails the disk of {self._database.name}.",
            ) from None
        except asyncio.CancelledError:
            done.add_done_callback(_seen)
            raise

    def _withdraw(self, written: Future[Head]) -> None:
        """An intent became durable after its asker had gone: nothing was done about it, and that is said."""
        if written.cancelled() or written.exception() is not None:
            return
        self._keep(self._outcome(written.result().id, {"withdrawn": "the asker had gone; nothing was done"}))

    def _keep(self, item: Entry) -> None:
        """Hold an outcome until the disk takes it."""
        if len(self._late) < MAX_LATE:
            self._late.append(item)
        else:
            _log.error("the outcome of journal record %d is lost: too many wait for the disk", item.intent)

    def _stop(self) -> None:
        if not self._closed:
            self._closed = True
            with contextlib.suppress(queue.Full):
                self._queue.put_nowait(None)

    def _run(self) -> None:
        """The writer's thread."""
        while True:
            batch, last = self._next_batch()
            batch = [item for item in batch if item[1].set_running_or_notify_cancel()]
            if (not batch or self._write(batch)) and self._late:
                self._write_late()
            if last:
                return

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        """Everything that waits now; at least one record, however long that takes. Then whether to end."""
        batch: list[_Waiting] = []
        try:
            # A pause only to look at what could not be written before.
            item = self._queue.get(timeout=1.0)
            while item is not None:
                batch.append(item)
                if len(batch) == MAX_BATCH:
                    return batch, False
                item = self._queue.get_nowait()
        except queue.Empty:
            return batch, self._closed
        return batch, True

    def _write(self, batch: list[_Waiting]) -> bool:
        try:
            heads = self._commit([item for item, _ in batch])
        except Exception as error:
            if not isinstance(error, PilotError):
                _log.exception("the journal's writer failed")
                error = StorageError(f"the journal cannot be written: {error}", "See airboss's log.")
            self._failing(str(error))
            for item, written in batch:
                if item.kind == "outcome":
                    self._keep(item)
                written.set_exception(error)
            return False
        self._failing("")
        for (_, written), head in zip(batch, heads, strict=True):
            written.set_result(head)
        self._tell([(item, head) for (item, _), head in zip(batch, heads, strict=True)])
        return True

    def _write_late(self) -> None:
        items = [self._late[index] for index in range(min(len(self._late), MAX_BATCH))]
        try:
            heads = self._commit(items)
        except Exception as error:
            self._failing(str(error))
            return
        for _ in items:
            self._late.popleft()
        self._failing("")
        self._tell(list(zip(items, heads, strict=True)))

    def _tell(self, written: Written) -> None:
        for loop, told in self._listeners:
            # A loop that has ended has nobody who listens.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(told, written)

    def _failing(self, why: str) -> None:
        """Log where trouble begins and where it ends, not all that fails between."""
        if why and not self._trouble:
            _log.error("the journal cannot be written, so nothing is done that needs it: %s", why)
        elif self._trouble and not why:
            _log.warning("the journal is written again")
        self._trouble = why

    def _commit(self, items: list[Entry]) -> list[Head]:
        with self._database.write() as connection:
            return chain.append(connection, items)


def _seen(done: asyncio.Future[Head]) -> None:
    """Nobody waits for this any more; its error has been told otherwise."""
    if not done.cancelled():
        done.exception()
