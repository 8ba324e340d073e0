"""What the keys of a console's tab do to the node and with the others: power, keys, keyboard, words."""

from __future__ import annotations

from collections.abc import Mapping

from pilot.danger import Question
from pilot.key_sequences import KeySequence
from pilot.screens import acting
from pilot.screens.console_pane import ConsolePane
from pilot.screens.guest_tab import GuestTab
from pilot.screens.keys_menu import Chosen, KeysMenu, Sent, open_menu
from pilot.screens.people import PeopleScreen
from pilot.screens.told import ToldScreen
from pilot.verbs import Value, Verb
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.prompt import Prompt

SAY = "»"
"""The sign of the line that is said to the others."""


class ConsoleActs(GuestTab):
    """The part of a console's tab that acts. Which console it acts on is the derived class's."""

    active: ConsolePane

    # --- the node --------------------------------------------------------------------------------

    def action_send(self) -> None:
        """The menu of what can be sent: verbs, and the user's own sequences."""
        pane, node = self.active, self.active.node

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
        open_menu(self.app, KeysMenu((node,), self.why_not, own, not_typed), (node,), chosen)

    def action_screen(self) -> None:
        """The node's screen, in its own tab."""
        self.post_message(acting.ScreensWanted((self.active.node,)))

    def action_record(self) -> None:
        """Record the console from now on; if it is recorded, no longer."""
        self.post_message(acting.recording_of((self.active.node,)))

    def _type(self, pane: ConsolePane, sequence: KeySequence) -> None:
        if pane.type_sequence(sequence):
            self.cockpit.flash(f"types {sequence.name}", "dim", 4)

    def _ask(self, verb: Verb, args: Mapping[str, Value]) -> None:
        self.post_message(acting.VerbChosen(verb, (self.active.node,), args=args))

    # --- the others ------------------------------------------------------------------------------

    def action_take(self) -> None:
        """Take the keyboard, for oneself alone."""
        self.active.session.take()
        self.action_type()

    def action_join(self) -> None:
        """Type beside who types."""
        self.active.session.join()
        self.action_type()

    def action_watch(self) -> None:
        """Give the keyboard back."""
        self.active.session.release()

    def action_people(self) -> None:
        """Who is here."""
        pane = self.active
        self.app.push_screen(
            PeopleScreen(pane.session, pane.may_write, self.cockpit.clock), self._said_something
        )

    def action_told(self) -> None:
        """What was told of this console."""
        self.app.push_screen(ToldScreen(self.active.session), self._said_something)

    def action_say(self) -> None:
        """Ask what is to be said to the others."""
        prompt = self.query_one(Prompt)
        prompt.ask(SAY)
        prompt.note("to all who are at this console; the guest does not see it")

    def say(self, text: str) -> None:
        """Say it; airboss tells it to all, who says it included."""
        if text.strip() and not self.active.session.chat(text):
            self.cockpit.flash("nobody hears it: the console is not open", "bad")

    def _said_something(self, wanted: bool | None) -> None:
        if wanted:
            self.action_say()

    # --- the console itself ----------------------------------------------------------------------

    def action_stty(self) -> None:
        """Type what tells the guest's shell the terminal's size."""
        self.active.session.type(self.active.session.stty_command())
        self.action_type()

    def action_size(self) -> None:
        """80 by 24, which is what most guests take a serial line for; or all the room there is."""
        self.active.fix_size(not self.active.terminal.fixed)

    def action_cancel_paste(self) -> None:
        """Stop typing what was pasted."""
        if self.active.session.pasting.cancel():
            self.cockpit.flash("the rest of the paste is not typed", "dim", 4)

    def action_again(self) -> None:
        """Try to open it now."""
        self.active.session.retry()

    def action_full(self) -> None:
        """The console in the whole terminal, until `Ctrl+]`."""
        self.active.go_full()

    # --- looking ---------------------------------------------------------------------------------

    def action_boot(self) -> None:
        """Where the node was turned on; pressed again, the time before that."""
        self.active.look_at_boot()
