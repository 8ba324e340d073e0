"""`pilot-agent check`: what is wrong with this installation, and how to mend it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator

from pilot.agent.admin import checks_content, checks_machine
from pilot.agent.admin.context import Context, put_json, say
from pilot.agent.admin.findings import Finding, fail, ok
from pilot.errors import Exit, PilotError
from pilot.wire import plain

_CHECKS: tuple[Callable[[Context], Iterator[Finding]], ...] = (
    checks_machine.configuration,
    checks_machine.state_folder,
    checks_machine.host_key,
    checks_machine.clock,
    checks_machine.ports,
    checks_content.database,
    checks_content.clusters_and_keys,
    checks_content.hosts_and_nodes,
)


def check(args: argparse.Namespace) -> int:
    """Run all checks; one that cannot run is a failure of its own."""
    findings: list[Finding] = []

    def note(finding: Finding) -> None:
        findings.append(finding)
        if not args.json:
            print(f"{finding.level:<4}  {finding.what}: {plain(finding.text, 400)}", flush=True)
            if finding.hint:
                print(f"      {finding.hint}", flush=True)

    try:
        context = Context(args)
    except PilotError as error:
        note(fail("configuration", error.message, error.hint))
    else:
        with context:
            note(ok("configuration", f"{args.config} is understood"))
            for one in _CHECKS:
                try:
                    for finding in one(context):
                        note(finding)
                except PilotError as error:
                    note(fail(one.__name__.replace("_", " "), error.message, error.hint))
    levels = [finding.level for finding in findings]
    if args.json:
        put_json(findings)
    say(f"{levels.count('fail')} failed, {levels.count('warn')} warnings, {levels.count('ok')} right")
    return Exit.FAILED if "fail" in levels else Exit.OK
