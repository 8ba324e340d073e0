"""What domains' XML says, good and bad, and the XML of a network boot."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilot.backends.libvirt import domain_xml
from pilot.backends.libvirt.domain_xml import Membership
from pilot.errors import BackendError
from pilot.records import Disk, Nic

FULL = """<domain type='kvm' id='7'>
  <name>hosted-vm-0-0-1</name>
  <uuid>4c4c4544-0042-3510-8052-b4c04f564433</uuid>
  <metadata>
    <other:thing xmlns:other="urn:other"><member cluster="no" node="no"/></other:thing>
    <pilot:member xmlns:pilot="https://rocksclusters.org/ns/pilot/1" cluster="vc1" node="compute-0-1"
      appliance="compute"/>
  </metadata>
  <memory unit='GiB'>4</memory><currentMemory unit='MiB'>2048</currentMemory>
  <vcpu placement='static' current='2'>8</vcpu>
  <os><type arch='x86_64'>hvm</type><kernel>/boot/vmlinuz</kernel><cmdline>x</cmdline>
    <boot dev='cdrom'/><boot dev='hd'/></os>
  <on_reboot>restart</on_reboot>
  <devices>
    <disk type='file' device='disk'><target dev='vda'/></disk>
    <disk type='file' device='cdrom'><target dev='sda'/></disk>
    <interface type='bridge'><mac address='52:54:00:AA:BB:0C'/><source bridge='br0'/>
      <vlan><tag id='42'/></vlan><model type='virtio'/></interface>
    <interface type='direct'><mac address='52:54:00:aa:bb:0d'/><source dev='eth1' mode='bridge'/></interface>
    <serial type='pty'/><console type='pty'/>
  </devices>
</domain>"""


def test_all_of_it() -> None:
    facts = domain_xml.read(FULL)
    assert facts.uuid == "4c4c4544-0042-3510-8052-b4c04f564433"
    assert facts.membership == Membership("vc1", "compute-0-1", "compute")
    assert facts.nics == (
        Nic("52:54:00:aa:bb:0c", "br0", 42, "virtio", "bridge"),
        Nic("52:54:00:aa:bb:0d", "eth1", kind="direct"),
    )
    assert (facts.vcpus, facts.memory, facts.serial, facts.installing) == (2, 2 * 1024**2, True, False)


DISKS = """<domain><devices>
    <disk type='file' device='disk'><source file='/state/partition1/kvm/disks/compute-0-1.vda'/>
      <target dev='vda' bus='virtio'/></disk>
    <disk type='volume' device='disk'><source pool='site' volume='data'/><target dev='vdb'/></disk>
    <disk type='block' device='lun'><source dev='/dev/disk/by-id/scsi-9'/>
      <target dev='sdb' bus='scsi'/></disk>
    <disk type='network'><source protocol='rbd' name='secret-pool/image'><host name='ceph.site'/></source>
      <target dev='vdc'/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
</devices></domain>"""


def test_disks_name_what_is_behind_them_without_where_it_is() -> None:
    drives = domain_xml.read(DISKS).drives
    assert [drive.disk for drive in drives] == [
        Disk("vda", "disk", "virtio", 0, "compute-0-1.vda"),
        Disk("vdb", "disk", "", 0, "data"),
        Disk("sdb", "lun", "scsi", 0, "scsi-9"),
        Disk("vdc", "disk", "", 0, "image"),
        Disk("sda", "cdrom", "sata"),
    ]
    assert not any("/" in drive.disk.source or "secret" in drive.disk.source for drive in drives)
    assert (drives[0].path, drives[1].pool, drives[1].path) == (
        "/state/partition1/kvm/disks/compute-0-1.vda",
        "site",
        "data",
    )


@given(st.text())
def test_no_source_of_a_disk_shows_a_folder(text: str) -> None:
    element = ET.Element("domain")
    disk = ET.SubElement(ET.SubElement(element, "devices"), "disk")
    ET.SubElement(disk, "source", {"file": text})
    facts = domain_xml.read(ET.tostring(element, encoding="unicode"))
    assert all("/" not in drive.disk.source for drive in facts.drives)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<domain",
        "\x00",
        "<domain>" * 50_000,
        FULL[:700],
        "<!DOCTYPE a [<!ENTITY a 'b'>]><domain><name>&a;</name></domain>",
        "<a>" + "x" * (5 * 1024 * 1024) + "</a>",
    ],
)
def test_xml_that_cannot_be_read_leaves_what_is_known(text: str) -> None:
    facts = domain_xml.read(text, "some-uuid", "some-name")
    assert (facts.uuid, facts.name, facts.membership, facts.nics) == ("some-uuid", "some-name", None, ())
    assert domain_xml.read_strictly(text) is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    domain_xml.read(text)
    domain_xml.read(f"<domain><vcpu>{text}</vcpu></domain>")


@pytest.mark.parametrize("value", ["", "-1", "two", "١", "9" * 30, " 3 "])
def test_numbers_that_are_none(value: str) -> None:
    facts = domain_xml.read(
        f"<domain><vcpu>{value}</vcpu><memory>{value}</memory><devices><interface><vlan><tag id='{value}'/>"
        "</vlan></interface></devices></domain>"
    )
    expected = 3 if value == " 3 " else 0
    assert (facts.vcpus, facts.memory, facts.nics[0].vlan or 0) == (expected, expected, expected)


@pytest.mark.parametrize(
    ("devices", "has"),
    [
        ("<console type='pty'/>", True),
        ("<serial type='pty'/>", True),
        ("<serial type='unix'/>", False),
        ("<serial type='dev'/>", False),
        ("<serial type='file'/>", False),
        ("<console type='null'/><serial type='pty'/>", False),
        ("", False),
    ],
)
def test_whether_there_is_a_console_to_open(devices: str, has: bool) -> None:
    assert domain_xml.read(f"<domain><devices>{devices}</devices></domain>").serial is has


def test_a_network_boot_puts_cards_first_and_keeps_the_order_of_disks() -> None:
    root = ET.fromstring(domain_xml.install_xml(FULL))
    orders = {
        (element.find("mac") if element.tag == "interface" else element.find("target")).attrib.popitem()[1]: (  # type: ignore[union-attr]
            element.find("boot").attrib["order"]  # type: ignore[union-attr]
        )
        for path in ("devices/interface", "devices/disk")
        for element in root.iterfind(path)
    }
    assert orders == {"52:54:00:AA:BB:0C": "1", "52:54:00:aa:bb:0d": "2", "sda": "3", "vda": "4"}
    assert root.findtext("on_reboot") == "destroy"
    assert [root.find(f"os/{tag}") for tag in ("boot", "kernel", "cmdline")] == [None, None, None]
    facts = domain_xml.read(domain_xml.install_xml(FULL))
    assert facts.installing
    assert facts.membership == Membership("vc1", "compute-0-1", "compute")
    assert not domain_xml.read(FULL).installing


def test_a_network_boot_takes_given_orders_over() -> None:
    text = """<domain><os/><devices>
      <disk><target dev='a'/><boot order='3'/></disk><disk><target dev='b'/><boot order='1'/></disk>
      <interface><mac address='x'/></interface><interface><mac address='y'/><boot order='2'/></interface>
      <hostdev><boot order='4'/></hostdev></devices></domain>"""
    root = ET.fromstring(domain_xml.install_xml(text))
    order = sorted(
        (int(boot.attrib["order"]), next(iter(device)).attrib.popitem()[1])
        for device in root.iterfind("devices/*")
        if (boot := device.find("boot")) is not None
    )
    assert [name for _, name in order] == ["y", "x", "b", "a"]


@pytest.mark.parametrize("text", ["<domain><devices/></domain>", "not xml"])
def test_what_cannot_boot_from_a_network_is_refused(text: str) -> None:
    with pytest.raises(BackendError):
        domain_xml.install_xml(text)


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_membership_comes_back_as_it_was_written(cluster: str, node: str) -> None:
    member = Membership(cluster, node)
    try:
        element = domain_xml.membership_xml(member)
    except BackendError:
        assert not (cluster + node).isprintable()
        return
    element = element.replace("<member", f'<pilot:member xmlns:pilot="{domain_xml.NAMESPACE}"')
    assert domain_xml.read(f"<domain><metadata>{element}</metadata></domain>").membership == member
