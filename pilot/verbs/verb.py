"""What a verb is: one thing that can be asked, with its arguments and its danger."""

from __future__ import annotations

from typing import Literal

import msgspec

from pilot.errors import UsageError
from pilot.records import NodeState, Role

Scope = Literal["node", "cluster", "host", "site"]
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
