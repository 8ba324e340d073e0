"""The libvirt domains of the demo's nodes, as XML."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import libvirt
import msgspec

from pilot.demo.guest import Guest

MEMBER_NAMESPACE = "https://rocksclusters.org/ns/pilot/1"
"""XML namespace of the element that says which cluster a domain is a member of."""

MEMORY_MIB = 192
"""The guest needs about 110 MiB to unpack kernel and initramfs, and to have room for an editor."""


class NodePlan(msgspec.Struct, frozen=True):
    """A node that is to be: as its cluster sees it, and as its host does."""

    name: str
    domain: str
    cluster: str
    appliance: str = "compute"
    memory_mib: int = MEMORY_MIB

    @property
    def uuid(self) -> str:
        """The same for the same cluster and domain every time, so that notes and scripts stay true."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{MEMBER_NAMESPACE}/{self.cluster}/{self.domain}"))

    @property
    def mac(self) -> str:
        """A locally administered, unicast MAC address of its own."""
        digest = hashlib.sha256(f"{self.cluster}/{self.domain}".encode()).digest()
        return ":".join(f"{octet:02x}" for octet in (0x02, *digest[:5]))


def member_element(plan: NodePlan) -> str:
    """The metadata element that makes a domain a member of a cluster."""
    return (
        f'<pilot:member xmlns:pilot="{MEMBER_NAMESPACE}" cluster={quoteattr(plan.cluster)}'
        f" node={quoteattr(plan.name)} appliance={quoteattr(plan.appliance)}/>"
    )


def domain_xml(plan: NodePlan, guest: Guest, member: bool = True, network_first: bool = False) -> str:
    """A domain that boots the guest from its disk.

    It has a serial console on a pty, where BIOS, boot loader and kernel write from the first byte; a
    VGA screen that VNC shows on a Unix socket, never on TCP; a NIC that can boot from the network; and
    an ACPI power button. The SMBIOS chassis asset tag tells the guest its name.

    Args:
        member: whether the metadata element of its cluster is in it.
        network_first: whether the BIOS tries the NIC before the disk.
    """
    kind = "kvm" if guest.accelerator == "kvm" else "qemu"
    order = ("network", "hd") if network_first else ("hd",)
    return f"""<domain type='{kind}'>
  <name>{plan.domain}</name>
  <uuid>{plan.uuid}</uuid>
  <metadata>{member_element(plan) if member else ""}</metadata>
  <memory unit='MiB'>{plan.memory_mib}</memory>
  <vcpu>1</vcpu>
  <sysinfo type='smbios'><chassis><entry name='asset'>{plan.name}</entry></chassis></sysinfo>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    {"".join(f"<boot dev='{device}'/>" for device in order)}
    <bios useserial='yes'/>
    <smbios mode='sysinfo'/>
  </os>
  <features><acpi/><apic/></features>
  <clock offset='utc'/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>restart</on_reboot>
  <on_crash>preserve</on_crash>
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/>
      <source file={quoteattr(str(guest.disk))}/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <interface type='user'>
      <mac address='{plan.mac}'/>
      <model type='virtio'/>
    </interface>
    <serial type='pty'><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <graphics type='vnc'><listen type='socket'/></graphics>
    <video><model type='vga'/></video>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
"""


def define(uri: str, documents: list[str], disks: Path | None = None) -> None:
    """Define persistent domains on one host. Blocks: about 20 ms each.

    Args:
        uri: the host's.
        documents: the domains, as XML.
        disks: a folder to make a storage pool of, named `guests`.

    Raises:
        libvirt.libvirtError: libvirt refused one.
    """
    connection = libvirt.open(uri)
    try:
        for document in documents:
            connection.defineXML(document)
        if disks is not None:
            target = f"<target><path>{escape(str(disks))}</path></target>"
            pool = f"<pool type='dir'><name>guests</name>{target}</pool>"
            # Some packages of libvirt come without its storage driver: then there is no pool to see.
            with contextlib.suppress(libvirt.libvirtError):
                connection.storagePoolDefineXML(pool).create()
    finally:
        connection.close()


def share(guest: Guest, folder: Path) -> Guest:
    """The guest with its disk copied where the hosts' unprivileged account can read it."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)  # whatever the umask
    disk = folder / "disk.img"
    disk.write_bytes(guest.disk.read_bytes())
    disk.chmod(0o444)
    return Guest(disk, guest.accelerator)
