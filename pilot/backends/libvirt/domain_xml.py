"""What a domain's XML says, and the XML of a domain that boots from the network.

Pure functions. The format is libvirt's (https://libvirt.org/formatdomain.html). The XML comes from
libvirtd, so guests and tenants cannot write it; still nothing in it may stop the watch of a host.
"""

from __future__ import annotations

import contextlib
import posixpath
import xml.etree.ElementTree as ET

import msgspec

from pilot.errors import BackendError
from pilot.records import Disk, Nic

NAMESPACE = "https://rocksclusters.org/ns/pilot/1"
"""Namespace of the membership element in a domain's metadata; libvirt keeps one element for each."""
PREFIX = "pilot"
INSTALL_NAMESPACE = "https://rocksclusters.org/ns/pilot-install/1"
"""Namespace of the marker that a running domain was started to boot from the network, once."""

MAX_XML = 4 * 1024 * 1024
_SOURCES = ("bridge", "network", "dev", "portgroup", "name")
_BEHIND = ("file", "dev", "volume", "name", "dir")
_KIB = {
    "b": 1 / 1024, "bytes": 1 / 1024, "kb": 1000 / 1024, "k": 1, "kib": 1, "mb": 1e6 / 1024, "m": 1024,
    "mib": 1024, "gb": 1e9 / 1024, "g": 1024**2, "gib": 1024**2, "tb": 1e12 / 1024, "t": 1024**3,
    "tib": 1024**3,
}  # fmt: skip


class Membership(msgspec.Struct, frozen=True):
    """Which cluster a domain belongs to, and as which node."""

    cluster: str
    node: str
    appliance: str = ""


class Drive(msgspec.Struct, frozen=True, omit_defaults=True):
    """A disk, and where what is behind it is found on the host, which is for airboss alone to know."""

    disk: Disk
    path: str = ""
    """A file or device; the name of the volume if there is a pool; or the name on some server."""
    pool: str = ""
    """The libvirt storage pool that `path` is the name of a volume in."""


class Vnc(msgspec.Struct, frozen=True):
    """A running domain's VNC server."""

    index: int
    """Which of the domain's graphics it is."""
    socket: str
    """The Unix socket on the host that it listens at; empty if at none."""
    tcp: bool
    """Whether it listens at a TCP port."""


class Facts(msgspec.Struct, frozen=True):
    """What a domain's XML says."""

    uuid: str
    name: str
    membership: Membership | None = None
    nics: tuple[Nic, ...] = ()
    drives: tuple[Drive, ...] = ()
    vcpus: int = 0
    memory: int = 0
    """KiB."""
    serial: bool = False
    screen: bool = False
    """Whether VNC shows its screen."""
    installing: bool = False
    """Whether it runs from the network until its next reboot."""


def read(text: str, uuid: str = "", name: str = "") -> Facts:
    """What a domain's XML says; from XML that cannot be read, what is known of it anyway.

    Args:
        text: the XML.
        uuid: taken if the XML does not say.
        name: likewise.
    """
    return read_strictly(text, uuid, name) or Facts(uuid=uuid, name=name or uuid)


def read_strictly(text: str, uuid: str = "", name: str = "") -> Facts | None:
    """What a domain's XML says, or None if it cannot be read."""
    root = _parse(text)
    if root is None:
        return None
    return Facts(
        uuid=(root.findtext("uuid") or uuid).strip(),
        name=(root.findtext("name") or name).strip(),
        membership=_membership(root),
        nics=tuple(_nic(element) for element in root.iterfind("devices/interface")),
        drives=tuple(_drive(element) for element in root.iterfind("devices/disk")),
        vcpus=_vcpus(root),
        memory=_memory(root),
        serial=_serial(root),
        screen=root.find("devices/graphics[@type='vnc']") is not None,
        installing=root.find(f"metadata/{{{INSTALL_NAMESPACE}}}install") is not None,
    )


def vnc(live: str) -> Vnc | None:
    """Where a running domain's VNC server listens; None if it has none."""
    root = _parse(live)
    for index, graphics in enumerate(() if root is None else root.iterfind("devices/graphics")):
        if graphics.get("type") == "vnc":
            listens = {listen.get("type", ""): listen for listen in graphics.iterfind("listen")}
            listen = listens.get("socket")
            path = graphics.get("socket", "") if listen is None else listen.get("socket", "")
            return Vnc(index, path, not path and "none" not in listens)
    return None


def serial_alias(live: str) -> str:
    """What QEMU calls the character device of a running domain's first serial line; empty if it has none."""
    root = _parse(live)
    alias = None if root is None else root.find("devices/serial/alias")
    name = "" if alias is None else alias.get("name", "")
    # libvirt's device aliases name the front end; QEMU's character devices have the same name after `char`.
    return f"char{name}" if name else ""


def install_xml(inactive: str) -> str:
    """The XML of the same domain, to be started once from the network.

    Network cards come first in the boot order and disks after them, in the order they had; a kernel
    given directly is taken out. A reset ends the domain, so that whoever started it can start it again
    from its own definition; nothing of this is written to that definition.

    Raises:
        BackendError: the XML cannot be read, or the domain has no network card.
    """
    root = _parse(inactive)
    if root is None:
        raise BackendError("the domain's XML cannot be read", "Look at `virsh dumpxml` on the host.")
    cards = root.findall("devices/interface")
    if not cards:
        raise BackendError("the node has no network card to boot from")
    disks = root.findall("devices/disk")
    kind = {"hd": "disk", "cdrom": "cdrom", "fd": "floppy"}
    wanted = [kind.get(boot.get("dev", ""), "") for boot in root.findall("os/boot")]
    cards.sort(key=_boot_order)
    disks.sort(key=lambda disk: (_boot_order(disk), _rank(disk.get("device", "disk"), wanted)))
    _strip_boot(root)
    for order, device in enumerate((*cards, *disks), 1):
        ET.SubElement(device, "boot", {"order": str(order)})
    _set(root, "on_reboot", "destroy")
    metadata = root.find("metadata")
    if metadata is None:
        metadata = ET.SubElement(root, "metadata")
    ET.SubElement(metadata, f"{{{INSTALL_NAMESPACE}}}install")
    ET.register_namespace(PREFIX, NAMESPACE)
    ET.register_namespace("install", INSTALL_NAMESPACE)
    return ET.tostring(root, encoding="unicode")


def membership_xml(membership: Membership) -> str:
    """The element that setMetadata takes.

    Raises:
        BackendError: a name holds characters that XML cannot.
    """
    attributes = {"cluster": membership.cluster, "node": membership.node}
    if membership.appliance:
        attributes["appliance"] = membership.appliance
    if not all(value.isprintable() for value in attributes.values()):
        raise BackendError("a name of the membership holds control characters")
    return ET.tostring(ET.Element("member", attributes), encoding="unicode")


def _parse(text: str) -> ET.Element | None:
    # libvirt never writes a document type, and entities are what XML's bombs are made of.
    if len(text) > MAX_XML or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    with contextlib.suppress(ET.ParseError, ValueError, RecursionError):
        return ET.fromstring(text)  # noqa: S314
    return None


def _membership(root: ET.Element) -> Membership | None:
    element = root.find(f"metadata/{{{NAMESPACE}}}member")
    if element is None or not element.get("cluster") or not element.get("node"):
        return None
    return Membership(element.get("cluster", ""), element.get("node", ""), element.get("appliance", ""))


def _nic(interface: ET.Element) -> Nic:
    mac, source, model = interface.find("mac"), interface.find("source"), interface.find("model")
    tag, port, link = interface.find("vlan/tag"), interface.find("virtualport"), interface.find("link")
    kind = interface.get("type", "")
    # A running domain's XML names the bridge too that its libvirt network chose.
    names = ("network", *_SOURCES) if kind == "network" else _SOURCES
    plugged = "" if source is None else next((source.get(a, "") for a in names if source.get(a)), "")
    if kind == "bridge" and port is not None and port.get("type") == "openvswitch":
        kind = "openvswitch"
    return Nic(
        mac="" if mac is None else mac.get("address", "").lower(),
        network=plugged,
        vlan=None if tag is None else _number(tag.get("id", "")),
        model="" if model is None else model.get("type", ""),
        kind=kind,
        link=link is None or link.get("state") != "down",
    )


def _drive(element: ET.Element) -> Drive:
    target, source = element.find("target"), element.find("source")
    path = "" if source is None else next((source.get(a, "") for a in _BEHIND if source.get(a)), "")
    pool = "" if source is None or element.get("type") != "volume" else source.get("pool", "")
    disk = Disk(
        target="" if target is None else target.get("dev", ""),
        device=element.get("device", "disk"),
        bus="" if target is None else target.get("bus", ""),
        source=posixpath.basename(path.rstrip("/")),
    )
    return Drive(disk, path, pool)


def _vcpus(root: ET.Element) -> int:
    element = root.find("vcpu")
    if element is None:
        return 0
    return _number(element.get("current", "") or element.text or "") or 0


def _memory(root: ET.Element) -> int:
    element = root.find("currentMemory")
    if element is None:
        element = root.find("memory")
    if element is None:
        return 0
    return int((_number(element.text or "") or 0) * _KIB.get(element.get("unit", "KiB").lower(), 1))


def _serial(root: ET.Element) -> bool:
    """Whether openConsole without a device name finds something to open.

    libvirt takes the first console, or else the first serial port, and opens none but those on a pty: for a
    socket or a device of the host it says that it "is not using a PTY" (qemuDomainOpenConsole).
    """
    for path in ("devices/console", "devices/serial"):
        element = root.find(path)
        if element is not None:
            return element.get("type") == "pty"
    return False


def _boot_order(device: ET.Element) -> int:
    boot = device.find("boot")
    order = None if boot is None else _number(boot.get("order", ""))
    return 1_000_000 if order is None else order


def _rank(kind: str, wanted: list[str]) -> int:
    return wanted.index(kind) if kind in wanted else len(wanted)


def _strip_boot(root: ET.Element) -> None:
    system = root.find("os")
    if system is not None:
        for tag in ("boot", "kernel", "initrd", "cmdline", "dtb"):
            for element in system.findall(tag):
                system.remove(element)
    for device in root.iterfind("devices/*"):
        for boot in device.findall("boot"):
            device.remove(boot)


def _set(root: ET.Element, tag: str, text: str) -> None:
    element = root.find(tag)
    if element is None:
        element = ET.SubElement(root, tag)
    element.text = text


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 16 else None
