"""The protocol between airboss and what it drives.

A provider watches its hosts by itself and tells a Sink what it sees; airboss asks it to act on nodes.
All methods are called, and all callbacks call, on the event loop's thread. Providers know nothing of
signers and clusters' rights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import msgspec

from pilot.records import Host, Instance, Machine, Network, Node, NodeState, Pool, Queue, Source
from pilot.verbs import Value


class Acted(msgspec.Struct, frozen=True):
    """How an act ended well."""

    state: NodeState
    note: str = ""


NOT_KNOWN = 255
"""A processor use that is not known."""


class Used(msgspec.Struct, frozen=True, gc=False):
    """How busy a node is."""

    cpu: int = NOT_KNOWN
    """Percent of all its virtual processors, 0 to 100, or NOT_KNOWN, as of a node that does not run."""
    memory: int = 0
    """KiB of the host's memory that it takes; 0 if that is not known."""


class HostUsed(msgspec.Struct, frozen=True, gc=False):
    """How busy a host itself is."""

    cpu: int = NOT_KNOWN
    """Percent of all its processors, 0 to 100, or NOT_KNOWN."""
    memory: int = 0
    """KiB in use, without what the kernel only caches; 0 if that is not known."""
    load: float | None = None
    """The kernel's load average of a minute; None where it cannot be had."""


class Traffic(msgspec.Struct, frozen=True, gc=False):
    """What a node's network interface carries, as the guest sees it."""

    received: int = 0
    """Bytes a second, of late; as is what follows."""
    sent: int = 0
    packets_received: int = 0
    packets_sent: int = 0
    errors: int = 0
    """Packets that failed since the node was turned on, both ways."""
    drops: int = 0
    """Packets that were thrown away since then, both ways."""


Extra = Pool | Network | Instance | Machine | Queue | Source
"""What providers tell of besides hosts and nodes."""


class Sink(Protocol):
    """Where a provider tells what it sees."""

    def host(self, host: Host) -> None:
        """A host appeared or changed."""

    def nodes(self, nodes: Iterable[Node]) -> None:
        """Nodes appeared or changed. Console presence in them is airboss's own and left empty."""

    def extras(self, records: Iterable[Extra]) -> None:
        """Other things appeared or changed."""

    def gone(self, ids: Iterable[str]) -> None:
        """Nodes or other things are no more."""

    def usage(self, used: Mapping[str, Used]) -> None:
        """How busy nodes are now, by id. A node that is not in it is as busy as it was told to be before."""

    async def starting(self, node_id: str) -> None:
        """A node is about to run its first instruction: it is paused until this returns.

        Returns when the console is held, or cannot be; never raises, and takes 5 s at most.
        """


class Serial(Protocol):
    """A serial console that is held."""

    async def write(self, data: bytes) -> None:
        """Type. Raises BackendError if the console is lost, DeadlineError if nobody reads there."""

    async def close(self) -> None:
        """Let the console go."""


class Screen(Protocol):
    """A connection to a node's VNC server: an RFB stream from the server's version on, without a password.

    `asyncio` streams and `asyncssh` streams both can be wrapped into it.
    """

    async def read(self, limit: int) -> bytes:
        """What the server sent next, `limit` bytes at most; empty at the end."""

    def write(self, data: bytes) -> None:
        """Send. What is not taken waits: see `drain`."""

    async def drain(self) -> None:
        """Wait while the server does not read."""

    def close(self) -> None:
        """Let it go."""


class Provider(Protocol):
    """One kind of thing that airboss drives."""

    async def start(self, sink: Sink) -> None:
        """Begin to watch. Returns at once: hosts appear in the sink as they answer."""

    async def stop(self) -> None:
        """Stop watching and let all connections go. Takes 5 s at most."""

    def owns(self, node_id: str) -> bool:
        """Whether this provider drives the node."""

    async def act(
        self, node_id: str, verb: str, args: Mapping[str, Value], progress: Callable[[str], None]
    ) -> Acted:
        """Do a power verb, or one that sends the node something.

        `progress` is told, in words, what is being waited for.

        Cancelling ends the wait for a guest; what else has begun ends first, and what came of it is given,
        or raised, all the same. `power.off`, `power.reset` and `power.boot` end a `power.shutdown` or
        `power.reboot` that waits for the guest of the same node, which fails.

        Raises:
            BusyError: another act on this node has not ended.
            BackendError: the hypervisor refused, with its words.
            DeadlineError: no answer in time; the act may or may not have taken place.
            UnreachableError: the host is down.
        """

    async def open_console(
        self, node_id: str, output: Callable[[bytes], None], lost: Callable[[str], None]
    ) -> Serial:
        """Hold the node's serial console. `lost` is called once, with why, when it ends by itself.

        Raises:
            BackendError: somebody else holds it, or the node has none.
            DeadlineError, UnreachableError: as for act.
        """

    async def open_screen(self, node_id: str) -> Screen:
        """Connect to the node's VNC server, without any listening TCP port. Others may be connected too.

        Raises:
            BackendError: the node does not run, has no screen, or its host is reached in a way that does
                not let it through; the hint says how to mend it.
            DeadlineError, UnreachableError: as for act.
        """
