"""Every verb once: what can be asked of airboss, by whom, and how dangerous it is.

Policy, the command line, bindings, palette, help and the documents' table are all made from this
table, so that nothing about a verb is written twice.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from pilot.errors import UsageError
from pilot.records import NodeState, Role

Scope = Literal["node", "cluster", "site"]
Danger = Literal[0, 1, 2, 3]
Value = str | int | float | bool


class Argument(msgspec.Struct, frozen=True):
    """One argument of a verb. Its type is its default's; `choices` or the bounds limit it."""

    name: str
    default: Value
    help: str
    choices: tuple[str, ...] = ()
    minimum: float = 0
    maximum: float = 86_400

    def check(self, value: object) -> Value:
        """Give the value back as this argument takes it.

        Raises:
            UsageError: the type, choice or bound does not fit.
        """
        kind = type(self.default)
        whole = kind is float and type(value) is int
        if (type(value) is not kind and not whole) or not isinstance(value, str | int | float | bool):
            raise UsageError(f"argument '{self.name}' takes a {kind.__name__}, not {type(value).__name__}")
        if self.choices and value not in self.choices:
            raise UsageError(f"argument '{self.name}' is one of {', '.join(self.choices)}")
        # Compared before it becomes a float: a whole number may be larger than any float.
        if kind in (int, float) and not isinstance(value, str) and not self.minimum <= value <= self.maximum:
            raise UsageError(f"argument '{self.name}' is from {self.minimum:g} to {self.maximum:g}")
        return float(value) if whole else value


class Verb(msgspec.Struct, frozen=True):
    """One thing that can be asked."""

    id: str
    label: str
    help: str
    scope: Scope
    role: Role
    danger: Danger
    key: str = ""
    """The key, or keys one after the other, that ask for it in the app; empty if it has none."""
    args: tuple[Argument, ...] = ()
    stream: bool = False
    """The channel stays open after the reply."""
    journaled: bool = True
    """Leaves an intent and an outcome in the journal, and is answered with a receipt."""
    leads_to: NodeState | None = None
    """The state that a node is in once the verb has had its effect: what `--wait` waits for."""
    doing: str = ""
    """What is happening to a node while the verb is under way, such as `turning off`."""
    question: str = ""
    """What is asked before it is done, `{}` standing for the nodes; the words before that name the act."""
    consequence: str = ""
    """What it costs those it is asked of: a sentence that fits one node and many."""
    inverse: str = ""
    """The verb that takes it back without a loss; empty if none does. Pausing and resuming are each other's:
    the guest goes on where it was. Turning on has none: to turn off again loses what ran in between."""
    held: bool = False
    """Whether the app keeps it back for a few seconds, so that it can be withdrawn before it is sent. That is
    for what asks the guest, where a few seconds count for nothing beside the time that the guest takes, and
    of which nothing can be taken back once the guest has heard it. What acts at once is wanted at once: the
    node may be doing harm, and its dialog has asked already."""

    def arguments(self, given: dict[str, Value]) -> dict[str, Value]:
        """All arguments with their values: those given, checked, and the defaults of the others.

        Raises:
            UsageError: an argument that the verb does not take, or a value that does not fit.
        """
        known = {argument.name: argument for argument in self.args}
        for name in given:
            if name not in known:
                raise UsageError(
                    f"{self.id} takes no argument '{name}'", f"It takes: {', '.join(known) or 'none'}."
                )
        return {name: a.check(given[name]) if name in given else a.default for name, a in known.items()}


_GRACE = Argument("grace", 60.0, "seconds the guest is given to react", minimum=1, maximum=3600)

VERBS: tuple[Verb, ...] = (
    Verb(
        "node.list",
        "list",
        "the nodes of a cluster with their state",
        "cluster",
        "viewer",
        0,
        journaled=False,
    ),
    Verb(
        "watch",
        "watch",
        "every change, as it happens",
        "cluster",
        "viewer",
        0,
        stream=True,
        journaled=False,
        args=(Argument("usage", False, "processor and memory use of the nodes too, every few seconds"),),
    ),
    Verb(
        "console.tail",
        "tail",
        "the last that the node's serial console printed, and what follows, without attaching",
        "node",
        "viewer",
        0,
        stream=True,
        journaled=False,
    ),
    Verb(
        "journal.read",
        "journal",
        "what was asked of the cluster's nodes, by whom, and what came of it",
        "cluster",
        "owner",
        0,
        stream=True,
        journaled=False,
        args=(
            Argument("last", 500, "how many records of the past, the newest ones", minimum=0, maximum=5000),
            Argument("before", 0, "only records with an id below this one; 0 for the newest", maximum=2**53),
            Argument("follow", True, "go on with new records as they are written"),
            Argument("sealed", False, "the hashes of the other clusters' records too, to verify the chain"),
        ),
    ),
    Verb(
        "console.open",
        "console",
        "the node's serial console",
        "node",
        "viewer",
        0,
        key="c",
        stream=True,
        args=(
            Argument(
                "mode",
                "write",
                "write (if nobody else does), watch, or take the keyboard from who has it",
                ("write", "watch", "take"),
            ),
        ),
    ),
    Verb(
        "power.on",
        "on",
        "turn on; nothing is lost of what it prints first",
        "node",
        "operator",
        1,
        key="p o",
        leads_to="on",
        doing="turning on",
        question="Turn on {}?",
    ),
    Verb(
        "power.off",
        "off",
        "turn off at once, as if the plug were pulled",
        "node",
        "operator",
        2,
        key="p x",
        leads_to="off",
        doing="turning off",
        question="Turn off {} now?",
        consequence="Data not yet written to disk is lost.",
    ),
    Verb(
        "power.shutdown",
        "shutdown",
        "ask the guest to shut down (ACPI)",
        "node",
        "operator",
        2,
        key="p s",
        leads_to="off",
        doing="shutting down",
        question="Shut down {}?",
        consequence="What runs there ends, once the guest obeys.",
        held=True,
        args=(_GRACE, Argument("then", "leave", "after the grace: leave it, or off", ("leave", "off"))),
    ),
    Verb(
        "power.reset",
        "reset",
        "reset at once, as the button does",
        "node",
        "operator",
        2,
        key="p r",
        leads_to="on",
        doing="resetting",
        question="Reset {} now?",
        consequence="Data not yet written to disk is lost.",
    ),
    Verb(
        "power.reboot",
        "reboot",
        "ask the guest to reboot (ACPI)",
        "node",
        "operator",
        2,
        key="p b",
        leads_to="on",
        doing="rebooting",
        question="Reboot {}?",
        consequence="What runs there ends, once the guest obeys.",
        held=True,
        args=(_GRACE, Argument("then", "leave", "after the grace: leave it, or reset", ("leave", "reset"))),
    ),
    Verb(
        "power.pause",
        "pause",
        "freeze its processors",
        "node",
        "operator",
        1,
        key="p z",
        leads_to="paused",
        doing="pausing",
        inverse="power.resume",
    ),
    Verb(
        "power.resume",
        "resume",
        "let a paused node run on",
        "node",
        "operator",
        1,
        key="p c",
        leads_to="on",
        doing="resuming",
        inverse="power.pause",
    ),
    Verb(
        "power.boot",
        "boot",
        "turn on, or reset if it is on",
        "node",
        "operator",
        2,
        key="p p",
        leads_to="on",
        doing="booting",
        question="Boot {} now?",
        consequence="What is on already is reset: data not yet written to disk is lost.",
    ),
    Verb(
        "power.install",
        "install",
        "boot from the network once, then from disk again",
        "node",
        "owner",
        3,
        key="p i",
        leads_to="on",
        doing="booting to install",
        question="Install {} over the network?",
        consequence="What is on is reset at once, and an installation may erase the disks.",
    ),
)

BY_ID: dict[str, Verb] = {verb.id: verb for verb in VERBS}


def verb_table() -> str:
    """The verbs as a Markdown table, for the documents."""
    lines = ["| verb | what it does | role | danger | arguments |", "| --- | --- | --- | --- | --- |"]
    for verb in VERBS:
        args = ", ".join(f"`{a.name}` = {a.default} ({a.help})" for a in verb.args) or "-"
        lines.append(f"| `{verb.id}` | {verb.help} | {verb.role} | {verb.danger} | {args} |")
    return "\n".join(lines) + "\n"
