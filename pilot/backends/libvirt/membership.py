"""Membership in a cluster, kept in the domain's own metadata, so that it moves and is backed up with it."""

from __future__ import annotations

from typing import Any

import libvirt
import msgspec

from pilot.backends.libvirt import connection, domain_xml
from pilot.backends.libvirt.domain_xml import NAMESPACE, PREFIX, Membership
from pilot.backends.libvirt.domains import state_of
from pilot.backends.libvirt.faults import is_code, translate
from pilot.records import Nic, NodeState

__all__ = ["Found", "Membership", "list_domains", "set_membership"]


class Found(msgspec.Struct, frozen=True):
    """A domain that may be adopted."""

    uuid: str
    name: str
    state: NodeState
    nics: tuple[Nic, ...] = ()
    membership: Membership | None = None


def set_membership(domain: Any, membership: Membership | None) -> None:
    """Write, or with None take away, the membership of a virDomain, running and defined. Blocks.

    Raises:
        libvirt.libvirtError: libvirt refused.
        BackendError: a name that XML cannot hold.
    """
    flags = 0
    if domain.isActive():
        flags |= libvirt.VIR_DOMAIN_AFFECT_LIVE
    if domain.isPersistent():
        flags |= libvirt.VIR_DOMAIN_AFFECT_CONFIG
    text = None if membership is None else domain_xml.membership_xml(membership)
    try:
        domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, text, PREFIX, NAMESPACE, flags)
    except libvirt.libvirtError as error:
        if membership is not None or not is_code(error, libvirt.VIR_ERR_NO_DOMAIN_METADATA):
            raise


def list_domains(uri: str) -> list[Found]:
    """All domains of a host. Blocks, as long as the host takes: for the administrator's commands.

    Raises:
        PilotError: the host cannot be reached or does not answer as it should.
    """
    try:
        opened = connection.open_blocking(uri)
    except libvirt.libvirtError as error:
        raise translate(error, f"opening {uri}", uri) from None
    try:
        found = []
        for domain in opened.raw.listAllDomains():
            facts = domain_xml.read(domain.XMLDesc(), domain.UUIDString(), domain.name())
            state = state_of(*domain.state())
            found.append(Found(facts.uuid, facts.name, state, facts.nics, facts.membership))
        return sorted(found, key=lambda one: one.name)
    except libvirt.libvirtError as error:
        raise translate(error, "listing domains", uri) from None
    finally:
        opened.close()
