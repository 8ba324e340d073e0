"""The grammar of `pilot-agent`. Imports nothing heavy: a command is named by `module:function`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pilot import __version__
from pilot.agent.admin.times import DATES, PAST_DATES

DEFAULT_CONFIG = Path("/etc/rocks-pilot/agent.toml")
_ROOM = "pilot.agent.admin"
_ROLES = ("viewer", "operator", "owner", "admin")
_EXITS = """exit codes: 0 done, 1 failed, 2 usage or configuration, 3 refused, 4 unreachable, 5 a key is not
usable, 6 not known, 7 not seen in time (`pilot`), 130 interrupted"""


class _Command(argparse.ArgumentParser):
    """One command. Options may stand between its words: `key add vi-1 --role viewer alice.pub`."""

    _mixing = False

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """As argparse's, which by itself takes all words from before or between the first options."""
        if self._mixing:
            return super().parse_known_args(args, namespace)
        self._mixing = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._mixing = False


def build() -> argparse.ArgumentParser:
    """The whole parser; what it gives has `run`, `module:function` taking the parsed arguments."""
    parser = argparse.ArgumentParser(
        "pilot-agent", description="airboss, and the admin's commands around it.", epilog=_EXITS
    )
    parser.add_argument("--version", action="version", version=f"rocks-pilot {__version__}")
    parser.set_defaults(config=DEFAULT_CONFIG)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    common = _Command(add_help=False)
    common.add_argument(
        "--config", type=Path, metavar="FILE", default=argparse.SUPPRESS, help=f"instead of {DEFAULT_CONFIG}"
    )
    parser.add_argument("--config", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    json = _Command(add_help=False)
    json.add_argument("--json", action="store_true", help="data on stdout as JSON")

    serve = commands.add_parser("serve", parents=[common], help="run airboss")
    serve.set_defaults(run=f"{_ROOM}.serve:serve")
    check = commands.add_parser(
        "check", parents=[common, json], help="say what is wrong with this installation, and how to mend it"
    )
    check.add_argument(
        "--deadline", type=_seconds, default=5.0, metavar="S", help="seconds a hypervisor may take (5)"
    )
    check.set_defaults(run=f"{_ROOM}.check:check")
    _cluster(commands, common, json)
    _key(commands, common, json)
    _journal(commands, common, json)
    return parser


_Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse has no public name for it


def _cluster(
    commands: _Commands[argparse.ArgumentParser],
    common: _Command,
    json: _Command,
) -> None:
    named = commands.add_parser("cluster", help="virtual clusters and their nodes")
    group = named.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)

    add = group.add_parser(
        "add", parents=[common, json], help="add a cluster, or set its VLAN and protection"
    )
    add.add_argument("name", metavar="NAME")
    add.add_argument("--vlan", type=int, metavar="N", help="the VLAN that carries it; adopt goes by it")
    add.add_argument("--protected", action="store_true", help="disruptive verbs ask for the cluster's name")
    add.set_defaults(run=f"{_ROOM}.cluster:add")

    show = group.add_parser("list", parents=[common, json], help="the clusters")
    show.set_defaults(run=f"{_ROOM}.cluster:show")

    remove = group.add_parser(
        "remove",
        parents=[common, json],
        help="remove a cluster; its VMs run on untouched",
        description="Remove a cluster. Its VMs run on untouched and keep their tags; nobody but site "
        "admins sees them until a cluster of that name is added again.",
    )
    remove.add_argument("name", metavar="NAME")
    remove.add_argument("--keys", action="store_true", help="remove the keys bound to it, too")
    remove.set_defaults(run=f"{_ROOM}.cluster:remove")

    adopt = group.add_parser(
        "adopt",
        parents=[common, json],
        help="make existing VMs nodes of a cluster",
        description="Tag existing VMs as nodes of a cluster: those on a VLAN (the cluster's own if "
        "nothing is said), those whose names fit a pattern, or those named. Shows first what would "
        "be tagged, and asks.",
    )
    adopt.add_argument("name", metavar="NAME", help="the cluster")
    adopt.add_argument("domains", nargs="*", metavar="DOMAIN", help="name or UUID of a VM, as virsh shows it")
    adopt.add_argument("--vlan", type=int, metavar="N", help="VMs with an interface on this VLAN")
    adopt.add_argument("--match", metavar="PATTERN", help="VMs whose names fit, such as 'vi-1-*'")
    adopt.add_argument("--host", metavar="HOST", help="only VMs of this host")
    adopt.add_argument(
        "--node-name",
        metavar="RULE",
        help="the node's name: a template with {domain}, {host}, {cluster}, {n} (counts from 0), or a "
        "substitution on the VM's name such as s/^vi-1-//; default: the VM's name without the "
        "cluster's name and a dash before it",
    )
    adopt.add_argument("--appliance", default="", metavar="A", help="such as compute or frontend")
    adopt.add_argument("--force", action="store_true", help="take VMs from another cluster, too")
    adopt.add_argument("--yes", action="store_true", help="do not ask")
    adopt.add_argument("--dry-run", action="store_true", help="only show what would be tagged")
    adopt.set_defaults(run=f"{_ROOM}.adopt:adopt")

    release = group.add_parser(
        "release", parents=[common, json], help="take VMs out of a cluster; they run on"
    )
    release.add_argument("name", metavar="NAME", help="the cluster")
    release.add_argument("domains", nargs="*", metavar="DOMAIN", help="node's name, VM's name or UUID")
    release.add_argument("--all", action="store_true", help="all of its nodes")
    release.add_argument("--yes", action="store_true", help="do not ask")
    release.add_argument("--dry-run", action="store_true", help="only show what would be released")
    release.set_defaults(run=f"{_ROOM}.adopt:release", force=False)


def _key(
    commands: _Commands[argparse.ArgumentParser],
    common: _Command,
    json: _Command,
) -> None:
    named = commands.add_parser("key", help="who may act: keys and certificate authorities")
    group = named.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)

    add = group.add_parser(
        "add",
        parents=[common, json],
        help="entitle keys in a cluster, or at the site",
        description="Entitle public keys: .pub files or stdin, a key a line, or whole lines of an "
        "OpenSSH allowed_signers file. A key that is there already is updated.",
    )
    add.add_argument(
        "words", nargs="*", metavar="CLUSTER FILE", help="the cluster (not with --site); files or -"
    )
    add.add_argument("--site", action="store_true", help="for the whole site instead of a cluster")
    add.add_argument("--role", choices=_ROLES, help="default: owner; with --site admin")
    add.add_argument(
        "--principal",
        metavar="NAME",
        help="who it is; default: the key's comment. With --cert-authority whom it may certify: names or "
        "patterns, with commas between, such as 'ada,hpc-*'",
    )
    add.add_argument("--valid-after", metavar="DATE", help=DATES)
    add.add_argument("--valid-before", metavar="DATE", help="as for --valid-after")
    add.add_argument(
        "--cert-authority",
        action="store_true",
        help="not the key itself but certificates it signed, for principals that fit --principal",
    )
    add.set_defaults(run=f"{_ROOM}.key:add")

    show = group.add_parser("list", parents=[common, json], help="the keys, and what they may do")
    show.add_argument("cluster", nargs="?", metavar="CLUSTER")
    show.add_argument("--site", action="store_true", help="only the site's")
    show.add_argument("--allowed-signers", action="store_true", help="as lines for `ssh-keygen -Y verify -f`")
    show.set_defaults(run=f"{_ROOM}.key:show")

    remove = group.add_parser(
        "remove", parents=[common, json], help="take keys away; in force within a second"
    )
    remove.add_argument(
        "words",
        nargs="+",
        metavar="CLUSTER KEY",
        help="the cluster (not with --site); fingerprints, principals or .pub files",
    )
    remove.add_argument("--site", action="store_true", help="keys of the site instead of a cluster's")
    remove.set_defaults(run=f"{_ROOM}.key:remove")


def _journal(
    commands: _Commands[argparse.ArgumentParser],
    common: _Command,
    json: _Command,
) -> None:
    named = commands.add_parser("journal", help="who asked for what, and what came of it")
    group = named.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)

    show = group.add_parser("show", parents=[common, json], help="its records; --json prints one a line")
    show.add_argument("--since", metavar="DATE", help=PAST_DATES)
    show.add_argument("--until", metavar="DATE", help="as for --since")
    show.add_argument("--cluster", default="", metavar="NAME")
    show.add_argument("--principal", default="", metavar="NAME")
    show.add_argument("--verb", default="", metavar="VERB")
    show.add_argument("--open", action="store_true", help="only intents without an outcome")
    show.add_argument(
        "--limit", type=_count, metavar="N", help="the newest N (50; all with --since, --until or --open)"
    )
    show.add_argument("--follow", action="store_true", help="go on as records are written")
    show.set_defaults(run=f"{_ROOM}.journal:show")

    verify = group.add_parser("verify", parents=[common, json], help="check its chain and every signature")
    verify.add_argument(
        "--receipt", type=Path, action="append", metavar="FILE", help="compare with receipts, too"
    )
    verify.add_argument(
        "--airboss",
        action="append",
        metavar="FINGERPRINT",
        help="a host key that this site had before, or a replica has: requests signed for it are right, too",
    )
    verify.set_defaults(run=f"{_ROOM}.journal:verify")


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 600:
        raise ValueError
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise ValueError
    return value
