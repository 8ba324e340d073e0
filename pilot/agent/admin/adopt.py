"""`pilot-agent cluster adopt|release`: tags on domains say which cluster a VM belongs to."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from pilot.agent.admin import hosts as hosts_module
from pilot.agent.admin import naming
from pilot.agent.admin.context import Context, confirm, put_json, put_table, say
from pilot.agent.admin.hosts import Change, Survey, Vm
from pilot.agent.registry import ClusterEntry
from pilot.agent.registry_edit import require_cluster
from pilot.backends.libvirt.domain_xml import Membership
from pilot.errors import Exit, RefusedError, UnreachableError, UsageError

SURVEY_SECONDS = 20.0
WRITE_SECONDS = 60.0


def adopt(args: argparse.Namespace) -> int:
    """Make VMs nodes of a cluster."""
    with Context(args) as context:
        cluster = _cluster(context, args.name)
        vms = _survey(context)
        chosen = _chosen(args, cluster, vms)
        theirs = [vm for vm in chosen if _cluster_of(vm) not in ("", cluster.name)]
        if theirs and not args.force:
            if args.domains:
                raise RefusedError(
                    f"{theirs[0].facts.name} is a node of cluster {_cluster_of(theirs[0])}",
                    "Release it there first, or give --force.",
                )
            chosen = [vm for vm in chosen if vm not in theirs]
            for vm in theirs:
                say(f"{vm.facts.name} stays: it is a node of cluster {_cluster_of(vm)}")
        names = naming.names(args.node_name, cluster.name, chosen)
        changes = [
            Change(vm, Membership(cluster.name, name, args.appliance or _appliance_of(vm, cluster.name)))
            for vm, name in zip(chosen, names, strict=True)
        ]
        members = [vm for vm in vms if _cluster_of(vm) == cluster.name and vm not in chosen]
        naming.require_unique(cluster.name, members, changes)
        return _go(context, "cluster.adopt", cluster.name, changes, f"Make them nodes of {cluster.name}?")


def release(args: argparse.Namespace) -> int:
    """Take VMs out of a cluster."""
    if bool(args.domains) == args.all:
        raise UsageError("say which VMs, or --all")
    with Context(args) as context:
        cluster = args.name
        members = [vm for vm in _survey(context) if _cluster_of(vm) == cluster]
        if args.domains:
            fits = {word: [vm for vm in members if word in _names_of(vm)] for word in args.domains}
            _require_found(fits, f"cluster {cluster}")
            members = [vm for vm in members if any(vm in found for found in fits.values())]
        changes = [Change(vm, None) for vm in members]
        return _go(context, "cluster.release", cluster, changes, f"Take them out of {cluster}?")


def _go(context: Context, verb: str, cluster: str, plan: Sequence[Change], question: str) -> int:
    """Show, ask, journal, write, journal."""
    args = context.args
    if args.dry_run or not args.json:
        _show(plan, as_json=args.json)
    changes = [change for change in plan if change.membership != change.vm.facts.membership]
    if not changes:
        say("nothing is to be changed" if plan else "no VM fits")
        if args.json and not args.dry_run:
            put_json([])
        return Exit.OK if plan or args.dry_run else Exit.FAILED
    if args.dry_run:
        return Exit.OK
    if not args.yes and not confirm(question):
        say("nothing was changed")
        return Exit.FAILED
    editor = context.editor
    intent = editor.begin(
        verb,
        cluster,
        [change.vm.facts.uuid for change in changes],
        {"nodes": [change.membership.node for change in changes if change.membership], "force": args.force},
    )
    problems = hosts_module.apply(context.settings.host, changes, WRITE_SECONDS)
    results = [
        {
            "target": change.membership.node if change.membership else change.vm.facts.name,
            "node": change.vm.facts.uuid,
            "host": change.vm.host,
            "domain": change.vm.facts.name,
            "result": "failed" if problems[change.vm.facts.uuid] else "done",
            "problem": problems[change.vm.facts.uuid],
        }
        for change in changes
    ]
    editor.end(intent, results)
    failed = [result for result in results if result["problem"]]
    for result in failed:
        say(f"{result['domain']} on {result['host']}: {result['problem']}")
    say(f"{len(changes) - len(failed)} of {len(changes)} done")
    if args.json:
        put_json(results)
    return Exit.FAILED if failed else Exit.OK


def _show(plan: Sequence[Change], *, as_json: bool) -> None:
    rows = []
    for change in plan:
        facts, new = change.vm.facts, change.membership
        rows.append(
            {
                "host": change.vm.host,
                "domain": facts.name,
                "uuid": facts.uuid,
                "macs": [nic.mac for nic in facts.nics],
                "now": f"{facts.membership.cluster}/{facts.membership.node}" if facts.membership else "",
                "node": new.node if new else "",
                "appliance": new.appliance if new else "",
                "changes": new != facts.membership,
            }
        )
    if as_json:
        put_json(rows)
    elif rows:
        put_table(
            ("HOST", "VM", "MACS", "NOW", "NODE", "APPLIANCE", ""),
            [
                (
                    row["host"],
                    row["domain"],
                    ",".join(nic.mac for nic in change.vm.facts.nics) or "-",
                    row["now"] or "-",
                    row["node"] or "-",
                    row["appliance"] or "-",
                    "" if row["changes"] else "as it is",
                )
                for row, change in zip(rows, plan, strict=True)
            ],
        )


def _cluster(context: Context, name: str) -> ClusterEntry:
    with context.database.read() as connection:
        return require_cluster(connection, name)


def _survey(context: Context) -> list[Vm]:
    """All VMs of the hosts that answer; of those that do not it is said."""
    if not context.settings.host:
        raise UsageError(f"{context.args.config} has no [[host]]", "Add one for each hypervisor.")
    context.become_daemon()
    answers = hosts_module.survey(context.settings.host, SURVEY_SECONDS)
    surveys: list[Survey] = []
    for answer in answers:
        if answer.value is None:
            say(f"host {answer.host.name} is left out: {answer.error}")
        else:
            surveys.append(answer.value)
    if not surveys:
        raise UnreachableError("no host answers", "`pilot-agent check` says more.")
    return [vm for found in surveys for vm in found.vms]


def _chosen(args: argparse.Namespace, cluster: ClusterEntry, vms: Sequence[Vm]) -> list[Vm]:
    """The VMs that are meant."""
    if args.host:
        if not any(host == args.host for host in {vm.host for vm in vms}):
            raise UsageError(f"no host '{args.host}' with VMs answers")
        vms = [vm for vm in vms if vm.host == args.host]
    if args.domains:
        if args.vlan is not None or args.match:
            raise UsageError("give the VMs' names, or --vlan and --match")
        fits = {word: [vm for vm in vms if word in (vm.facts.name, vm.facts.uuid)] for word in args.domains}
        _require_found(fits, "the hosts")
        return [vm for found in fits.values() for vm in found]
    vlan = args.vlan if args.vlan is not None or args.match else cluster.vlan
    if vlan is None and not args.match:
        raise UsageError(
            f"cluster {cluster.name} has no VLAN to go by", "Give --vlan, --match, or the VMs' names."
        )
    chosen = [vm for vm in vms if vlan is None or vm.on_vlan(vlan)]
    if args.match:
        chosen = [vm for vm in chosen if naming.fits(vm.facts.name, args.match)]
    return sorted(chosen, key=lambda vm: naming.natural(vm.facts.name))


def _require_found(fits: dict[str, list[Vm]], where: str) -> None:
    for word, found in fits.items():
        if not found:
            raise UsageError(f"{where}: there is no VM '{word}'")
        if len(found) > 1:
            at = ", ".join(f"{vm.facts.uuid} on {vm.host}" for vm in found)
            raise UsageError(f"several VMs are called '{word}'", f"Give the UUID: {at}.")


def _cluster_of(vm: Vm) -> str:
    return vm.facts.membership.cluster if vm.facts.membership else ""


def _appliance_of(vm: Vm, cluster: str) -> str:
    return vm.facts.membership.appliance if vm.facts.membership and _cluster_of(vm) == cluster else ""


def _names_of(vm: Vm) -> tuple[str, ...]:
    node = (vm.facts.membership.node,) if vm.facts.membership else ()
    return (vm.facts.name, vm.facts.uuid, *node)
