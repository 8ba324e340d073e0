"""The instances of the demo's pretended EC2: one for each thing that there is to see of instances."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable

import msgspec

from pilot.demo.ec2.past import Past
from pilot.errors import PilotError

EAST, WEST = "us-east-1", "us-west-2"
REGIONS = (EAST, WEST)
CLUSTER_TAG = "pilot:cluster"
_HOUR = 3600.0
_IMAGE = "ami-760aaa0f"


class Planned(msgspec.Struct, frozen=True):
    """One instance that is to be. Hours are before the demo began."""

    cluster: str
    name: str
    type: str
    address: str
    region: str = EAST
    hours: float = 2.0
    """For how long it has run, or had run when it ended."""
    state: str = "running"
    """running, stopped or terminated."""
    ended: float = 0.0
    """Since how many hours it runs no more."""
    code: str = ""
    words: str = ""
    spot: bool = False
    hibernates: bool = False
    percent: float = 40.0
    event: tuple[str, str, float] | None = None
    """What EC2 has scheduled: code, description, in so many hours."""

    def past(self, now: float) -> Past:
        """What it has behind it."""
        ended = now - self.ended * _HOUR if self.state != "running" else 0.0
        event = None if self.event is None else (*self.event[:2], now + self.event[2] * _HOUR)
        launched = (ended or now) - self.hours * _HOUR
        return Past(launched, ended, self.code, self.words, event, self.percent)


LEASED = ("vc1", "remote-0-0")
"""The one that is leased: that ends soon."""

FLEET = (
    Planned("vc1", "remote-0-0", "m5.xlarge", "10.0.1.7", hours=6.4, hibernates=True),
    Planned("vc1", "remote-0-1", "m5.xlarge", "10.0.1.9", hours=6.4,
            event=("instance-retirement", "The host of the instance will be retired", 70.0)),
    Planned("vc1", "remote-0-2", "m5.4xlarge", "10.0.1.12", hours=31.0, percent=0.4),
    Planned("vc1", "remote-0-3", "m5.large", "10.0.2.4", WEST, 3.0, "stopped", 0.7,
            "Server.SpotInstanceShutdown", "Instance was stopped because its spot capacity was taken back",
            spot=True),
    Planned("vc1", "remote-0-4", "m5.large", "10.0.2.5", WEST, 0.01, "terminated", 0.3,
            "Server.InsufficientInstanceCapacity", "There was not enough capacity to launch it", spot=True),
    Planned("vc2", "remote-0-0", "t3.large", "10.0.1.31", hours=1.2),
    Planned("vc2", "remote-0-1", "t3.large", "10.0.1.32", hours=9.0, state="stopped", ended=14.0,
            code="Client.UserInitiatedShutdown", words="User initiated shutdown"),
)  # fmt: skip
"""remote-0-0 and remote-0-1 are in vc1's pool, remote-0-2 is not, and does nothing: it only costs money."""

Ask = Callable[[str, str, dict[str, str]], Awaitable[str]]
"""Asks moto: region, action, arguments; gives its answer."""


async def populate(ask: Ask, tell: Callable[[str, Past], None], now: float | None = None) -> None:
    """Make them in moto; `tell` is told each one's id and past.

    Raises:
        PilotError: moto answered something else.
    """
    now = time.time() if now is None else now
    for number, region in enumerate(REGIONS, 1):
        vpc = _id(
            "vpc", await ask(region, "CreateVpc", {"CidrBlock": "10.0.0.0/16", **_named("vpc", "campus")})
        )
        place = {"VpcId": vpc, "CidrBlock": f"10.0.{number}.0/24", "AvailabilityZone": f"{region}a"}
        subnet = _id("subnet", await ask(region, "CreateSubnet", {**place, **_named("subnet", "workers")}))
        for plan in (plan for plan in FLEET if plan.region == region):
            made = _id("instance", await ask(region, "RunInstances", _wanted(plan, subnet)))
            if plan.state != "running":
                verb = "StopInstances" if plan.state == "stopped" else "TerminateInstances"
                await ask(region, verb, {"InstanceId.1": made})
            tell(made, plan.past(now))


def _wanted(plan: Planned, subnet: str) -> dict[str, str]:
    form = {
        "ImageId": _IMAGE, "MinCount": "1", "MaxCount": "1", "InstanceType": plan.type, "SubnetId": subnet,
        "PrivateIpAddress": plan.address, **_named("instance", plan.name),
        "TagSpecification.1.Tag.2.Key": CLUSTER_TAG, "TagSpecification.1.Tag.2.Value": plan.cluster,
    }  # fmt: skip
    if plan.hibernates:
        form["HibernationOptions.Configured"] = "true"
    if plan.spot:
        form["InstanceMarketOptions.MarketType"] = "spot"
    return form


def _named(kind: str, name: str) -> dict[str, str]:
    tag = "TagSpecification.1"
    return {f"{tag}.ResourceType": kind, f"{tag}.Tag.1.Key": "Name", f"{tag}.Tag.1.Value": name}


def _id(kind: str, answer: str) -> str:
    found = re.search(rf"<{kind}Id>([\w-]+)</{kind}Id>", answer)
    if found is None:
        raise PilotError(
            f"moto made no {kind}: {answer[:300]}", "It is of another version than the demo knows."
        )
    return found[1]
