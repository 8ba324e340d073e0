"""How busy hosts are, and what nodes' network interfaces carry: the last hour, and what is new."""

from __future__ import annotations

import math

import msgspec

from pilot.wire.server_frames import ServerFrame

UNKNOWN = 255
"""The sample of a moment of which nothing is known: of a host that did not answer, an airboss that did not
run, a node that was off."""
_MOST = 254
_OCTAVE = 8
"""Steps in which a rate doubles: each is 9% more than the one before."""


class HostLoad(msgspec.Struct, frozen=True, array_like=True):
    """How busy a host was, sample by sample, oldest first: a byte a sample, UNKNOWN where it is not known."""

    host: str
    """Its name."""
    cpu: bytes
    """Percent of all its processors."""
    memory: bytes
    """Percent of its memory that is in use, without what the kernel only caches."""
    load: bytes
    """The load average of a minute, in percent of its processors; 254 for more than that."""
    received: bytes
    """What its nodes' interfaces receive, as `rate_byte` has it."""
    sent: bytes
    memory_now: int = 0
    """KiB; 0 where it is not known."""
    load_now: float | None = None
    received_now: int = 0
    """Bytes a second."""
    sent_now: int = 0


class NicLoad(msgspec.Struct, frozen=True, array_like=True):
    """What a network interface of a node carried, as the guest sees it."""

    nic: str
    """The node's id, `/`, and the interface's place there from 0."""
    received: bytes
    """A byte a sample, as `rate_byte` has it."""
    sent: bytes
    received_now: int = 0
    """Bytes a second."""
    sent_now: int = 0
    packets_received: int = 0
    """A second."""
    packets_sent: int = 0
    errors: int = 0
    """Packets that failed since the node was turned on."""
    drops: int = 0


class Load(ServerFrame, frozen=True, tag="load"):
    """Samples of what is in view: the past ones once after a snapshot, then those that are new.

    What is not in it is as it was in the sample before.
    """

    time: float
    """airboss's clock at the newest sample."""
    step: float
    """Seconds between two samples."""
    hosts: tuple[HostLoad, ...] = ()
    nics: tuple[NicLoad, ...] = ()


def rate_byte(rate: float) -> int:
    """A rate, in bytes a second, as a byte: 0 for nothing, else about 8 times its logarithm to base 2."""
    if not rate > 0:
        return 0
    return min(_MOST, max(1, round(_OCTAVE * math.log2(1 + min(rate, 1e12)))))


def byte_rate(byte: int) -> float | None:
    """The rate that a byte stands for, within 5%; None for UNKNOWN."""
    if byte >= UNKNOWN:
        return None
    return 2.0 ** (byte / _OCTAVE) - 1 if byte > 0 else 0.0
