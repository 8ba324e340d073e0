"""What the keys of a console's tab do to the node and with the others: power, keys, keyboard, words."""

from __future__ import annotations

from collections.abc import Mapping

from pilot.danger import Question
from pilot.key_sequences import KeySequence
from pilot.live.cockpit import Cockpit, Desk
from pilot.screens import acting
from pilot.screens.base import PilotScreen
from pilot.screens.console_pane import ConsolePane
from pilot.screens.keys_menu import Chosen, KeysMenu, Sent, open_menu
from pilot.screens.people import PeopleScreen
from pilot.screens.power_menu import PowerMenu
from pilot.screens.told import ToldScreen
from pilot.verbs import Value, Verb
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.prompt import Prompt

SAY = "»"
"""The sign of the line that is said to the others."""


class ConsoleActs(PilotScreen):
    """The part of a console's tab that acts. Which console it acts on is the derived class's."""

    _active: ConsolePane

    def __init__(self, cockpit: Cockpit, desk: Desk) -> None:
        super().__init__(cockpit)
        self._desk = desk

    # --- the node --------------------------------------------------------------------------------

    def action_power(self) -> None:
        """The menu of power verbs."""

        def chosen(verb: Verb | None) -> None:
            if verb is not None:
                self._ask(verb, {})

        self.app.push_screen(PowerMenu((self._active.node,), self._why_not), chosen)

    def action_send(self) -> None:
        """The menu of what can be sent: verbs, and the user's own sequences."""
        pane, node = self._active, self._active.node

        def chosen(choice: Chosen) -> None:
            if isinstance(choice, Sent):
                self._ask(choice.verb, choice.args)
            elif choice.confirm:
                words = f"It types {choice.written}"
                question = Question(
                    "confirm", f"Type {choice.name} into {pane.session.name}?", "Type", words, ()
                )
                self.app.push_screen(
                    ConfirmScreen(question), lambda yes: self._type(pane, choice) if yes else None
                )
            else:
                self._type(pane, choice)

        own = self.cockpit.settings.sequence
        not_typed = "" if pane.session.writing else "you do not write"
        open_menu(self.app, KeysMenu((node,), self._why_not, own, not_typed), (node,), chosen)

    def action_screen(self) -> None:
        """The node's screen, in its own tab."""
        self.post_message(acting.ScreensWanted((self._active.node,)))

    def _type(self, pane: ConsolePane, sequence: KeySequence) -> None:
        if pane.type_sequence(sequence):
            self.cockpit.flash(f"types {sequence.name}", "dim", 4)

    def _why_not(self, verb: Verb) -> str:
        return self._desk.activities.why_not(verb, (self._active.node.cluster,))

    def _ask(self, verb: Verb, args: Mapping[str, Value]) -> None:
        self.post_message(acting.VerbChosen(verb, (self._active.node,), args=args))

    # --- the others ------------------------------------------------------------------------------

    def action_take(self) -> None:
        """Take the keyboard, for oneself alone."""
        self._active.session.take()
        self.action_type()

    def action_join(self) -> None:
        """Type beside who types."""
        self._active.session.join()
        self.action_type()

    def action_watch(self) -> None:
        """Give the keyboard back."""
        self._active.session.release()

    def action_people(self) -> None:
        """Who is here."""
        pane = self._active
        self.app.push_screen(
            PeopleScreen(pane.session, pane.may_write, self.cockpit.clock), self._said_something
        )

    def action_told(self) -> None:
        """What was told of this console."""
        self.app.push_screen(ToldScreen(self._active.session), self._said_something)

    def action_say(self) -> None:
        """Ask what is to be said to the others."""
        prompt = self.query_one(Prompt)
        prompt.ask(SAY)
        prompt.note("to all who are at this console; the guest does not see it")

    def say(self, text: str) -> None:
        """Say it; airboss tells it to all, who says it included."""
        if text.strip() and not self._active.session.chat(text):
            self.cockpit.flash("nobody hears it: the console is not open", "bad")

    def _said_something(self, wanted: bool | None) -> None:
        if wanted:
            self.action_say()

    def action_type(self) -> None:
        """Keys go to the guest again."""
        self._active.terminal.look_at_bottom()
        self._active.terminal.focus()

    # --- the console itself ----------------------------------------------------------------------

    def action_stty(self) -> None:
        """Type what tells the guest's shell the terminal's size."""
        self._active.session.type(self._active.session.stty_command())
        self.action_type()

    def action_size(self) -> None:
        """80 by 24, which is what most guests take a serial line for; or all the room there is."""
        self._active.fix_size(not self._active.terminal.fixed)

    def action_cancel_paste(self) -> None:
        """Stop typing what was pasted."""
        if self._active.session.pasting.cancel():
            self.cockpit.flash("the rest of the paste is not typed", "dim", 4)

    def action_again(self) -> None:
        """Try to open it now."""
        self._active.session.retry()

    def action_full(self) -> None:
        """The console in the whole terminal, until `Ctrl+]`."""
        self._active.go_full()

    # --- looking ---------------------------------------------------------------------------------

    def action_boot(self) -> None:
        """Where the node was turned on; pressed again, the time before that."""
        self._active.look_at_boot()
