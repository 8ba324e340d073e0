"""What a site sets in /etc/rocks-pilot/agent.toml. deploy/agent.toml shows all of it."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from pilot.backends.condor.settings import PoolSettings
from pilot.backends.ec2.settings import Ec2Settings
from pilot.config import KeyProblem, load_toml

DEFAULT_CONFIG = Path("/etc/rocks-pilot/agent.toml")
DEFAULT_STATE = Path("/var/lib/rocks-pilot")

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
"""Names of sites, hosts and clusters."""

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%a-z]+)\]|(?P<other>[^\[\]:\s]+)):(?P<port>\d{1,5})")

Seconds = Annotated[float, Meta(gt=0, le=3600)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]


class Address(msgspec.Struct, frozen=True):
    """Where to listen."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str) -> Address:
    """`address:port`, an IPv6 address in brackets.

    Raises:
        ValueError: it is not that, with words.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"'{text}' is not address:port, such as 0.0.0.0:8677 or [::]:8677")
    if not 0 <= int(match["port"]) <= 65535:
        raise ValueError(f"'{text}': a port is from 0 to 65535")
    return Address(match["six"] or match["other"], int(match["port"]))


class SiteSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[site]"""

    name: str
    """What the site is called, to its users."""
    listen: tuple[str, ...] = ("0.0.0.0:8677", "[::]:8677")
    """Port 0 takes any free one."""
    state: str = str(DEFAULT_STATE)
    """Folder of the host key and the database."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise KeyProblem(
                "name", f"'{self.name}' is not a name (letters, digits, '.', '_', '-'; 63 at most)"
            )
        if not self.listen:
            raise KeyProblem("listen", "give at least one address:port")
        for text in self.listen:
            try:
                parse_address(text)
            except ValueError as error:
                raise KeyProblem("listen", str(error)) from None


class HostSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One [[host]]: a hypervisor."""

    name: str
    uri: str
    """libvirt's URI of it, such as qemu:///system or qemu+ssh://root@vm-container-0-0/system."""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise KeyProblem(
                "name", f"'{self.name}' is not a name (letters, digits, '.', '_', '-'; 63 at most)"
            )
        if not re.match(r"[a-z+]+://", self.uri):
            raise KeyProblem("uri", f"'{self.uri}' is not a libvirt URI, such as qemu:///system")


class DatabaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[database]"""

    url: str = ""
    """SQLAlchemy's URL; empty for SQLite in the state folder."""


class PolicySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[policy]"""

    ssh_power: bool = False
    """Whether stock ssh may change power, which leaves no signature in the journal."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[limits]: what one airboss takes on before it refuses more."""

    login_grace: Seconds = 10.0
    """Seconds in which a connection has to authenticate."""
    keepalive: Seconds = 5.0
    """Seconds of silence after which the peer is asked whether it lives."""
    keepalive_count: Annotated[int, Meta(ge=1, le=100)] = 3
    """Questions without an answer after which it does not."""
    unauthenticated: Count = 64
    """Connections that have not authenticated yet."""
    unauthenticated_per_address: Count = 16
    connections: Count = 1024
    connections_per_key: Count = 32
    channels: Count = 64
    """Open requests and streams on one connection."""
    requests: Count = 512
    """Verbs at work at the same time, over all connections."""
    requests_per_key: Count = 128
    watchers: Count = 512
    """Streams of `watch` and `journal.read`, over all connections."""
    watchers_per_key: Count = 64
    viewers_per_key: Count = 16
    """Viewers of one console, and of one screen, with one key."""
    screens: Count = 512
    """Screens that are looked at, over all connections; each is a connection to a VNC server."""
    screens_per_key: Count = 128
    tails: Count = 512
    """`console.tail` streams, over all connections."""
    tails_per_key: Count = 16
    logs: Count = 512
    """`console.log` streams, over all connections."""
    logs_per_key: Count = 64
    journal_queue: Count = 4096
    """Records that wait for the disk."""


class SignersSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[signers]"""

    revoked: str = ""
    """File of revoked keys, as `ssh-keygen -Y verify -r` takes it; read again when it changes."""


class UsageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[usage]"""

    every: Annotated[float, Meta(ge=0.5, le=300)] = 5.0
    """Seconds between two samples of what the nodes use."""


class MetricsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[metrics]: figures for Prometheus."""

    listen: str = ""
    """A loopback address and port; empty for none."""

    def __post_init__(self) -> None:
        if not self.listen:
            return
        try:
            address = parse_address(self.listen)
            loopback = ipaddress.ip_address(address.host).is_loopback
        except ValueError as error:
            raise KeyProblem("listen", str(error)) from None
        if not loopback:
            raise KeyProblem(
                "listen",
                f"'{self.listen}' is reached from elsewhere, and metrics are for everybody who reaches them; "
                "use 127.0.0.1:9677",
            )

    @property
    def address(self) -> Address | None:
        """Where to listen, if anywhere."""
        return parse_address(self.listen) if self.listen else None


Limit = Annotated[float, Meta(ge=0, le=30 * 86_400)]
"""Seconds; 0 for no limit."""


class ConsoleSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[consoles]"""

    idle_viewer: Limit = 0.0
    """Seconds after which one who did nothing at a console is sent away, by role."""
    idle_operator: Limit = 0.0
    idle_owner: Limit = 0.0
    """Of owners and the site's admins."""
    max_viewer: Limit = 0.0
    """Seconds after which anybody is, by role."""
    max_operator: Limit = 0.0
    max_owner: Limit = 0.0


class ConsoleLogSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[console_log]: what consoles print, kept on the disk."""

    enabled: bool = True
    size: Annotated[int, Meta(ge=64 * 1024, le=64 * 1024 * 1024)] = 1024 * 1024
    """Bytes of one segment."""
    segments: Annotated[int, Meta(ge=2, le=1024)] = 8
    """How many are kept of each console."""
    keep_days: Annotated[float, Meta(ge=0, le=3650)] = 30.0
    """How long the log of a node is kept that is no more."""
    keep_nodes: Annotated[int, Meta(ge=0, le=1_000_000)] = 1000
    """Of how many such nodes at most."""


class RecordingSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[recordings]: of serial consoles, on the disk."""

    enabled: bool = True
    size: Annotated[int, Meta(ge=64 * 1024, le=1024**3)] = 64 * 1024**2
    """Bytes of one; it ends there."""
    cluster_size: Annotated[int, Meta(ge=1024**2, le=1024**5)] = 1024**3
    """Bytes of all those of a cluster: the oldest that have ended make room."""
    cluster_count: Annotated[int, Meta(ge=1, le=100_000)] = 500
    """How many a cluster has at most, likewise."""
    keep_days: Annotated[float, Meta(ge=0, le=3650)] = 0.0
    """How long one is kept that has ended; 0 for as long as there is room."""


class LeaseSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[leases]: nodes that are turned off at a time."""

    drain_hours: Annotated[float, Meta(ge=0, le=168)] = 1.0
    """Hours for which HTCondor jobs may go on when the lease of their node is over; 0 ends them at once."""


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. Paths in it are relative to the folder it is in."""

    site: SiteSettings
    host: tuple[HostSettings, ...] = ()
    pool: tuple[PoolSettings, ...] = ()
    ec2: tuple[Ec2Settings, ...] = ()
    database: DatabaseSettings = DatabaseSettings()
    policy: PolicySettings = PolicySettings()
    limits: Limits = Limits()
    signers: SignersSettings = SignersSettings()
    usage: UsageSettings = UsageSettings()
    metrics: MetricsSettings = MetricsSettings()
    consoles: ConsoleSettings = ConsoleSettings()
    console_log: ConsoleLogSettings = ConsoleLogSettings()
    recordings: RecordingSettings = RecordingSettings()
    leases: LeaseSettings = LeaseSettings()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for host in self.host:
            if host.name in seen:
                raise KeyProblem("host", f"two hosts are called '{host.name}'")
            seen.add(host.name)
        if len({pool.name for pool in self.pool}) != len(self.pool):
            raise KeyProblem("pool", "two pools have the same name")
        if len({account.name for account in self.ec2}) != len(self.ec2):
            raise KeyProblem("ec2", "two accounts have the same name")

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Where to listen."""
        return tuple(parse_address(text) for text in self.site.listen)

    @property
    def state(self) -> Path:
        """Folder of everything that airboss keeps."""
        return Path(self.site.state)

    @property
    def host_key(self) -> Path:
        """The private host key; its public half is beside it in `.pub`."""
        return self.state / "host_key"

    @property
    def console_logs(self) -> Path:
        """Folder of what consoles printed."""
        return self.state / "consoles"

    @property
    def recordings_folder(self) -> Path:
        """Folder of recordings."""
        return self.state / "recordings"

    @property
    def database_url(self) -> str:
        """SQLAlchemy's URL of the database."""
        return self.database.url or f"sqlite:///{self.state / 'rocks-pilot.db'}"

    @property
    def revoked(self) -> Path | None:
        """The file of revoked keys, if there is to be one."""
        return Path(self.signers.revoked) if self.signers.revoked else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is allowed and probably not meant."""
        if self.host or self.ec2:
            return ()
        return ("no [[host]] and no [[ec2]] is configured: there are no nodes to show",)


def load_settings(path: Path = DEFAULT_CONFIG) -> Settings:
    """The settings of this file.

    Raises:
        ConfigError: naming file, line and key.
    """
    settings = load_toml(
        path, Settings, "deploy/agent.toml of the sources is a sample; --config names another file."
    )
    folder = path.resolve().parent
    site = msgspec.structs.replace(settings.site, state=str(folder / settings.site.state))
    signers = settings.signers
    if signers.revoked:
        signers = msgspec.structs.replace(signers, revoked=str(folder / signers.revoked))
    pools = tuple(pool.below(folder) for pool in settings.pool)
    return msgspec.structs.replace(settings, site=site, signers=signers, pool=pools)
