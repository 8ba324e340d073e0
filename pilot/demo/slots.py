"""The demo's HTCondor pool: a file of ads of a pool that does not exist, kept fresh while the demo runs.

airboss says of it that it is read from a file. One of its machines is vc1's compute-0-0, by its name; the
others are instances of the pretended EC2, by their addresses.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from pathlib import Path

FRESH_SECONDS = 30.0
_SCHEDD = "frontend.vc1.local"


def ads_text(now: float, began: float) -> str:
    """All ads, as `condor_status -long` writes them, of a pool whose jobs run since the demo began."""
    out = []
    for host, address, memory, jobs, draining in (
        ("compute-0-0.local", "10.1.255.254", 2048, ("12.0",), False),
        ("ip-10-0-1-7.ec2.internal", "10.0.1.7", 15_800, ("12.1", "13.0"), False),
        ("ip-10-0-1-9.ec2.internal", "10.0.1.9", 15_800, ("12.2",), True),
    ):
        common: dict[str, object] = {
            "MyType": "Machine", "Machine": host, "MyAddress": f"<{address}:9618?alias={host}>",
            "LastHeardFrom": int(now), "MyCurrentTime": int(now), "TotalLoadAvg": 0.97 * len(jobs) + 0.04,
        }  # fmt: skip
        drains = {"Draining": True, "DrainReason": "a new disk", "DrainingRequestId": "1"} if draining else {}
        out.append(
            common | drains | {
                "Name": f"slot1@{host}", "SlotType": "Partitionable", "SlotID": 1,
                "State": "Drained" if draining else "Unclaimed",
                "Activity": "Retiring" if draining else "Idle",
                "EnteredCurrentActivity": int(began), "Cpus": 4 - len(jobs), "TotalSlotCpus": 4,
                "Memory": memory - 512 * len(jobs), "TotalSlotMemory": memory, "LoadAvg": 0.04,
            }
        )  # fmt: skip
        for number, job in enumerate(jobs, 1):
            out.append(
                common | drains | {
                    "Name": f"slot1_{number}@{host}", "SlotType": "Dynamic", "SlotID": 1, "DSlotID": number,
                    "State": "Claimed", "Activity": "Retiring" if draining else "Busy",
                    "EnteredCurrentActivity": int(began) - 600, "Cpus": 1, "Memory": 512, "LoadAvg": 0.97,
                    "JobId": job, "JobStart": int(began) - 600, "RemoteOwner": "you@vc1.local",
                    "RemoteScheddName": _SCHEDD,
                }
            )  # fmt: skip
    out.append(
        {
            "MyType": "Submitter", "Name": "you@vc1.local", "ScheddName": _SCHEDD, "Machine": _SCHEDD,
            "RunningJobs": 4, "IdleJobs": 3, "HeldJobs": 1,
        }
    )  # fmt: skip
    return "\n".join(_long(ad) for ad in out)


class AdsFile:
    """The file, written again and again by a thread of its own until it is stopped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._began = time.time()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Write it, and go on."""
        self.write()
        self._thread = threading.Thread(target=self._run, name="ads", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Write it no more."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def write(self) -> None:
        """Write it whole, or not at all."""
        new = self.path.with_name(self.path.name + ".new")
        new.write_text(ads_text(time.time(), self._began), encoding="utf-8")
        new.replace(self.path)

    def _run(self) -> None:
        while not self._stop.wait(FRESH_SECONDS):
            self.write()


def _long(ad: Mapping[str, object]) -> str:
    return "".join(f"{name} = {_literal(value)}\n" for name, value in ad.items())


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
