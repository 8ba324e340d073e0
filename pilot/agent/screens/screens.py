"""Nodes' screens as requests: who may look at which, with whom, journaled from the first to the last."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pilot import wire
from pilot.agent.caller import Caller
from pilot.agent.gate import Asked
from pilot.agent.inventory import Inventory
from pilot.agent.ledger import Ledger
from pilot.agent.outcomes import fault_of
from pilot.agent.screens.viewer import Outlet, ScreenViewer
from pilot.agent.shares import Shares
from pilot.agent.targets import one_node
from pilot.backends.provider import Provider
from pilot.errors import BusyError, PilotError, RefusedError
from pilot.records import Node, role_covers
from pilot.wire import Notice, Outcome, plain

LAST_NEWS = 3.0
"""Seconds after the end of a VNC server within which it is told what has become of the node."""
_ENDS = {"off": "is off", "crashed": "has crashed"}

_log = logging.getLogger(__name__)


class _Room:
    """Those who look at one node's screen."""

    def __init__(self, node: Node) -> None:
        self.node = node
        """As it was told last."""
        self.viewers: dict[ScreenViewer, tuple[Caller, str]] = {}
        """Each with whose it is, and the cluster by which it is let in."""
        self.alone = ""
        """Who has it for themselves; empty if nobody has."""
        self.inside = 0
        """Requests that are at it, those that wait for the VNC server too."""
        self.news = asyncio.Event()
        """Set whenever something happens to the node."""

    def tell(self, notice: Notice, but: ScreenViewer | None = None) -> None:
        """A notice to all, or to all but one."""
        for viewer in self.viewers:
            if viewer is not but:
                viewer.tell(notice)


class Screens:
    """All screens that are looked at through this airboss."""

    def __init__(
        self, inventory: Inventory, provider_of: Callable[[str], Provider], ledger: Ledger, shares: Shares
    ) -> None:
        """`provider_of` gives who drives a node; it may raise PilotError."""
        self._inventory = inventory
        self._provider_of = provider_of
        self._ledger = ledger
        self._shares = shares
        self._rooms: dict[str, _Room] = {}

    async def serve(self, caller: Caller, asked: Asked, outlet: Outlet) -> None:
        """Open the screen that is asked for, and relay it until its end.

        Raises:
            UsageError: not exactly one node.
            RefusedError: it is not the signer's, or the role does not reach.
            BusyError: somebody has it for themselves, or too many look at screens.
            BackendError, …: it cannot be opened; see Provider.open_screen.
            StorageError: the journal cannot be written.
            WireError: the viewer does not speak RFB.
        """
        node = self._entitled(caller, asked)[0]
        loop = asyncio.get_running_loop()
        with (
            self._shares.take("screen", caller.holder, node.id),
            self._shares.take("screens", caller.holder),
            self._room(node) as room,
        ):
            entry = await self._ledger.intend(caller, asked, [node.id])
            try:
                viewer = await self._enter(room, caller, asked)
            except PilotError as error:
                failed = Outcome(node.name, "failed", node=node.id, state=node.state, fault=fault_of(error))
                await self._ledger.settle(entry, [failed])
                raise
            except BaseException:
                await self._ledger.settle_late(entry, _given_up(node))
                raise
            begun = loop.time()
            try:
                note = "you control it" if viewer.controlling else "you watch"
                done = Outcome(node.name, "done", node=node.id, state=node.state, note=note)
                outlet.tell(await self._ledger.settle(entry, [done]))
                attached = wire.ScreenAttached(
                    node.id, node.name, viewer.controlling, viewer.exclusive, len(room.viewers) - 1
                )
                outlet.tell(attached)
                await viewer.relay(outlet, lambda: self._why(room))
            finally:
                self._leave(room, viewer)
                await asyncio.shield(self._left(caller, asked, node, loop.time() - begun))

    def recheck(self) -> None:
        """End the screens of those who may not see them any more; let others do what they may now."""
        for room in list(self._rooms.values()):
            for viewer, (caller, cluster) in list(room.viewers.items()):
                role = caller.role(cluster)
                if role is None:
                    viewer.close(f"your key is not entitled to {plain(cluster)} any more")
                elif role_covers(role, "operator"):
                    viewer.may_control(f"your role in {plain(cluster)} is {role} now: you control the screen")
                elif viewer.exclusive:
                    viewer.close(f"your role in {plain(cluster)} is {role} now: it is not yours alone")
                else:
                    viewer.only_watch(f"your role in {plain(cluster)} is {role} now: you watch")

    def tell(self, node_id: str, notice: Notice) -> None:
        """A notice to all who look at a node's screen."""
        if (room := self._rooms.get(node_id)) is not None:
            room.tell(notice)

    # --- what the inventory tells ---------------------------------------------------------------

    def node_changed(self, node: Node) -> None:
        """There is a new record of a node."""
        if (room := self._rooms.get(node.id)) is None:
            return
        before, room.node = room.node, node
        room.news.set()
        if before.cluster != node.cluster:
            for viewer in room.viewers:
                viewer.close(f"{plain(before.name)} is not of {plain(before.cluster)} any more")
        elif before.state != node.state:
            room.tell(Notice("power", f"{plain(node.name)}: {node.state}"))
        if before.stale_since is None and node.stale_since is not None:
            room.tell(Notice("host", f"the host of {plain(node.name)} does not answer"))

    def node_gone(self, node_id: str) -> None:
        """A node is no more."""
        if (room := self._rooms.get(node_id)) is not None:
            for viewer in room.viewers:
                viewer.close(f"{plain(room.node.name)} is no more")

    # --- coming and going -----------------------------------------------------------------------

    @contextmanager
    def _room(self, node: Node) -> Iterator[_Room]:
        room = self._rooms.setdefault(node.id, _Room(node))
        room.inside += 1
        try:
            yield room
        finally:
            room.inside -= 1
            if not room.inside:
                del self._rooms[node.id]

    def _entitled(self, caller: Caller, asked: Asked) -> tuple[Node, bool]:
        """The node, and whether the caller controls its screen."""
        node = one_node(self._inventory, asked, "a screen")
        role = caller.role(asked.cluster)
        if role is None:
            raise RefusedError(
                f"your key is not entitled to {asked.cluster} any more", "Ask the site's admin."
            )
        may_control = role_covers(role, "operator")
        if asked.args["exclusive"] and not may_control:
            raise RefusedError(
                f"to have the screen of {node.name} for yourself needs the role operator, yours is {role}",
                "Look at it together with the others.",
            )
        return node, may_control and asked.args["mode"] == "control"

    async def _enter(self, room: _Room, caller: Caller, asked: Asked) -> ScreenViewer:
        """Connect to the VNC server, and take part."""
        # Rights and membership may have changed while the disk took its time.
        node, _ = self._entitled(caller, asked)
        exclusive = bool(asked.args["exclusive"])
        _refuse_taken(room)
        if exclusive:
            room.alone = caller.principal  # whoever asks meanwhile is late
        screen = None
        try:
            screen = await self._provider_of(node.id).open_screen(node.id)
            # And again while the host took its.
            _, controlling = self._entitled(caller, asked)
            if not exclusive:
                _refuse_taken(room)
        except BaseException:
            if screen is not None:
                screen.close()
            if exclusive:
                room.alone = ""
            raise
        asks = asked.args["mode"] == "control"
        viewer = ScreenViewer(
            caller.principal, screen, asks=asks, controlling=controlling, exclusive=exclusive
        )
        name = plain(caller.principal)
        if exclusive:
            for other in room.viewers:
                other.close(f"{name} has the screen of {plain(node.name)} for themselves now")
            room.viewers.clear()
        room.tell(
            Notice("joined", f"{name} has joined and {'controls it too' if controlling else 'watches'}")
        )
        room.viewers[viewer] = caller, asked.cluster
        return viewer

    def _leave(self, room: _Room, viewer: ScreenViewer) -> None:
        viewer.let_go()
        if viewer.exclusive:
            room.alone = ""
        if room.viewers.pop(viewer, None) is not None:
            room.tell(Notice("left", f"{plain(viewer.principal)} has left"))

    async def _left(self, caller: Caller, asked: Asked, node: Node, seconds: float) -> None:
        try:
            await self._ledger.noted(caller, "screen.close", asked, node.id, {"seconds": round(seconds, 1)})
        except PilotError as error:
            _log.error("screen.close of %s is not in the journal: %s", node.name, error.message)

    async def _why(self, room: _Room) -> str:
        """What has become of a node whose VNC server has ended the connection; the news may be late."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LAST_NEWS):
                while room.node.state not in _ENDS:
                    room.news.clear()
                    await room.news.wait()
        node = room.node
        if node.state in _ENDS:
            return f"{plain(node.name)} {_ENDS[node.state]}"
        if node.stale_since is not None:
            return f"the host of {plain(node.name)} does not answer"
        return f"the connection to the screen of {plain(node.name)} was lost"


async def _given_up(node: Node) -> list[Outcome]:
    """What comes of a screen whose asker went away while it was being opened."""
    error = PilotError(f"opening the screen of {node.name} was given up")
    return [Outcome(node.name, "failed", node=node.id, state=node.state, fault=fault_of(error))]


def _refuse_taken(room: _Room) -> None:
    if room.alone:
        raise BusyError(
            f"{plain(room.alone)} has the screen of {plain(room.node.name)} for themselves",
            "Ask them to leave it, or try again later.",
        )
