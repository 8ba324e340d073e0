"""The consoles of one host, by cluster: a connection and a writer each.

What one guest does not read can in the end stall a libvirt connection (see console). A connection of
their own for each cluster keeps that among the nodes of one owner.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import libvirt

from pilot.backends.libvirt import console
from pilot.backends.libvirt.connection import Connection
from pilot.backends.libvirt.console import Console
from pilot.backends.libvirt.faults import translate
from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.settings import Settings
from pilot.backends.libvirt.writer import Writer
from pilot.errors import BusyError, DeadlineError

LOCKED_SECONDS = 1.5


class _Group:
    """One cluster's."""

    def __init__(self, host: str, uri: str, cluster: str, settings: Settings) -> None:
        self.host = host
        self.writer = Writer(f"libvirt-typing-{host}-{cluster}")
        self.held: dict[Console, Connection] = {}
        """Each with the connection it came by."""
        self.lanes = Lanes(
            host, uri, purpose=f"consoles-{cluster}", spare=3,
            open_deadline=settings.open_deadline, lost=self._connection_lost,
        )  # fmt: skip

    def forget(self, held: Console) -> None:
        """A console is over."""
        self.held.pop(held, None)

    def lose(self, why: str, raw: Any = None) -> None:
        for held, by in tuple(self.held.items()):
            if raw is None or by.raw is raw:
                held.lose(why)

    def _connection_lost(self, raw: Any, why: str) -> None:
        self.lose(f"the connection to host {self.host} was lost: {why}", raw)


class Consoles:
    """All consoles that are held on one host."""

    def __init__(self, watch: HostWatch, settings: Settings) -> None:
        self._watch = watch
        self._settings = settings
        self._groups: dict[str, _Group] = {}

    async def open(self, uuid: str, output: Callable[[bytes], None], lost: Callable[[str], None]) -> Console:
        """Hold a node's console; see Provider.open_console."""
        node = self._watch.domains.node(uuid)
        doing = f"opening the console of {node.name}"
        self._watch.check_up(doing)
        address, settings = self._watch.address, self._settings
        await self._unlocked(uuid, doing)
        group = self._groups.get(node.cluster)
        if group is None:
            group = _Group(address.name, address.uri, node.cluster, settings)
            self._groups[node.cluster] = group
        loop = asyncio.get_running_loop()

        def call(by: Connection) -> tuple[Console, Connection]:
            held = console.open_blocking(by, uuid, loop, group.writer, output, lost, settings.console)
            return held, by

        opening = asyncio.ensure_future(group.lanes.call_on(doing, call, settings.query))
        try:
            async with asyncio.timeout(settings.console):
                held, by = await asyncio.shield(opening)
        except TimeoutError:
            opening.add_done_callback(_let_go)
            raise DeadlineError(
                f"{doing}: libvirt on host {address.name} has not answered for {settings.console:g} s",
                "If its QEMU is being ended, ask again in some seconds.",
            ) from None
        except asyncio.CancelledError:
            opening.add_done_callback(_let_go)
            raise
        except libvirt.libvirtError as error:
            raise translate(error, doing, address.name) from None
        if not held.over:
            group.held[held] = by
            held.on_end = lambda: group.forget(held)
        return held

    async def _unlocked(self, uuid: str, doing: str) -> None:
        """Make sure that libvirtd does not hold the domain's lock, as it does while it ends a hung QEMU.

        The console's connection would wait for it, and with it all that is typed at others on it.
        """
        if (lanes := self._watch.lanes) is None:
            return
        try:
            async with asyncio.timeout(LOCKED_SECONDS):
                await lanes.call(
                    doing, lambda raw: raw.lookupByUUIDString(uuid).state(), self._settings.query
                )
        except TimeoutError:
            raise BusyError(
                f"{doing} failed: libvirt is at work on it, as while it ends a QEMU that hangs",
                "Ask again in some seconds.",
            ) from None
        except libvirt.libvirtError as error:
            raise translate(error, doing, self._watch.address.name) from None

    def drop(self, why: str) -> None:
        """The host does not answer: all of them are lost, and their connections let go."""
        for group in self._groups.values():
            group.lose(why)
            group.lanes.drop(why)

    def close(self, why: str) -> None:
        """Lose them all, and let connections and writers go."""
        for group in self._groups.values():
            group.lose(why)
            group.lanes.close(why)
            group.writer.stop()
        self._groups.clear()


def _let_go(opening: asyncio.Future[tuple[Console, Connection]]) -> None:
    """Close a console that opens when nobody waits for it any more, without telling anybody."""
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[0].abandon()
