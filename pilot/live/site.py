"""One site kept connected: its records, what its nodes use, and how the link to it is.

Whatever happens to the link, what was known stays; a new link begins with a whole snapshot, which the store
tells apart from what it has. What waiting does not mend stops everything until somebody says to try again.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TYPE_CHECKING, Literal

from pilot import wire
from pilot.client_config import Site
from pilot.errors import (
    ConfigError,
    IdentityError,
    PilotError,
    RefusedError,
    UnreachableError,
    UsageError,
)
from pilot.link.backoff import Backoff
from pilot.live.asking import Asking
from pilot.live.lag import Lag
from pilot.live.loads import LiveLoads
from pilot.live.notifier import Notifier
from pilot.live.returning import Returning
from pilot.live.usage import UsageHistory
from pilot.records import ROLES, Cluster, Role, role_covers
from pilot.store import Store
from pilot.verbs import BY_ID

if TYPE_CHECKING:
    # With the link comes SSH, which the app's first frame does not wait for.
    from pilot.link.link import Link
    from pilot.link.watching import Watched

State = Literal["connecting", "live", "lost", "refused"]
Connect = Callable[[], Awaitable["Link"]]

_CLOSE_SECONDS = 2.0
_REFRESH_TRIES = 5
_FINAL = (IdentityError, RefusedError, UsageError, ConfigError)
"""What waiting does not mend."""

_log = logging.getLogger(__name__)


class LiveSite(Asking):
    """A site, connected for as long as `run` runs. Lives on the event loop's thread."""

    def __init__(
        self,
        site: Site,
        connect: Connect,
        *,
        clock: Callable[[], float] = time.time,
        backoff: Backoff | None = None,
    ) -> None:
        """Nothing is connected yet. `connect` makes a link, and may ask the user about keys."""
        self.site = site
        self.store = Store()
        self.usage = UsageHistory()
        self.loads = LiveLoads()
        """How busy hosts are and were in the last hour."""
        self.changed = Notifier()
        """Told when state, lag, grants or the next attempt change; of records the store tells."""
        self.state: State = "connecting"
        """`live` once a whole snapshot has come, until the link is lost."""
        self.since = clock()
        """When the state was entered."""
        self.error: PilotError | None = None
        """Why it is lost or refused."""
        self.hello: wire.Hello | None = None
        """The last that airboss said of itself and of us; kept while the link is lost."""
        self.next_attempt: float | None = None
        """When the next try to connect begins; None while there is nothing to wait for."""
        self._returning = Returning(self.store, self.usage.forget)
        self._connect = connect
        self._clock = clock
        self._backoff = backoff or Backoff()
        self._link: Link | None = None
        self._running = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._retry = asyncio.Event()
        self._lag = Lag(self.changed.tell)

    # --- looking ---------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What the user calls the site."""
        return self.site.name

    @property
    def principal(self) -> str:
        """Who the user is to airboss; empty until it has said so."""
        return self.hello.principal if self.hello is not None else ""

    @property
    def lag(self) -> float | None:
        """Seconds to airboss and back; how long it has been silent if that is longer. None while not live."""
        return self._lag.seconds if self.state == "live" else None

    def role_in(self, cluster: str) -> Role | None:
        """The role in a cluster as far as is known; the strongest of all if none is named."""
        grants = self.hello.grants if self.hello is not None else ()
        roles = [grant.role for grant in grants if not cluster or grant.cluster in (cluster, "*")]
        return max(roles, key=ROLES.index, default=None)

    def may(self, verb_id: str, cluster: str) -> bool:
        """Whether the role reaches for a verb. airboss has the last word."""
        role = self.role_in(cluster)
        return role is not None and role_covers(role, BY_ID[verb_id].role)

    def clusters(self) -> list[str]:
        """The clusters that are this user's to see."""
        grants = self.hello.grants if self.hello is not None else ()
        names = {record.name for record in self.store.of(Cluster)}
        return sorted(names | {grant.cluster for grant in grants if grant.cluster != "*"})

    def _sees(self, cluster: str) -> bool:
        """Whether a cluster is in view; with an empty name, the whole site."""
        grants = self.hello.grants if self.hello is not None else ()
        return any(grant.cluster in ("*", cluster) for grant in grants)

    def _linked(self) -> Link:
        if self._link is None:
            why = f": {self.error.message}" if self.error is not None else ""
            raise UnreachableError(f"there is no link to {self.name} now{why}", "Ask again once it is back.")
        return self._link

    # --- connecting ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and stay connected, until cancelled; then it may be run again."""
        async with self._running:
            self._task = asyncio.current_task()
            self._enter("connecting")
            try:
                while True:
                    final = await self._stay()
                    await self._pause(None if final else self._backoff.seconds())
                    if final:
                        self._backoff.reset()
                        self._enter("connecting")
            finally:
                self._task = None
                if self.state in ("connecting", "live"):
                    self._lose("lost", UnreachableError(f"the link to {self.name} was closed"))

    def retry(self) -> None:
        """Try to connect now, if it is not being tried already."""
        self._retry.set()

    async def close(self) -> None:
        """End `run`. What is known stays."""
        if (task := self._task) is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=_CLOSE_SECONDS)
        if self._closing:
            await asyncio.wait(self._closing, timeout=_CLOSE_SECONDS)

    async def _pause(self, seconds: float | None) -> None:
        """Wait so long, or until somebody says to try again; without a time only for that."""
        self._retry.clear()
        self.next_attempt = None if seconds is None else self._clock() + seconds
        self.changed.tell()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._retry.wait()
        self.next_attempt = None
        self.changed.tell()

    async def _stay(self) -> bool:
        """Be connected while that lasts; whether what ended it is final: waiting does not mend it."""
        link: Link | None = None
        final = False
        try:
            link = await self._connect()
            self._link, self.hello = link, link.hello
            self.changed.tell()
            async with aclosing(link.watch(usage=True, load="hosts", also="machines")) as frames:
                await self._follow(link, frames)
            error: PilotError = UnreachableError("airboss ended the watch", "It may be restarting.")
        except PilotError as failure:
            error, final = failure, isinstance(failure, _FINAL)
        except Exception as failure:
            # The app goes on showing what is known; a traceback would take that away.
            _log.exception("the link to %s", self.name)
            words = wire.plain(f"{type(failure).__name__}: {failure}")
            error, final = PilotError(f"pilot made a mistake: {words}", "Please report it."), True
        finally:
            self._link = None
            self._stop_timers()
            if link is not None:
                # An airboss that does not answer takes a second: nobody waits for that.
                closing = asyncio.create_task(link.close(), name="link-close")
                self._closing.add(closing)
                closing.add_done_callback(self._closing.discard)
        self._lose("refused" if final else "lost", error)
        return final

    async def _follow(self, link: Link, frames: AsyncGenerator[Watched, None]) -> None:
        snapshots = 0
        async for frame in frames:
            if isinstance(frame, wire.Snapshot):
                snapshots += frame.first
                if frame.first:
                    # airboss begins anew when entitlements have changed; so they may have since the hello.
                    self._refresh(link)
                self._snapshot(frame, first=snapshots <= 1)
                # It comes in many frames: whoever shares the loop has their turn in between.
                await asyncio.sleep(0)
            elif isinstance(frame, wire.Delta):
                self.store.apply(frame)
                self.usage.forget(frame.gone)
            elif isinstance(frame, wire.Usage):
                self.usage.take(frame)
            elif isinstance(frame, wire.Load):
                self.loads.take(frame)
            elif isinstance(frame, wire.Pong):
                self._lag.pong(frame)

    def _snapshot(self, frame: wire.Snapshot, *, first: bool) -> None:
        if frame.first:
            self.usage.begin_anew()
            self.loads.begin_anew()
        self._returning.take(frame, self._sees, first=first)
        if not frame.last:
            return
        self.usage.keep(self.store.records)
        self.loads.known.keep(self.store.records)
        if self.state != "live":
            self._backoff.reset()
            self._enter("live")

    def _refresh(self, link: Link) -> None:
        """Ask airboss anew what the user may do."""

        async def ask() -> None:
            for attempt in range(_REFRESH_TRIES):
                with suppress(PilotError):
                    hello = await link.refresh()
                    if self._link is link:
                        self.hello = hello
                        self.changed.tell()
                    return
                await asyncio.sleep(0.2 * 2**attempt)

        if self._refreshing is not None:
            self._refreshing.cancel()
        self._refreshing = asyncio.create_task(ask(), name="grants")

    def _stop_timers(self) -> None:
        self._lag.stop()
        self._returning.stop()
        if self._refreshing is not None:
            self._refreshing.cancel()
            self._refreshing = None

    def _lose(self, state: State, error: PilotError) -> None:
        if self.store.complete:
            self.store.lost(self._clock())
        self._enter(state, error)

    def _enter(self, state: State, error: PilotError | None = None) -> None:
        """A state; `since` stays while it is one and the same."""
        if state != self.state:
            self.state, self.since = state, self._clock()
        self.error = error
        self.changed.tell()
