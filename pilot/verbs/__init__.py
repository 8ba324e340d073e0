"""Every verb once: what can be asked of airboss, by whom, and how dangerous it is.

Policy, the command line, bindings, palette, help and the documents' table are all made from this
table, so that nothing about a verb is written twice.
"""

from __future__ import annotations

from pilot.verbs.consoles import CONSOLES
from pilot.verbs.hosts import HOSTS
from pilot.verbs.leases import LEASES
from pilot.verbs.looking import LOOKING
from pilot.verbs.machines import MACHINES
from pilot.verbs.power import POWER
from pilot.verbs.sending import SENDING
from pilot.verbs.verb import Argument, Danger, Scope, Value, Verb

__all__ = ["BY_ID", "VERBS", "Argument", "Danger", "Scope", "Value", "Verb", "verb_table"]

VERBS: tuple[Verb, ...] = (*LOOKING, *CONSOLES, *POWER, *SENDING, *HOSTS, *MACHINES, *LEASES)

BY_ID: dict[str, Verb] = {verb.id: verb for verb in VERBS}


def verb_table() -> str:
    """The verbs as a Markdown table, for the documents."""
    lines = ["| verb | what it does | role | danger | arguments |", "| --- | --- | --- | --- | --- |"]
    for verb in VERBS:
        args = ", ".join(f"`{a.name}` = {a.default} ({a.help})" for a in verb.args) or "-"
        lines.append(f"| `{verb.id}` | {verb.help} | {verb.role} | {verb.danger} | {args} |")
    return "\n".join(lines) + "\n"
