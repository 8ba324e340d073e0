"""The provider's intervals and bounds, in seconds unless said otherwise."""

from __future__ import annotations

import msgspec


class HostAddress(msgspec.Struct, frozen=True):
    """A host: its name, unique in the site, and the libvirt URI that reaches it."""

    name: str
    uri: str


class Settings(msgspec.Struct, frozen=True):
    """How often, how long and how many; the defaults are meant for production."""

    open_deadline: float = 5.0
    """After which a connection that does not open is called down (it is still waited for)."""
    backoff_first: float = 0.2
    backoff_last: float = 10.0
    beat: float = 1.0
    """Between two questions whether libvirtd lives."""
    silent: float = 4.0
    """After which a libvirtd that does not answer one is called down."""
    reconcile: float = 30.0
    """Between two readings of all states, which heal what events missed."""
    reload: float = 600.0
    """Between two readings of everything, XML included."""
    probe: float = 2.5
    """Between two questions to a QEMU's monitor."""
    probe_rate: float = 40.0
    """Probes a second on one host at most: with many VMs the interval grows."""
    hung_after: float = 1.5
    """A monitor that has not answered for so long is called hung."""
    usage: float = 5.0
    """Between two looks at what a running domain uses, while somebody wants to know."""
    usage_rate: float = 80.0
    """Domains looked at in a second on one host at most: with more than 400 the interval grows."""
    usage_rate_all: float = 500.0
    """The same over all hosts: libvirt's client takes 0.2 ms of a processor for each, and more of them the
    more connections there are."""
    usage_patience: float = 3.0
    """Deadline of a call that looks at a few domains: the one that it is at then is passed over."""
    sizes: float = 1.0
    """Between two looks for disks of which no size is known."""
    load: float = 10.0
    """Between two looks at how busy the host itself is, and what its nodes' interfaces carried."""
    load_unseen: int = 6
    """While nobody watches, interfaces are looked at only every so many times."""
    networks: float = 30.0
    """Between two looks at bridges and networks; sooner if interfaces are plugged into others."""
    storage: float = 60.0
    """Between two looks at storage pools."""
    volumes: float = 300.0
    """Between two looks at what is in them."""
    load_average: float = 600.0
    """Until a host is asked again that does not tell its load average."""
    query: float = 20.0
    """Deadline of a call that only reads."""
    start: float = 90.0
    """Deadline of starting a QEMU."""
    change: float = 20.0
    """Deadline of pausing, resuming, resetting, pressing the power button, tagging."""
    destroy: float = 30.0
    """Deadline of ending a QEMU: a hung one takes libvirt 11.6 s."""
    hold: float = 6.0
    """For how long a started node is kept paused for its console, whatever the sink does."""
    console: float = 5.0
    """Deadline of opening a console, and of a write to it."""
    send: float = 8.0
    """Deadline of sending a node a break, keys or an NMI."""
    screen: float = 8.0
    """Deadline of connecting to a node's VNC server."""
    forward_idle: float = 60.0
    """For how long an SSH connection for VNC is kept that nobody uses."""
    stop: float = 4.0
    """Deadline of stopping it all."""
