"""The demo's HTCondor: a real pool where it is installed, else a file of ads of one that does not exist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

from pilot.demo.condor import FOLDER, POOL, Condor
from pilot.demo.slots import AdsFile
from pilot.errors import PilotError

INSTANCES = ("remote-0-0", "remote-0-1")
"""Those of the cluster's instances that are machines of the pool."""


class Pool:
    """One of the two."""

    def __init__(self, folder: Path) -> None:
        """Nothing is started yet; `folder` is the demo's."""
        self._ads = AdsFile(folder / "pool.ads")
        self._condor = Condor(folder / FOLDER)
        self.real = False
        self.words = ""
        """What it is, for who reads what the demo is made of."""

    def start(self) -> list[str]:
        """Start it; gives its lines of agent.toml."""
        why = Condor.missing()
        if not why:
            try:
                lines = self._condor.start()
            except (PilotError, OSError) as error:
                self._condor.stop()
                why = str(error)
            else:
                self.real = True
                self.words = "HTCondor: a real pool; its machines are daemons here, called as nodes are"
                return lines
        else:
            why = f"{why} is not installed"
        self._ads.start()
        self.words = f"HTCondor: a pool that does not exist, read from a file of ads ({why})"
        return [
            "", "[[pool]]", f'name = "{POOL}"', f'file = "{self._ads.path.name}"', f'cluster = "{POOL}"',
            "every = 5",
        ]  # fmt: skip

    async def fill(self, instance_of: Callable[[str], Awaitable[str]]) -> None:
        """Give a real pool its machines and jobs.

        Args:
            instance_of: EC2's id of a node of the cluster, once there is one; empty if there will be none.

        Raises:
            PilotError: HTCondor refused the jobs, or the site did not say what instances there are.
        """
        if not self.real:
            return
        self._condor.add("compute-0-0", 20)
        self._condor.submit()
        for number, name in enumerate(INSTANCES, 21):
            if instance := await instance_of(name):
                self._condor.add(name, number, instance)

    def stop(self) -> None:
        """End it."""
        self._ads.stop()
        self._condor.stop()
