"""The menu of keys that terminals and window managers keep for themselves: `k` at a screen, then others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from textual.app import App

from pilot.danger import Question
from pilot.screens import sysrq
from pilot.screens.verb_menu import Item, KeyMenu
from pilot.vnc.keys import COMBINATIONS, Combination, Stroke
from pilot.widgets.confirm import ConfirmScreen

Further = Literal["console", "function", "sysrq", "words"]
Choice = Combination | Further

SYSRQ_PREFIX = "Alt+SysRq+"
_DELETE = "Ctrl+Alt+Del"
_FUNCTION = "F"
_NUMBERS = "123456789abc"
"""Keys of the menus of twelve."""
_SINGLE = "qwertyuiaghjlzxvn"
"""Keys of what is listed without a letter of its own."""


def menu_items() -> list[Item[Choice]]:
    """What the first menu offers."""
    by_title = {combination.title: combination for combination in COMBINATIONS}
    items: list[Item[Choice]] = [
        Item("d", _DELETE, "most guests reboot then", by_title[_DELETE]),
        Item("c", "Ctrl+Alt+F…", "another of the guest's consoles: F1 to F12 is next", "console"),
        Item("s", "SysRq…", "a command to Linux' kernel, by its letter", "sysrq"),
        Item("f", "F1…", "function keys", "function"),
        Item("o", "other …", "any keys: you write which", "words"),
    ]
    shown = {_DELETE}
    single = [c for c in COMBINATIONS if c.kind in ("system", "key") and c.title not in shown]
    single = [c for c in single if not _is_function(c)]
    items += [Item(key, c.title, "", c) for key, c in zip(_SINGLE, single, strict=False)]
    return items


def further_items(which: Further) -> list[Item[Choice]]:
    """What the second menu offers."""
    if which == "sysrq":
        letters = [c for c in COMBINATIONS if c.kind == "sysrq"]
        return [Item(c.title[-1], "", sysrq.LETTERS.get(c.title[-1], c.title), c) for c in letters]
    found = [c for c in COMBINATIONS if (c.kind == "console" if which == "console" else _is_function(c))]
    return [Item(key, c.title, "", c) for key, c in zip(_NUMBERS, found, strict=False)]


def _is_function(combination: Combination) -> bool:
    title = combination.title
    return combination.kind == "key" and title.startswith(_FUNCTION) and title[1:].isdecimal()


class StrokesMenu(KeyMenu[Choice]):
    """What is to be pressed; None if nothing is."""

    def __init__(self, title: str, items: Sequence[Item[Choice]]) -> None:
        super().__init__(title, items)


def open_menu(
    app: App[Any], name: str, press: Callable[[Stroke, str], None], words: Callable[[], None]
) -> None:
    """Ask what is to be pressed.

    Args:
        app: where it is asked.
        name: the node's.
        press: presses what was chosen, which has a title; what is dangerous was confirmed.
        words: asks for keys in words.
    """

    def answered(choice: Choice | None) -> None:
        if choice is None:
            return
        if choice == "words":
            words()
        elif isinstance(choice, str):
            app.push_screen(StrokesMenu(f"Press at {name}", further_items(choice)), answered)
        elif choice.dangerous:
            confirm(app, choice, name, press)
        else:
            press(choice.stroke, choice.title)

    app.push_screen(StrokesMenu(f"Press at {name}", menu_items()), answered)


def confirm(app: App[Any], choice: Combination, name: str, press: Callable[[Stroke, str], None]) -> None:
    """Ask before keys that may end what runs there are pressed."""
    consequence = "Most guests reboot then, or end a session: what runs there may end."
    if choice.title.startswith(SYSRQ_PREFIX):
        letter = choice.title[-1]
        consequence = f"{letter}: {sysrq.LETTERS.get(letter, 'it depends on the kernel')}."
    question = Question("confirm", f"Press {choice.title} at {name}?", "Press", consequence, ())
    app.push_screen(ConfirmScreen(question), lambda yes: press(choice.stroke, choice.title) if yes else None)
