"""What is read from a host, by blocking calls in a lane's thread."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import libvirt
import msgspec

from pilot.backends.libvirt import domain_xml
from pilot.backends.libvirt.domains import Seen, state_of
from pilot.backends.libvirt.faults import is_code, is_lost


class About(msgspec.Struct, frozen=True):
    """What does not change while a host is up."""

    libvirt: str = ""
    """Its version, such as `9.0.0`."""
    hypervisor: str = ""
    """Kind and version, such as `QEMU 7.2.22`."""
    cpus: int = 0
    memory: int = 0
    """KiB."""


def about(raw: Any) -> About:
    """What a host is; of what it does not tell, nothing."""
    library, hypervisor, cpus, memory = "", "", 0, 0
    with contextlib.suppress(libvirt.libvirtError):
        library = _version(raw.getLibVersion())
    with contextlib.suppress(libvirt.libvirtError):
        hypervisor = f"{raw.getType()} {_version(raw.getVersion())}"
    with contextlib.suppress(libvirt.libvirtError):
        _model, mebibytes, cpus, *_ = raw.getInfo()
        memory = mebibytes * 1024
    return About(library, hypervisor, cpus, memory)


def states(raw: Any) -> list[tuple[Seen, Any]]:
    """State of every domain and its virDomain, in two calls that never touch a QEMU monitor."""
    transient = {
        domain.UUIDString()
        for domain in raw.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_TRANSIENT)
    }  # fmt: skip
    seen = []
    for domain, stats in raw.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE):
        uuid = domain.UUIDString()
        state = state_of(stats.get("state.state", libvirt.VIR_DOMAIN_NOSTATE), stats.get("state.reason", 0))
        seen.append((Seen(uuid, domain.name(), state, uuid not in transient), domain))
    return seen


def details(raw: Any, uuids: Sequence[str]) -> tuple[list[Seen], list[str]]:
    """Everything about some domains, and those of them that are no more."""
    found, gone = [], []
    for uuid in uuids:
        try:
            domain = raw.lookupByUUIDString(uuid)
            state, reason = domain.state()
            persistent = bool(domain.isPersistent())
            text = domain.XMLDesc()
        except libvirt.libvirtError as error:
            if is_code(error, libvirt.VIR_ERR_NO_DOMAIN):
                gone.append(uuid)
                continue
            if is_lost(error):
                raise
            continue  # one domain that cannot be read hides no other
        facts = domain_xml.read_strictly(text, uuid, domain.name())
        found.append(Seen(uuid, domain.name(), state_of(state, reason), persistent, facts))
    return found, gone


def facts(raw: Any, seen: Sequence[tuple[Seen, Any]]) -> list[Seen]:
    """The same domains with what their XML says; those that are no more stay as they are."""
    result = []
    for one, domain in seen:
        text = ""
        try:
            # Another lane's domain is on another lane's connection, where that lane may be calling.
            own = domain if domain.connect() is raw else raw.lookupByUUIDString(one.uuid)
            text = own.XMLDesc()
        except libvirt.libvirtError as error:
            if is_lost(error):
                raise
        read = domain_xml.read_strictly(text, one.uuid, one.name)
        result.append(Seen(one.uuid, one.name, one.state, one.persistent, read))
    return result


def _version(number: int) -> str:
    return f"{number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
