"""What instances cost an hour: as AWS's pricing API says, else as the package's dated table does.

Prices are of on-demand instances without disks and traffic, in US dollars; of spot instances, what EC2's
history of spot prices said last.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from pilot.backends.ec2.calls import Calls
from pilot.backends.ec2.faults import Fault
from pilot.backends.ec2.instances import moment, rows, system_of, table, text
from pilot.backends.ec2.regions import RegionWatch
from pilot.records import Price

_log = logging.getLogger(__name__)

Key = tuple[str, str, str]
"""Region, type, operating system."""
_NEAR = (("eu-", "eu-central-1"), ("ap-", "ap-south-1"))


class Cached(msgspec.Struct, frozen=True):
    """A price that was asked for, as the caller keeps it."""

    region: str
    type: str
    system: str
    hour: float
    dated: float


@cache
def _table() -> tuple[float, frozenset[str], dict[str, float]]:
    data = tomllib.loads(resources.files(__package__).joinpath("price_table.toml").read_text("utf-8"))
    dated = datetime.fromisoformat(data["dated"]).replace(tzinfo=UTC).timestamp()
    return dated, frozenset(data["regions"]), data["hour"]


def from_table(region: str, type: str, system: str) -> Price | None:
    """The table's price; None if it has none."""
    dated, regions, hours = _table()
    if region not in regions or system != "Linux" or type not in hours:
        return None
    return Price(hours[type], dated, "table")


def price_in(answer: Any) -> float | None:
    """The hourly on-demand price in an answer of GetProducts; None if there is none."""
    for product in table(answer).get("PriceList") or []:
        try:
            data = json.loads(product) if isinstance(product, str) else product
        except ValueError:
            continue
        terms = table(table(table(data).get("terms")).get("OnDemand"))
        for term in terms.values():
            for dimension in table(table(term).get("priceDimensions")).values():
                dollars = table(table(dimension).get("pricePerUnit")).get("USD")
                try:
                    hour = float(str(dollars))
                except ValueError:
                    continue
                if table(dimension).get("unit") == "Hrs" and 0 < hour < 10_000:
                    return hour
    return None


class Prices:
    """The prices of one account's instances."""

    def __init__(self, calls: Calls, clock: Callable[[], float]) -> None:
        self.known: dict[Key, Price] = {}
        """What the pricing API said."""
        self.on_change: Callable[[], None] = lambda: None
        """Told when there is something new to keep."""
        self._calls = calls
        self._clock = clock
        self._asked: dict[Key, float] = {}
        self._gate = asyncio.Lock()

    def load(self, cached: list[Cached]) -> None:
        """Take what was kept."""
        now = self._clock()
        for one in cached:
            key = (one.region, one.type, one.system)
            self.known[key] = Price(one.hour, one.dated, "api")
            self._asked[key] = min(one.dated, now)

    def dump(self) -> list[Cached]:
        """What is to be kept."""
        return [Cached(*key, price.hour, price.dated) for key, price in self.known.items()]

    def of(self, region: str, type: str, system: str) -> Price | None:
        """What an instance costs, as far as that is known."""
        return self.known.get((region, type, system)) or from_table(region, type, system)

    async def run(self, watch: RegionWatch) -> None:
        """Keep the prices of one region's types."""
        bounds = self._calls.bounds
        while True:
            await watch.ready()
            region = watch.region
            wanted = {(k.instance.type, system_of(k.raw)) for k in region.known.values() if k.instance.type}
            prices = {pair: price for pair in wanted if (price := self.of(region.name, *pair))}
            if region.prices != prices:
                region.prices = prices
                await region.remake_all()
            for pair in sorted(wanted) if self._calls.account.prices else ():
                key = (region.name, *pair)
                if self._clock() - self._asked.get(key, 0.0) < bounds.price_age:
                    continue
                self._asked[key] = self._clock()
                async with self._gate:
                    found = await self.ask(*key)
                    await asyncio.sleep(bounds.price_pace)
                if found is None:
                    # What is shown stays, and is dated. The API may only have been away for a while.
                    self._asked[key] = self._clock() - bounds.price_age + bounds.price_again
                    continue
                self.known[key] = found
                region.prices[pair] = found
                await region.remake_all()
                self.on_change()
            if any(known.instance.spot for known in region.known.values()):
                await self._spot(watch)
            await asyncio.sleep(self._calls.account.every)

    async def ask(self, region: str, type: str, system: str) -> Price | None:
        """What the pricing API says; None if it does not."""
        at = next((place for start, place in _NEAR if region.startswith(start)), "us-east-1")
        wanted = {
            "regionCode": region, "instanceType": type, "operatingSystem": system,
            "tenancy": "Shared", "preInstalledSw": "NA", "capacitystatus": "Used",
        }  # fmt: skip
        filters = [{"Type": "TERM_MATCH", "Field": f, "Value": v} for f, v in wanted.items()]
        try:
            answer = await self._calls.call(
                at, "pricing", "get_products", ServiceCode="AmazonEC2", Filters=filters, MaxResults=10
            )
        except Fault as fault:
            _log.warning("the price of %s in %s: %s", type, region, fault.said)
            return None
        hour = price_in(answer)
        return None if hour is None else Price(hour, self._clock(), "api")

    async def _spot(self, watch: RegionWatch) -> None:
        region = watch.region
        types = sorted({k.instance.type for k in region.known.values() if k.instance.spot})[:50]
        now = datetime.fromtimestamp(self._clock(), UTC)
        key = (region.name, "spot", ",".join(types))
        if self._clock() - self._asked.get(key, 0.0) < 3600:
            return
        self._asked[key] = self._clock()
        try:
            answer = await self._calls.call(
                region.name, "ec2", "describe_spot_price_history", InstanceTypes=types, StartTime=now,
                ProductDescriptions=["Linux/UNIX"], MaxResults=1000,
            )  # fmt: skip
        except Fault as fault:
            _log.warning("spot prices in %s: %s", region.name, fault.said)
            return
        for row in rows(answer.get("SpotPriceHistory")):
            try:
                hour = float(str(row.get("SpotPrice")))
            except ValueError:
                continue
            where = (text(row.get("InstanceType")), text(row.get("AvailabilityZone")))
            region.spot_prices[where] = Price(hour, moment(row.get("Timestamp")) or self._clock(), "spot")
        await region.remake_all()
