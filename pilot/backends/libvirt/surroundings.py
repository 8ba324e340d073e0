"""What is looked at of a host beside its nodes, at a slow pace: how busy it is, its networks, its storage."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from pilot.backends.libvirt.host import HostWatch
from pilot.backends.libvirt.lane import Lanes
from pilot.backends.libvirt.loads import LoadWatch
from pilot.backends.libvirt.networks import NetworkWatch
from pilot.backends.libvirt.settings import Settings
from pilot.backends.libvirt.storage import StorageWatch
from pilot.backends.libvirt.traffic import TrafficWatch
from pilot.backends.provider import HostUsed, Sink, Traffic

Loads = Callable[[str, HostUsed], None]
"""Told how busy a host is, by its name."""
Carried = Callable[[str, Mapping[str, Traffic] | None], None]
"""Told what the interfaces of a host's running nodes carry: the host's name, and by id; None if not known."""


class Surroundings:
    """One host's."""

    def __init__(
        self,
        watch: HostWatch,
        looks: Lanes,
        settings: Settings,
        *,
        rng: Callable[[], float],
        clock: Callable[[], float],
        sink: Sink,
        loads: Loads,
        carried: Carried,
        counted: Callable[[], bool],
    ) -> None:
        """`looks` are lanes that may wait for a domain's lock, but for nothing that takes longer."""
        name = watch.address.name
        # Storage may hang for hours, and holds up nothing but these.
        self._storage = Lanes(
            name, watch.address.uri, purpose="storage", spare=1, open_deadline=settings.open_deadline
        )

        parts = (
            LoadWatch(watch, looks, settings, rng, lambda used: loads(name, used)),
            TrafficWatch(watch, looks, settings, rng, lambda found: carried(name, found), counted),
            NetworkWatch(watch, looks, settings, rng, sink.extras, sink.gone),
            StorageWatch(watch, self._storage, settings, rng, clock, sink.extras, sink.gone),
        )
        self.tasks = [asyncio.create_task(part.run()) for part in parts]

    def drop(self, why: str) -> None:
        """The host is lost."""
        self._storage.drop(why)

    def close(self, why: str) -> None:
        """Stop looking."""
        for task in self.tasks:
            task.cancel()
        self._storage.close(why)
