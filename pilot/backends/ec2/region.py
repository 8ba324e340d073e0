"""What is known of one region's instances, and when it was asked: answers may come in any order."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from pilot.backends.ec2.instances import (
    Facts,
    Kind,
    ended_at,
    node_id,
    records,
    state_of,
    system_of,
    table,
    text,
)
from pilot.backends.provider import Extra
from pilot.records import Check, Event, Instance, Node, Price

Checked = tuple[Check, Check, tuple[Event, ...]]
"""Status checks of system and instance, and events."""
AT_ONCE = 50
"""Instances that become records in one turn of the loop."""


class Known:
    """One instance."""

    __slots__ = ("asked", "ended", "instance", "missing", "news", "node", "raw", "since")

    def __init__(self, raw: Mapping[str, Any], node: Node, instance: Instance, asked: float) -> None:
        self.raw = raw
        self.node = node
        self.instance = instance
        self.asked = asked
        """When the answer that this is from was asked for, by the loop's clock."""
        self.since = node.since
        self.missing = 0
        self.ended = 0.0
        """When it was seen terminated first; 0 if it is not."""
        self.news = asyncio.Event()
        """Set, and replaced, with every change."""


class Told(msgspec.Struct, frozen=True):
    """Who is told what changed."""

    nodes: Callable[[list[Node]], None]
    extras: Callable[[list[Extra]], None]
    gone: Callable[[list[str]], None]


class Region:
    """A region's instances as records."""

    def __init__(self, account: str, name: str, tag: str, told: Told, clock: Callable[[], float]) -> None:
        self.account = account
        self.name = name
        self.tag = tag
        self.known: dict[str, Known] = {}
        """By EC2's id."""
        self.kinds: dict[str, Kind] = {}
        self.subnets: dict[str, str] = {}
        self.checks: dict[str, Checked] = {}
        self.spot: dict[str, Event] = {}
        self.prices: dict[tuple[str, str], Price] = {}
        """By type and operating system."""
        self.spot_prices: dict[tuple[str, str], Price] = {}
        """By type and zone."""
        self.idle: dict[str, float] = {}
        self.may: dict[str, dict[str, bool]] = {}
        """Verbs that dry runs have told of, by EC2's id."""
        self.serial: bool | None = None
        """Whether serial consoles are turned on in the account and region; None if that is not known."""
        self.stale_since: float | None = None
        self._told = told
        self._clock = clock

    def get(self, instance_id: str) -> Known | None:
        """What is known of one."""
        return self.known.get(instance_id)

    def apply(self, raws: Iterable[Mapping[str, Any]], asked: float) -> list[str]:
        """Take descriptions that were asked for at that moment of the loop's clock; their ids."""
        nodes: list[Node] = []
        instances: list[Extra] = []
        ids = []
        for raw in raws:
            instance_id = text(raw.get("InstanceId"), 64)
            old = self.known.get(instance_id)
            if old is not None and old.asked > asked:
                ids.append(instance_id)
                continue
            if self._take(raw, old, asked, nodes, instances):
                ids.append(instance_id)
        self._tell(nodes, instances)
        return ids

    def remake(self, ids: Iterable[str]) -> None:
        """Something else is known of these."""
        nodes: list[Node] = []
        instances: list[Extra] = []
        for instance_id in ids:
            if (old := self.known.get(instance_id)) is not None:
                self._take(old.raw, old, old.asked, nodes, instances)
        self._tell(nodes, instances)

    def again(self, ids: Iterable[str], asked: float) -> None:
        """An answer that was asked for at that moment says of these what is known."""
        for instance_id in ids:
            if (known := self.known.get(instance_id)) is not None:
                known.asked = max(known.asked, asked)

    def later(self, ids: Iterable[str], asked: float) -> list[str]:
        """Those of which something is known that was asked for later."""
        return [i for i in ids if (known := self.known.get(i)) is not None and known.asked > asked]

    async def remake_all(self) -> None:
        """Something else is known that concerns all."""
        await self.remake_some(list(self.known))

    async def remake_some(self, ids: Iterable[str]) -> None:
        """Something else is known of these. There may be thousands: others have their turn."""
        some = list(ids)
        for start in range(0, len(some), AT_ONCE):
            self.remake(some[start : start + AT_ONCE])
            await asyncio.sleep(0)

    def absent(self, seen: set[str], asked: float, kept: float, looks: int) -> None:
        """A look has ended: what was not in it goes; terminated ones, when they were shown long enough."""
        now, gone = self._clock(), []
        for instance_id, known in self.known.items():
            if known.ended and now - known.ended > kept:
                gone.append(instance_id)
            elif instance_id in seen or known.asked > asked:
                known.missing = 0
            elif not known.ended:
                known.missing += 1
                if known.missing >= looks:
                    gone.append(instance_id)
        for instance_id in gone:
            known = self.known.pop(instance_id)
            known.news.set()
            for facts in (self.checks, self.spot, self.idle, self.may):
                facts.pop(instance_id, None)
        if gone:
            self._told.gone([out for i in gone for out in (node_id(i), f"instance:{i}")])

    async def stale(self, since: float | None) -> None:
        """The region does not answer since then; None if it does again."""
        if self.stale_since != since:
            self.stale_since = since
            await self.remake_all()

    # --- inside ----------------------------------------------------------------------------------

    def _take(
        self, raw: Mapping[str, Any], old: Known | None, asked: float, nodes: list[Node],
        instances: list[Extra],
    ) -> bool:  # fmt: skip
        state = state_of(raw)
        same = old is not None and old.instance.state == state
        since = old.since if same and old is not None else self._clock()
        made = records(raw, self.account, self.name, self.tag, self._facts(raw), since, self.stale_since)
        if made is None:
            return False
        node, instance = made
        if old is None:
            if state == "terminated" and _long_ago(raw, self._clock()):
                return True
            old = self.known[node.domain] = Known(raw, node, instance, asked)
            nodes.append(node)
            instances.append(instance)
        else:
            changed = False
            if old.node != node:
                nodes.append(node)
                changed = True
            if old.instance != instance:
                instances.append(instance)
                changed = True
            old.raw, old.node, old.instance, old.asked, old.since = raw, node, instance, asked, since
            if changed:
                news, old.news = old.news, asyncio.Event()
                news.set()
        if state == "terminated":
            old.ended = old.ended or ended_at(raw) or self._clock()
        return True

    def _facts(self, raw: Mapping[str, Any]) -> Facts:
        instance_id, kind = text(raw.get("InstanceId"), 64), text(raw.get("InstanceType"))
        system, instance, events = self.checks.get(instance_id, ("", "", ()))
        if (ending := self.spot.get(instance_id)) is not None:
            events = (*events, ending)
        allowed = self.may.get(instance_id)
        return Facts(
            kind=self.kinds.get(kind, Kind()),
            subnet=self.subnets.get(text(raw.get("SubnetId")), ""),
            system=system,
            instance=instance,
            events=events,
            price=self._price(raw, kind),
            idle_since=self.idle.get(instance_id),
            may=None if allowed is None else self._may(allowed, kind),
            may_not=tuple(sorted(verb for verb, yes in (allowed or {}).items() if not yes)),
        )

    def _price(self, raw: Mapping[str, Any], kind: str) -> Price | None:
        if raw.get("InstanceLifecycle") == "spot":
            return self.spot_prices.get((kind, text(table(raw.get("Placement")).get("AvailabilityZone"))))
        return self.prices.get((kind, system_of(raw)))

    def _may(self, allowed: Mapping[str, bool], kind: str) -> tuple[str, ...]:
        serial = self.serial is not False and self.kinds.get(kind, Kind()).nitro is not False
        return tuple(sorted([verb for verb, yes in allowed.items() if yes] + ["console.open"] * serial))

    def _tell(self, nodes: list[Node], instances: list[Extra]) -> None:
        if nodes:
            self._told.nodes(nodes)
        if instances:
            self._told.extras(instances)


def _long_ago(raw: Mapping[str, Any], now: float) -> bool:
    """Whether it was terminated before anybody here could have seen it."""
    at = ended_at(raw)
    return bool(at) and now - at > 3600
