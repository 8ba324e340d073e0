"""Looks at one region by turns, at a pace of its own: a region that hangs delays no other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from pilot.backends.ec2.again import Again, reading
from pilot.backends.ec2.calls import Calls
from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.instances import (
    MOVING,
    check_of,
    events_of,
    kind_of,
    lean,
    rows,
    table,
    tags,
    text,
    whole,
)
from pilot.backends.ec2.region import AT_ONCE, Checked, Known, Region
from pilot.backends.fault_words import fault_words
from pilot.records import Event, Source

_log = logging.getLogger(__name__)


class RegionWatch:
    """One region of one account."""

    def __init__(
        self, calls: Calls, region: Region, clock: Callable[[], float], rng: Callable[[], float],
        told: Callable[[Source], None],
    ) -> None:  # fmt: skip
        self.calls = calls
        self.region = region
        account = calls.account
        self.source = Source(
            id=f"source:ec2/{account.name}/{region.name}", type="ec2",
            name=f"{account.name}/{region.name}", state="connecting", since=clock(),
            pretended=account.pretended,
        )  # fmt: skip
        self._clock = clock
        self._rng = rng
        self._told = told
        self._poke = asyncio.Event()
        self._up = asyncio.Event()
        self._followed: dict[str, asyncio.Task[None]] = {}
        self._described = Again("instancesSet", "Reservations", region.known.__contains__, lean)
        self._checked = Again("instanceStatusSet", "InstanceStatuses", region.checks.__contains__, whole)
        self._status_due = 0.0
        self._names_due = 0.0

    @property
    def fault(self) -> str:
        """Why the region does not answer; empty if it does."""
        return self.source.detail if self.source.state == "down" else ""

    def poke(self) -> None:
        """Look now."""
        self._poke.set()

    async def ready(self) -> None:
        """Wait until the region answers."""
        await self._up.wait()

    async def run(self) -> None:
        """Look for ever."""
        bounds, failures = self.calls.bounds, 0
        self._told(self.source)
        while True:
            self._poke.clear()
            try:
                async with asyncio.timeout(bounds.poll):
                    await self._look()
            except TimeoutError:
                fault = Fault("silent", "AWS does not answer in time", "airboss asks again by itself.")
            except Fault as error:
                fault = error
            except Exception as error:  # a mistake here must not end the watch of a region
                _log.exception("region %s", self.region.name)
                fault = Fault("other", "airboss made a mistake; its log says more", said=repr(error))
            else:
                failures = 0
                await self._good()
                await self._pause(self.calls.account.every)
                continue
            failures += 1
            self._described.forget_all()
            self._checked.forget_all()
            await self._bad(fault)
            pause = min(bounds.backoff_last, bounds.backoff_first * 2 ** min(failures - 1, 10))
            await self._pause(max(pause, bounds.throttled) if fault.kind == "throttled" else pause)

    async def stop(self) -> None:
        """End what follows instances."""
        tasks = list(self._followed.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def read(self, instance_id: str) -> Known | None:
        """Look at one instance now.

        Raises:
            Fault: it failed.
        """
        asked = asyncio.get_running_loop().time()
        page = await self.calls.call(self.region.name, "ec2", "describe_instances", InstanceIds=[instance_id])
        found = [raw for r in rows(page.get("Reservations")) for raw in rows(r.get("Instances"))]
        self.region.apply(found, asked)
        self._described.forget([instance_id])
        return self.region.get(instance_id)

    def follow(self, instance_id: str) -> None:
        """Look at it more often until its state has settled: EC2 does not promise that it shows at once."""
        task = self._followed.get(instance_id)
        if task is None or task.done():
            task = asyncio.create_task(self._follow(instance_id), name=f"ec2-follow-{instance_id}")
            self._followed[instance_id] = task
            task.add_done_callback(lambda done: self._unfollow(instance_id, done))

    # --- looking ---------------------------------------------------------------------------------

    async def _look(self) -> None:
        loop, bounds, name = asyncio.get_running_loop(), self.calls.bounds, self.region.name
        begun, seen = loop.time(), set[str]()
        filters = [{"Name": "tag-key", "Values": [self.region.tag]}]
        asked = begun
        pages = reading(
            self._described,
            self.calls.pages(name, "ec2", "describe_instances", bounds.page_size, Filters=filters),
        )
        async for page, same in pages:
            if "Reservations" not in page:
                raise Fault("garbled", "what answered is not AWS, or only half an answer")
            found = [raw for r in rows(page["Reservations"]) for raw in rows(r.get("Instances"))]
            for start in range(0, len(found), AT_ONCE):
                ids = self.region.apply(found[start : start + AT_ONCE], asked)
                seen.update(ids)
                self._described.forget(self.region.later(ids, asked))
                await asyncio.sleep(0)
            self.region.again(same, asked)
            seen.update(same)
            asked = loop.time()
        self.region.absent(seen, begun, bounds.kept, bounds.missing)
        self._described.only(self.region.known.keys())
        if loop.time() >= self._names_due or self._new_names():
            self._names_due = loop.time() + bounds.names
            await self._allowed(self._names())
        if loop.time() >= self._status_due:
            self._status_due = loop.time() + bounds.status
            await self._allowed(self._status())

    async def _allowed(self, reading: Awaitable[None]) -> None:
        """What the account may not read is left out; the instances are there all the same."""
        try:
            await reading
        except Fault as fault:
            if fault.kind != "denied":
                raise
            _log.warning("region %s: %s", self.source.name, fault.said)

    def _new_names(self) -> bool:
        return any(
            known.instance.type not in self.region.kinds
            or (known.instance.subnet and known.instance.subnet not in self.region.subnets)
            for known in self.region.known.values()
        )

    async def _names(self) -> None:
        """Names of VPCs and subnets, and what the types are."""
        region, call = self.region, self.calls
        vpcs, subnets = dict[str, str](), dict[str, str]()
        async for page in call.pages(region.name, "ec2", "describe_vpcs", 200):
            vpcs |= {text(v.get("VpcId")): tags(v).get("Name", "") for v in rows(page.get("Vpcs"))}
        async for page in call.pages(region.name, "ec2", "describe_subnets", 200):
            for row in rows(page.get("Subnets")):
                own, vpc = (
                    tags(row).get("Name") or text(row.get("SubnetId")),
                    vpcs.get(text(row.get("VpcId"))),
                )
                subnets[text(row.get("SubnetId"))] = f"{vpc}/{own}" if vpc else own
        used = [known.instance for known in region.known.values()]
        region.subnets = {i.subnet: "" for i in used} | subnets
        wanted = sorted({i.type for i in used if i.type} - set(region.kinds))
        for start in range(0, len(wanted), 50):
            some = wanted[start : start + 50]
            region.kinds |= {kind: kind_of({}) for kind in some}
            try:
                page = await call.call(region.name, "ec2", "describe_instance_types", InstanceTypes=some)
            except Fault as fault:
                if fault.kind not in ("denied", "other"):
                    raise
                continue
            for row in rows(page.get("InstanceTypes")):
                region.kinds[text(row.get("InstanceType"))] = kind_of(row)
        await region.remake_all()

    async def _status(self) -> None:
        """Status checks, scheduled events, and ends of spot instances that are announced."""
        region, ids = self.region, list(self.region.known)
        checks = dict[str, Checked]()
        if not ids:
            return
        some: dict[str, object] = {"InstanceIds": ids} if len(ids) <= 100 else {}
        pages = self.calls.pages(
            region.name, "ec2", "describe_instance_status", None if some else 1000,
            IncludeAllInstances=True, **some,
        )  # fmt: skip
        async for page, same in reading(self._checked, pages):
            checks |= {i: region.checks[i] for i in same if i in region.checks}
            for row in rows(page.get("InstanceStatuses")):
                if (instance_id := text(row.get("InstanceId"))) in region.known:
                    checks[instance_id] = (
                        check_of(row.get("SystemStatus")), check_of(row.get("InstanceStatus")), events_of(row)
                    )  # fmt: skip
        spot = await self._spot() if any(k.instance.spot for k in region.known.values()) else {}
        changed = {i for i in checks.keys() | region.checks.keys() if checks.get(i) != region.checks.get(i)}
        changed |= {i for i in spot.keys() | region.spot.keys() if spot.get(i) != region.spot.get(i)}
        # The same table goes on: who asks whether what was read is known looks into it.
        region.checks.clear()
        region.checks.update(checks)
        region.spot = spot
        self._checked.only(region.checks.keys())
        await region.remake_some(changed)

    async def _spot(self) -> dict[str, Event]:
        out: dict[str, Event] = {}
        filters = [
            {"Name": "status-code", "Values": ["marked-for-termination", "marked-for-stop"]},
        ]
        async for page in self.calls.pages(
            self.region.name, "ec2", "describe_spot_instance_requests", 200, Filters=filters
        ):
            for row in rows(page.get("SpotInstanceRequests")):
                status = table(row.get("Status"))
                out[text(row.get("InstanceId"))] = Event(
                    text(status.get("Code")), text(status.get("Message"))
                )
        return out

    async def _follow(self, instance_id: str) -> None:
        bounds, loop = self.calls.bounds, asyncio.get_running_loop()
        end, pause, quiet = loop.time() + bounds.settle, bounds.settle_first, 0
        while loop.time() < end:
            try:
                known = await self.read(instance_id)
            except Fault as fault:
                if fault.code == "InvalidInstanceID.NotFound":
                    return
                pause = bounds.settle_last
            else:
                if known is None:
                    return
                quiet = 0 if known.instance.state in MOVING else quiet + 1
                if quiet >= 5:
                    return
            await asyncio.sleep(pause * (0.75 + self._rng() / 2))
            pause = min(bounds.settle_last, pause * 1.3)

    def _unfollow(self, instance_id: str, task: asyncio.Task[None]) -> None:
        if self._followed.get(instance_id) is task:
            del self._followed[instance_id]
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("following %s", instance_id, exc_info=error)

    # --- telling ---------------------------------------------------------------------------------

    async def _good(self) -> None:
        now, old = self._clock(), self.source
        since = old.since if old.state == "up" else now
        self.source = Source(
            id=old.id, type="ec2", name=old.name, state="up", since=since, good=now, pretended=old.pretended
        )
        self._told(self.source)
        self._up.set()
        await self.region.stale(None)

    async def _bad(self, fault: Fault) -> None:
        old = self.source
        if old.state != "down" or old.detail != fault.words:
            _log.warning("region %s: %s (%s)", old.name, fault.words, fault.said)
        since = old.since if old.state == "down" else self._clock()
        words = fault_words(fault.words, fault.said, fault.hint)
        self.source = Source(
            id=old.id, type="ec2", name=old.name, state="down", since=since, good=old.good,
            detail=fault.words, words=words, pretended=old.pretended,
        )  # fmt: skip
        self._told(self.source)
        self._up.clear()
        await self.region.stale(old.good or since)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds * (0.9 + 0.2 * self._rng())):
                await self._poke.wait()
        except TimeoutError:
            pass
