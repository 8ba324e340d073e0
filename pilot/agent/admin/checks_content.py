"""Checks of what airboss knows: database, clusters, keys, hypervisors and their nodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from keys.signers import in_force
from pilot.agent.admin.context import Context
from pilot.agent.admin.findings import Finding, fail, ok, warn
from pilot.agent.admin.hosts import Vm, survey
from pilot.agent.admin.times import show_date
from pilot.agent.journal_read import EVERYTHING, last, open_intents
from pilot.agent.registry import SITE, SignerEntry, read_clusters, read_revoked, read_signers

SOON = 14 * 86_400
"""Seconds before a key's end in which it is said."""
SHOWN = 5


def database(context: Context) -> Iterator[Finding]:
    """Whether it opens, and what is odd in the journal."""
    if not context.has_database:
        yield warn("database", "it is not there yet", "airboss, or the first `cluster add`, makes it.")
        return
    version = context.database.version()
    yield ok("database", f"{context.database.name}, schema {version}")
    newest = last(context.database, EVERYTHING, 1)
    if newest and newest[0].seconds > context.now + 60:
        yield fail(
            "clock",
            f"the journal's last record is of {show_date(newest[0].seconds)}, which is to come",
            "The clock was set back: set it right, or keys are valid for longer than meant.",
        )
    waiting = [record for record in open_intents(context.database) if record.seconds < context.now - 3600]
    if waiting:
        yield warn(
            "journal",
            f"{len(waiting)} intents of more than an hour ago have no outcome, the last: {waiting[-1].id}",
            "airboss was interrupted there: pilot-agent journal show --open",
        )
    if context.settings.revoked is not None:
        read_revoked(context.settings.revoked)
        yield ok("revoked keys", f"{context.settings.revoked} is understood")


def clusters_and_keys(context: Context) -> Iterator[Finding]:
    """Clusters that nobody can use, and keys that do nothing."""
    if not context.has_database:
        return
    with context.database.read() as connection:
        clusters, signers = read_clusters(connection), read_signers(connection)
    if not clusters:
        yield warn("clusters", "there are none", "pilot-agent cluster add NAME --vlan N")
    bound = Counter(entry.cluster for entry in signers if in_force(entry.line, context.now))
    for cluster in clusters:
        if not bound[cluster.name]:
            yield warn(
                f"cluster {cluster.name}",
                "no key that is valid now is bound to it",
                f"pilot-agent key add {cluster.name} FILE.pub",
            )
    if not bound[SITE]:
        yield warn("site", "no key of a site admin", "pilot-agent key add --site --role admin FILE.pub")
    for entry in signers:
        yield from _key(entry, context.now)
    yield ok("clusters", f"{len(clusters)} clusters, {len(signers)} keys, {bound.total()} of them valid now")


def _key(entry: SignerEntry, now: float) -> Iterator[Finding]:
    where = "--site" if entry.cluster == SITE else entry.cluster
    what = f"key of {entry.principal} in {'the site' if entry.cluster == SITE else entry.cluster}"
    end = entry.line.valid_before
    if end is not None and end < now:
        hint = f"pilot-agent key remove {where} {entry.fingerprint}"
        yield warn(what, f"expired on {show_date(end)}", hint)
    elif end is not None and end < now + SOON:
        yield warn(what, f"expires on {show_date(end)}", "Add it again with a later --valid-before.")


def hosts_and_nodes(context: Context) -> Iterator[Finding]:
    """Whether the hypervisors answer, and what does not fit in what they have."""
    vms: list[Vm] = []
    for answer in survey(context.settings.host, context.args.deadline):
        what = f"host {answer.host.name}"
        if answer.value is None:
            yield fail(
                what,
                f"{answer.host.uri}: {answer.error}",
                f"As the user of airboss, `virsh -c '{answer.host.uri}' list` should answer.",
            )
        else:
            vms += answer.value.vms
            milliseconds = answer.seconds * 1000
            text = f"{answer.value.version}, {len(answer.value.vms)} VMs, {milliseconds:.0f} ms"
            yield ok(what, text)
    if not context.has_database:
        return
    with context.database.read() as connection:
        known = {cluster.name for cluster in read_clusters(connection)}
    yield from _nodes(known, vms)


def _nodes(known: set[str], vms: Sequence[Vm]) -> Iterator[Finding]:
    members: dict[str, list[Vm]] = {name: [] for name in sorted(known)}
    for vm in vms:
        if vm.facts.membership:
            members.setdefault(vm.facts.membership.cluster, []).append(vm)
    for cluster, nodes in members.items():
        what = f"cluster {cluster}"
        if cluster not in known:
            yield warn(
                what,
                f"{_some(nodes)} belong to it, but it is not known here",
                f"pilot-agent cluster add {cluster}, or cluster release {cluster} --all",
            )
            continue
        if not nodes:
            yield warn(what, "it has no nodes", f"pilot-agent cluster adopt {cluster}")
        names = Counter(vm.facts.membership.node for vm in nodes if vm.facts.membership)
        for name, count in names.items():
            if count > 1:
                twice = [vm for vm in nodes if vm.facts.membership and vm.facts.membership.node == name]
                yield fail(
                    what,
                    f"{count} VMs are node {name}: {_some(twice)}",
                    f"pilot-agent cluster adopt {cluster} UUID --node-name OTHER",
                )
        silent = [vm for vm in nodes if not vm.facts.serial]
        if silent:
            yield warn(
                what,
                f"no serial console to open: {_some(silent)}",
                "Give the VM a <console type='pty'/>: libvirt opens no other; and its kernel console=ttyS0.",
            )
        blind = [vm for vm in nodes if not vm.facts.screen]
        if blind:
            yield warn(
                what,
                f"no screen (VNC) to open: {_some(blind)}",
                "Add <graphics type='vnc'><listen type='socket'/></graphics> to the VM's definition.",
            )


def _some(vms: Sequence[Vm]) -> str:
    shown = ", ".join(f"{vm.facts.name} on {vm.host}" for vm in vms[:SHOWN])
    return shown + (f" and {len(vms) - SHOWN} more" if len(vms) > SHOWN else "")
