"""What adopted VMs are called as nodes of their cluster."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from pilot.agent.admin.hosts import Change, Vm
from pilot.agent.settings import NAME
from pilot.errors import UsageError

_FIELD = re.compile(r"\{(\w*)\}")
_FIELDS = ("domain", "host", "cluster", "n")


def names(rule: str | None, cluster: str, vms: Sequence[Vm]) -> list[str]:
    """The node name of each VM, in their order.

    Without a rule a VM that is a node of the cluster keeps its name.

    Raises:
        UsageError: the rule is wrong, or gives something that is no name.
    """
    found = []
    for number, vm in enumerate(vms):
        membership = vm.facts.membership
        if rule is None and membership is not None and membership.cluster == cluster:
            name = membership.node
        elif rule is None:
            name = re.sub(rf"^{re.escape(cluster)}[-._]", "", vm.facts.name)
        else:
            name = _apply(rule, cluster, vm, number)
        if not NAME.fullmatch(name):
            raise UsageError(
                f"VM {vm.facts.name} would be called '{name}', which is no node's name",
                "Letters, digits, '.', '_' and '-'. --node-name gives another.",
            )
        found.append(name)
    return found


def _apply(rule: str, cluster: str, vm: Vm, number: int) -> str:
    if rule[0:1] == "s" and rule[1:2] in ("/", "|", "#", ","):
        parts = re.split(rf"(?<!\\){re.escape(rule[1])}", rule[2:])
        if len(parts) != 3 or parts[2]:
            raise UsageError(f"--node-name '{rule}' is not a substitution", "Such as s/^vi-1-//")
        try:
            return re.sub(parts[0], parts[1], vm.facts.name)
        except (re.error, IndexError) as error:
            raise UsageError(f"--node-name '{rule}': {error}") from None
    values = {"domain": vm.facts.name, "host": vm.host, "cluster": cluster, "n": str(number)}

    def value(match: re.Match[str]) -> str:
        if match[1] not in values:
            raise UsageError(f"--node-name: there is no {{{match[1]}}}", f"There are: {', '.join(_FIELDS)}.")
        return values[match[1]]

    return _FIELD.sub(value, rule)


def require_unique(cluster: str, members: Sequence[Vm], changes: Sequence[Change]) -> None:
    """Refuse a name that two nodes of the cluster would have.

    Raises:
        UsageError: naming both VMs.
    """
    taken = {vm.facts.membership.node: vm for vm in members if vm.facts.membership}
    for change in changes:
        if change.membership is None:
            continue
        other = taken.setdefault(change.membership.node, change.vm)
        if other is not change.vm:
            raise UsageError(
                f"{other.facts.name} on {other.host} and {change.vm.facts.name} on {change.vm.host} "
                f"would both be node {change.membership.node} of {cluster}",
                "--node-name gives other names, such as 'compute-0-{n}'.",
            )


def fits(name: str, pattern: str) -> bool:
    """Whether a VM's name fits a shell pattern, case and all."""
    return fnmatch.fnmatchcase(name, pattern)


def natural(name: str) -> list[tuple[int, int | str]]:
    """A key that sorts compute-0-10 behind compute-0-9."""
    parts = re.findall(r"\d+|\D+", name)
    return [(0, int(part)) if part.isdecimal() else (1, part) for part in parts]
