"""Domains that cost as little as a QEMU can: nothing but a serial console, and never run.

Paused before its first instruction a domain's console is there all the same, and held like any other.
"""

from __future__ import annotations

import libvirt

from pilot.demo.domains import NodePlan, member_element
from pilot.demo.hypervisor import PrivateHost

MIB = 14
"""Of memory that each takes, measured as PSS where there are hundreds."""


def tiny_xml(plan: NodePlan) -> str:
    """A domain with a serial line on a pty."""
    return f"""<domain type='qemu'>
  <name>{plan.domain}</name>
  <uuid>{plan.uuid}</uuid>
  <metadata>{member_element(plan)}</metadata>
  <memory unit='MiB'>8</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <serial type='pty'><target port='0'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def start_paused(host: PrivateHost, documents: list[str]) -> None:
    """Start domains that never run; they are gone with their host. Blocks: 0.2 s to 0.4 s each."""
    connection = libvirt.open(host.uri)
    try:
        for document in documents:
            connection.createXML(document, libvirt.VIR_DOMAIN_START_PAUSED)
    finally:
        connection.close()
