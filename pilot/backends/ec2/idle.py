"""Since when instances have done next to nothing, as CloudWatch has it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.instances import moment, rows, text
from pilot.backends.ec2.regions import RegionWatch

_log = logging.getLogger(__name__)

BULK = 500
"""Metrics of one question: AWS's bound."""
PERIOD = 300


def idle_since(
    samples: list[tuple[float, float]], begin: float, launched: float, percent: float, before: float | None
) -> float | None:
    """Since when it is idle; None if it is not, or too little is known.

    Args:
        samples: times and processor use in percent, of the window and maybe from before it.
        begin: when the window begins.
        launched: when it was started.
        percent: use below which it is idle.
        before: since when it was known to be idle at the last look.
    """
    if not samples or launched > begin:
        return None
    busy = max((at for at, use in samples if use >= percent), default=None)
    if busy is not None and busy >= begin:
        return None
    quiet = min((at for at, _ in samples if busy is None or at > busy), default=None)
    if before is not None and (busy is None or before > busy):
        return before if quiet is None else min(before, quiet)
    return quiet


class IdleWatch:
    """Asks for one region."""

    def __init__(self, watch: RegionWatch, clock: Callable[[], float]) -> None:
        self._watch = watch
        self._clock = clock
        self._known: set[str] = set()
        """Instances that were asked about since airboss began: of others more of the past is wanted."""

    async def run(self) -> None:
        """Ask for ever."""
        bounds = self._watch.calls.bounds
        while True:
            await self._watch.ready()
            try:
                await self.look()
            except Fault as fault:
                _log.warning("idle time in %s: %s", self._watch.source.name, fault.said)
            except Exception:
                _log.exception("idle time in %s", self._watch.source.name)
            await asyncio.sleep(bounds.idle_every)

    async def look(self) -> None:
        """Ask once."""
        region, bounds, now = self._watch.region, self._watch.calls.bounds, self._clock()
        begin = now - bounds.idle_window
        running = [i for i, k in region.known.items() if k.instance.state == "running"]
        samples: dict[str, list[tuple[float, float]]] = {}
        new = [i for i in running if i not in self._known]
        rest = [i for i in running if i in self._known]
        bulks = [(part, now - bounds.idle_past) for part in _parts(new)]
        for some, since in [*bulks, *((part, begin) for part in _parts(rest))]:
            queries = [
                {
                    "Id": f"m{number}",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/EC2",
                            "MetricName": "CPUUtilization",
                            "Dimensions": [{"Name": "InstanceId", "Value": instance_id}],
                        },
                        "Period": PERIOD,
                        "Stat": "Average",
                    },
                }
                for number, instance_id in enumerate(some)
            ]
            async for page in self._watch.calls.pages(
                region.name, "cloudwatch", "get_metric_data", MetricDataQueries=queries,
                StartTime=datetime.fromtimestamp(since, UTC), EndTime=datetime.fromtimestamp(now, UTC),
            ):  # fmt: skip
                for row in rows(page.get("MetricDataResults")):
                    number = text(row.get("Id"))[1:]
                    if not number.isdecimal() or int(number) >= len(some):
                        continue
                    pairs = zip(row.get("Timestamps") or [], row.get("Values") or [], strict=False)
                    found = [
                        (moment(at), float(value)) for at, value in pairs if isinstance(value, int | float)
                    ]
                    samples.setdefault(some[int(number)], []).extend(found)
        self._known = set(running)
        idle = {}
        for instance_id in running:
            if (known := region.get(instance_id)) is None:
                continue
            found_since = idle_since(
                samples.get(instance_id, []), begin, known.instance.launched, bounds.idle_percent,
                region.idle.get(instance_id),
            )  # fmt: skip
            if found_since is not None:
                idle[instance_id] = found_since
        changed = [i for i in {*idle, *region.idle} if idle.get(i) != region.idle.get(i)]
        region.idle = idle
        await region.remake_some(changed)


def _parts(ids: list[str]) -> list[list[str]]:
    return [ids[start : start + BULK] for start in range(0, len(ids), BULK)]
