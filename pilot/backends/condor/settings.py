"""What a site sets of an HTCondor pool, and the provider's intervals and bounds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from pilot.config import KeyProblem

PORT = 9618
"""HTCondor's own."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_COLLECTOR = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<other>[A-Za-z0-9._-]+))(?::(?P<port>\d{1,5}))?(?P<rest>\?\S*)?"
)
_PORTS = re.compile(r"(\d{1,5})-(\d{1,5})")


class PoolSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One [[pool]]: an HTCondor pool, or a file of its ads."""

    name: str
    """What the pool is called on screens."""
    collector: str = ""
    """Its collector: host, host:port."""
    file: str = ""
    """Instead of a collector: a file of ads, as `condor_status -long` writes them."""
    cluster: str = ""
    """The cluster that its machines are nodes of. Without it a machine is the node whose name no other
    cluster has, too."""
    token: str = ""
    """A file with a token that may READ; empty where the pool asks for none."""
    admin_token: str = ""
    """A file with a token that may ADMINISTRATOR, with which machines are drained."""
    drain_command: tuple[str, ...] = ()
    """A `condor_drain` that may administer the pool, such as ["sudo", "-n", "condor_drain"], instead of a
    token."""
    ports: str = ""
    """Ports at which startds behind a broker (CCB) connect back while they are drained: `40000-40050`."""
    config: str = ""
    """HTCondor's own configuration file to read; without it none is read."""
    every: Annotated[float, Meta(ge=1, le=3600)] = 30.0
    """Seconds between two looks at the pool."""
    deadline: Annotated[float, Meta(ge=0.5, le=300)] = 5.0
    """Seconds for which the collector may be silent before it is given up."""
    pretended: bool = False
    """Said of everything on screens: this is a demo's stand-in."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise KeyProblem(
                "name", f"'{self.name}' is not a name (letters, digits, '.', '_', '-'; 63 at most)"
            )
        if self.cluster and not _NAME.fullmatch(self.cluster):
            raise KeyProblem("cluster", f"'{self.cluster}' is not a cluster's name")
        if bool(self.collector) == bool(self.file):
            raise KeyProblem("collector", "give a collector, such as cm.example.org:9618, or a file of ads")
        if self.collector:
            address(self.collector)
        if self.file and (self.admin_token or self.drain_command):
            raise KeyProblem("file", "machines of a file cannot be drained: leave out what is for that")
        if self.admin_token and self.drain_command:
            raise KeyProblem("drain_command", "give either this or admin_token")
        self.port_range()

    def below(self, folder: Path) -> PoolSettings:
        """The same with paths that are relative to this folder."""
        paths = {key: getattr(self, key) for key in ("file", "token", "admin_token", "config")}
        return msgspec.structs.replace(
            self, **{key: str(folder / path) for key, path in paths.items() if path}
        )

    @property
    def drains(self) -> bool:
        """Whether its machines can be drained from here."""
        return bool(self.admin_token or self.drain_command)

    def port_range(self) -> tuple[int, int] | None:
        """The ports of `ports`; None if none are given."""
        if not self.ports:
            return None
        match = _PORTS.fullmatch(self.ports)
        if match is None or not 1024 <= int(match[1]) < int(match[2]) <= 65535:
            raise KeyProblem("ports", f"'{self.ports}' is not a range of ports, such as 40000-40050")
        return int(match[1]), int(match[2])


def address(collector: str) -> tuple[str, int]:
    """Host and port of a collector.

    Raises:
        KeyProblem: it is not one.
    """
    match = _COLLECTOR.fullmatch(collector)
    if match is None or not 1 <= int(match["port"] or PORT) <= 65535:
        raise KeyProblem("collector", f"'{collector}' is not host or host:port, such as cm.example.org:9618")
    return match["six"] or match["other"], int(match["port"] or PORT)


class Bounds(msgspec.Struct, frozen=True):
    """How long and how often, in seconds."""

    grace: float = 1.0
    """After the collector's deadline: for the process that asks to say so itself."""
    whole: float = 3.0
    """How many of the collector's deadlines its whole answer may take."""
    transfer: float = 20.0
    """For what the collector answered to become records."""
    start: float = 30.0
    """For the process that asks to start."""
    backoff_first: float = 1.0
    backoff_last: float = 60.0
    drain: float = 40.0
    """For a startd to begin or end draining: behind a broker a try takes 20 s."""
    stop: float = 2.0
