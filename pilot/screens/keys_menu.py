"""The menu of what can be sent: `k` and a key. Verbs of the table, and the user's own sequences."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from textual.app import App
from textual.binding import Binding

from pilot.danger import Question
from pilot.key_sequences import KeySequence
from pilot.records import Node
from pilot.screens import sysrq
from pilot.screens.verb_menu import Item, KeyMenu, menu_verbs, whom
from pilot.verbs import BY_ID, Value, Verb
from pilot.widgets.confirm import ConfirmScreen

PREFIX = "k"
SYSRQ = "send.sysrq"
PRESS = "send.keys"


class Sent(NamedTuple):
    """A verb with its arguments."""

    verb: Verb
    args: Mapping[str, Value]
    confirm: str = ""
    """The user's own name for it, if it is to be asked about because the user wants that."""


Chosen = Sent | KeySequence


class KeysMenu(KeyMenu[Chosen]):
    """What is to be sent; None if nothing is. Digits are the user's sequences."""

    def __init__(
        self,
        nodes: Sequence[Node],
        why_not: Callable[[Verb], str],
        sequences: Sequence[KeySequence] = (),
        not_typed: str | None = None,
    ) -> None:
        """For these nodes.

        Args:
            nodes: who gets it.
            why_not: why a verb would be refused; empty if it would not.
            sequences: the user's own.
            not_typed: why they cannot be typed now; empty if they can, None where there is no console:
                then only those are offered that are pressed.
        """
        verbs = menu_verbs(PREFIX).items()
        items: list[Item[Chosen]] = [
            Item(key, verb.label, verb.help, Sent(verb, {}), why_not(verb)) for key, verb in verbs
        ]
        items += [
            Item(str((at + 1) % 10), own.name, f"types {own.written}", own, not_typed or "")
            if not own.press
            else Item(
                str((at + 1) % 10), own.name, f"presses {own.press}", _pressed(own), why_not(BY_ID[PRESS])
            )
            for at, own in enumerate(sequences)
            if own.press or not_typed is not None
        ]
        super().__init__(f"Send to {whom(nodes)}", items)


def _pressed(own: KeySequence) -> Sent:
    return Sent(BY_ID[PRESS], {"keys": own.press}, own.name if own.confirm else "")


class SysrqMenu(KeyMenu[Chosen]):
    """Which letter; Tab chooses the way that it takes."""

    BINDINGS = [Binding("tab", "way", "keyboard or serial line", priority=True)]

    def __init__(self, nodes: Sequence[Node]) -> None:
        """For these nodes."""
        verb = BY_ID[SYSRQ]
        items: list[Item[Chosen]] = [
            Item(letter, "", words, Sent(verb, {"letter": letter})) for letter, words in sysrq.LETTERS.items()
        ]
        self._ways = next(argument.choices for argument in verb.args if argument.name == "by")
        self._way = 0
        super().__init__(f"Magic SysRq for {whom(nodes)}", items, self._words())

    def _words(self) -> str:
        said = {
            "keyboard": "Alt+SysRq on its keyboard",
            "serial": "break and letter on its serial line",
        }
        way = self._ways[self._way]
        return f"as {said.get(way, way)}; Tab: the other way"

    def action_way(self) -> None:
        """The other way."""
        self._way = (self._way + 1) % len(self._ways)
        self.show_hint(self._words())

    def dismiss(self, result: Chosen | None = None) -> Any:
        """With the way that is chosen."""
        if isinstance(result, Sent):
            result = Sent(result.verb, {**result.args, "by": self._ways[self._way]})
        return super().dismiss(result)


def open_menu(app: App[Any], menu: KeysMenu, nodes: Sequence[Node], chosen: Callable[[Chosen], None]) -> None:
    """Ask what is to be sent, and for its letter where it needs one."""

    def answered(choice: Chosen | None) -> None:
        if isinstance(choice, Sent) and choice.verb.id == SYSRQ and not choice.args:
            app.push_screen(SysrqMenu(nodes), answered)
        elif isinstance(choice, Sent) and choice.confirm:
            words = f"It presses {choice.args['keys']} on the keyboard"
            question = Question("confirm", f"Press {choice.confirm} at {whom(nodes)}?", "Press", words, ())
            app.push_screen(ConfirmScreen(question), lambda yes: chosen(choice) if yes else None)
        elif choice is not None:
            chosen(choice)

    app.push_screen(menu, answered)
