"""The hypervisors as admin commands see them: all asked at once, none waited for longer than it may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import libvirt
import msgspec

from pilot.agent.settings import HostSettings
from pilot.backends.libvirt import connection, domain_xml
from pilot.backends.libvirt.domain_xml import Facts, Membership
from pilot.backends.libvirt.domains import state_of
from pilot.backends.libvirt.membership import set_membership
from pilot.errors import PilotError
from pilot.records import NodeState
from pilot.wire import plain

T = TypeVar("T")

# libvirt prints every error on stderr besides raising it.
libvirt.registerErrorHandler(lambda _context, _error: None, None)


class Vm(msgspec.Struct, frozen=True):
    """A domain on a host."""

    host: str
    facts: Facts
    state: NodeState

    def on_vlan(self, vlan: int) -> bool:
        """Whether an interface is on it: by its tag, or as Rocks names it, by `vlanN` or `….N`."""
        names = (f"vlan{vlan}", f".{vlan}")
        return any(
            nic.vlan == vlan if nic.vlan is not None else nic.network.endswith(names)
            for nic in self.facts.nics
        )


class Survey(msgspec.Struct, frozen=True):
    """What a host has."""

    version: str
    vms: tuple[Vm, ...]


class Answer(msgspec.Struct, Generic[T], frozen=True):
    """A host's answer, or why there is none."""

    host: HostSettings
    seconds: float
    value: T | None = None
    error: str = ""


def survey(hosts: Sequence[HostSettings], deadline: float) -> list[Answer[Survey]]:
    """Ask all hosts what they have."""
    return each(hosts, _survey, deadline)


def each(hosts: Sequence[HostSettings], ask: Callable[[HostSettings], T], deadline: float) -> list[Answer[T]]:
    """Ask all hosts at once, in threads of their own; who does not answer in time is left behind."""
    begin = time.monotonic()
    answers: dict[str, Answer[T]] = {}

    def run(host: HostSettings) -> None:
        try:
            value = ask(host)
        except libvirt.libvirtError as error:
            answer: Answer[T] = Answer(host, time.monotonic() - begin, error=plain(str(error), 300))
        except PilotError as error:
            answer = Answer(host, time.monotonic() - begin, error=error.message)
        else:
            answer = Answer(host, time.monotonic() - begin, value)
        answers[host.name] = answer

    threads = [threading.Thread(target=run, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, begin + deadline - time.monotonic()))
    late = f"no answer within {deadline:g} s"
    return [answers.get(host.name, Answer(host, deadline, error=late)) for host in hosts]


def _survey(host: HostSettings) -> Survey:
    opened = connection.open_blocking(host.uri)
    try:
        number = opened.raw.getLibVersion()
        vms = [
            Vm(
                host.name,
                domain_xml.read(domain.XMLDesc(), domain.UUIDString(), domain.name()),
                state_of(*domain.state()),
            )
            for domain in opened.raw.listAllDomains()
        ]
    finally:
        opened.close()
    version = f"{opened.kind} by libvirt {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"
    return Survey(version, tuple(sorted(vms, key=lambda vm: vm.facts.name)))


class Change(msgspec.Struct, frozen=True):
    """A membership to write, if the present one is still what was shown."""

    vm: Vm
    membership: Membership | None


def apply(hosts: Sequence[HostSettings], changes: Sequence[Change], deadline: float) -> Mapping[str, str]:
    """Write memberships, hosts in parallel; for each UUID what went wrong, empty if nothing did."""
    wanted: dict[str, list[Change]] = {}
    for change in changes:
        wanted.setdefault(change.vm.host, []).append(change)

    def write(host: HostSettings) -> dict[str, str]:
        opened = connection.open_blocking(host.uri)
        try:
            return {change.vm.facts.uuid: _write(opened, change) for change in wanted[host.name]}
        finally:
            opened.close()

    results: dict[str, str] = {}
    for answer in each([host for host in hosts if host.name in wanted], write, deadline):
        for change in wanted[answer.host.name]:
            uuid = change.vm.facts.uuid
            results[uuid] = answer.error if answer.value is None else answer.value[uuid]
    return results


def _write(opened: connection.Connection, change: Change) -> str:
    try:
        domain = opened.raw.lookupByUUIDString(change.vm.facts.uuid)
        if domain_xml.read(domain.XMLDesc()).membership != change.vm.facts.membership:
            return "its membership was changed by somebody else meanwhile"
        set_membership(domain, change.membership)
    except libvirt.libvirtError as error:
        return plain(str(error), 300)
    except PilotError as error:
        return error.message
    return ""
