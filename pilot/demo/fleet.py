"""Thousands of pretended domains, for measuring: libvirt's own test driver behind a real libvirtd.

The domains do nothing, but starting, listing and watching them goes through the same daemon, the same
protocol and the same threads as for QEMU's, so that what is measured is everything but QEMU.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import libvirt

from pilot.demo.domains import NodePlan, member_element
from pilot.demo.hypervisor import PrivateHost


class Fleet:
    """A private host with `count` domains of the test driver: `with Fleet(folder, "fleet", 200) as fleet`.

    Nodes are called compute-0-0, compute-0-1 and so on, all are off at first and members of one cluster.
    They live as long as the fleet: the driver forgets them with its last connection, which the fleet holds.
    """

    def __init__(self, folder: Path, name: str, count: int, cluster: str = "vc1", first: int = 0) -> None:
        """Nothing is started yet; `folder` is the host's, `first` the number of the first node."""
        self.host = PrivateHost(folder, name, driver="test:///default")
        self.plans = [
            NodePlan(f"compute-0-{number}", f"hosted-vm-0-{number}-0", cluster)
            for number in range(first, first + count)
        ]
        self._keeper: libvirt.virConnect | None = None

    @property
    def uri(self) -> str:
        """What libvirt's clients open; all see the same domains."""
        return self.host.uri

    def start(self) -> str:
        """Start the libvirtd and define the domains, 0.2 ms each; gives the URI."""
        self.host.start()
        self._keeper = libvirt.open(self.uri)
        # The driver comes with a running domain of its own.
        for domain in self._keeper.listAllDomains():
            domain.destroy()
            domain.undefine()
        for plan in self.plans:
            self._keeper.defineXML(fleet_domain_xml(plan))
        return self.uri

    def stop(self) -> None:
        """End the libvirtd and its domains."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None
        self.host.stop()

    def __enter__(self) -> Fleet:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def fleet_domain_xml(plan: NodePlan) -> str:
    """A domain of the test driver, as small as it may be and still have a MAC address and a cluster."""
    return (
        f"<domain type='test'><name>{plan.domain}</name><uuid>{plan.uuid}</uuid>"
        f"<metadata>{member_element(plan)}</metadata>"
        "<memory>8192</memory><vcpu>1</vcpu><os><type>hvm</type></os>"
        f"<devices><interface type='network'><mac address='{plan.mac}'/><source network='default'/>"
        "</interface></devices></domain>"
    )
