"""What a site sets of an account at AWS, and the provider's intervals and bounds."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from pilot.config import KeyProblem

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d")
_URL = re.compile(r"https?://[^/\s]+/?")
_ENDPOINT = re.compile(r"[^\s:]+:\d{1,5}")


class Ec2Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One [[ec2]]: an account at AWS, and which of its regions are watched."""

    name: str
    """What the account is called on screens."""
    regions: tuple[str, ...]
    profile: str = ""
    """A profile of ~/.aws/config of airboss's user; empty for AWS's ordinary chain of credentials."""
    endpoint: str = ""
    """URL that answers instead of AWS's own."""
    serial_endpoint: str = ""
    """host:port of the serial console endpoint instead of the regions' own."""
    tag: str = "pilot:cluster"
    """The tag that names an instance's cluster. Instances without it are not shown."""
    every: Annotated[float, Meta(ge=1, le=3600)] = 15.0
    """Seconds between two looks at a region."""
    prices: bool = True
    """Whether prices are asked of AWS; else only the dated table of the package is used."""
    idle: bool = False
    """Whether CloudWatch is asked for the use of processors, which AWS may charge for."""
    output: bool = True
    """Whether what consoles printed is fetched (GetConsoleOutput) for the console log."""
    pretended: bool = False
    """Said of everything on screens: this is a demo's stand-in."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KeyProblem(
                "name", f"'{self.name}' is not a name (letters, digits, '.', '_', '-'; 63 at most)"
            )
        if not self.regions:
            raise KeyProblem("regions", "give at least one region, such as us-east-1")
        for region in self.regions:
            if not _REGION.fullmatch(region):
                raise KeyProblem("regions", f"'{region}' is not a region's name, such as us-east-1")
        if len(set(self.regions)) != len(self.regions):
            raise KeyProblem("regions", "a region is named twice")
        if not 1 <= len(self.tag) <= 128 or self.tag.startswith("aws:"):
            raise KeyProblem("tag", f"'{self.tag}' is not a tag's name (128 characters at most, no 'aws:')")
        if self.endpoint and not _URL.fullmatch(self.endpoint):
            raise KeyProblem("endpoint", f"'{self.endpoint}' is not a URL, such as http://127.0.0.1:5000")
        if self.serial_endpoint and not _ENDPOINT.fullmatch(self.serial_endpoint):
            raise KeyProblem("serial_endpoint", f"'{self.serial_endpoint}' is not host:port")


class Bounds(msgspec.Struct, frozen=True):
    """How often, how long and how many, in seconds; the defaults are meant for AWS."""

    connect: float = 5.0
    page: float = 15.0
    """Deadline of one answer."""
    poll: float = 60.0
    """Deadline of one look at a region, all its pages together."""
    page_size: int = 500
    status: float = 60.0
    """Between two readings of status checks and events."""
    names: float = 600.0
    """Between two readings of the names of VPCs and subnets."""
    backoff_first: float = 1.0
    backoff_last: float = 60.0
    throttled: float = 5.0
    """The shortest pause after AWS said that there were too many requests."""
    settle_first: float = 1.0
    """Between two looks at an instance that was acted on; grows to `settle_last`."""
    settle_last: float = 5.0
    settle: float = 600.0
    """After which such an instance is only looked at with all the others."""
    ask: float = 20.0
    """Deadline of an act's own call."""
    start: float = 300.0
    """Deadline of an instance's way to `running`."""
    stop: float = 600.0
    """Deadline of its way to `stopped` or `terminated`."""
    kept: float = 3600.0
    """For how long a terminated instance is shown."""
    missing: int = 2
    """Looks in a row without an instance after which it is gone."""
    may_pace: float = 0.5
    """Between two dry runs in a region."""
    may_age: float = 3600.0
    """After which a dry run is done again."""
    may_bulk: int = 100
    """Instances that one dry run asks about."""
    output_pace: float = 2.0
    """Between two fetches of console output in a region."""
    output_age: float = 60.0
    """Between two fetches of one instance's."""
    catch_up: float = 3.0
    """Deadline of the fetch before a serial console is held."""
    serial: float = 20.0
    """Deadline of opening a serial console, and of a write to it."""
    serial_renew: float = 55 * 60.0
    """After which a serial session is opened anew: AWS ends it after an hour."""
    teardown: float = 30.0
    """What AWS needs after a serial session before there can be another."""
    price_age: float = 86_400.0
    """After which a price is asked for again."""
    price_again: float = 3600.0
    """The same when the pricing API did not say it."""
    price_pace: float = 1.0
    idle_every: float = 300.0
    idle_window: float = 3600.0
    """For how long an instance must have done nothing to be called idle."""
    idle_past: float = 12 * 3600.0
    """How far back it is looked when an instance is first seen. 500 of them are within AWS's bound of 100,800
    samples in one answer."""
    idle_percent: float = 3.0
    stop_all: float = 4.0
    """For ending the provider."""
