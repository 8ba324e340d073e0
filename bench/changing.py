"""Nodes of the test driver started and stopped through libvirt while something is measured."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import libvirt

from pilot.demo.fleet import Fleet


class Pace:
    """How many changes there were, and for how long."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self.changes = 0

    @property
    def rate(self) -> float:
        """Changes a second until now."""
        return self.changes / (time.monotonic() - self._begin)


@contextmanager
def changing(fleets: Sequence[Fleet], rate: float) -> Iterator[Pace]:
    """Nodes all over the fleets are started and stopped meanwhile, `rate` a second if the machine can."""
    ended = threading.Event()
    pace = Pace()

    def change() -> None:
        connections = [libvirt.open(fleet.uri) for fleet in fleets]
        choice = random.Random(7)
        due = time.monotonic()
        while not ended.is_set():
            number = choice.randrange(len(fleets))
            plan = choice.choice(fleets[number].plans)
            domain = connections[number].lookupByUUIDString(plan.uuid)
            (domain.destroy if domain.isActive() else domain.create)()
            pace.changes += 1
            due += 1 / rate
            ended.wait(max(0.0, due - time.monotonic()))
        for connection in connections:
            connection.close()

    thread = threading.Thread(target=change, name="changes")
    thread.start()
    try:
        yield pace
    finally:
        ended.set()
        thread.join()
