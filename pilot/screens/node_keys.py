"""What the keys of the nodes' screen ask for: consoles, power, names, saved filters."""

from __future__ import annotations

from collections.abc import Sequence

from textual.binding import Binding

from pilot.errors import PilotError, UsageError
from pilot.records import Node
from pilot.screens import acting
from pilot.screens.filtered import FilteredScreen
from pilot.screens.keys_menu import Chosen, KeysMenu, Sent, open_menu
from pilot.screens.power_menu import PowerMenu
from pilot.verbs import Verb


class NodeKeys(FilteredScreen):
    """A screen whose table has nodes."""

    BINDINGS = [
        Binding("c", "console", "console", id="nodes.console"),
        Binding("w", "watch", "watch console", show=False, id="nodes.watch"),
        Binding("v", "screen", "screen", id="nodes.screen"),
        Binding("W", "wall", "wall", show=False, id="nodes.wall"),
        Binding("b", "broadcast", "type at several", show=False, id="nodes.broadcast"),
        Binding("p", "power", "power", id="nodes.power"),
        Binding("o", "record", "record on/off", show=False, id="nodes.record"),
        Binding("K", "send", "send keys", show=False, id="nodes.send"),
        Binding("y", "copy", "copy name", show=False, id="nodes.copy"),
    ]

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """To a read-only look the menus of verbs are not there."""
        if action in ("power", "send", "broadcast", "record") and self.cockpit.readonly:
            return False
        return super().check_action(action, parameters)

    def targets(self) -> Sequence[Node]:
        """What a verb is for: the marked nodes, or the one under the cursor."""
        rows = (self.table.row(key) for key in self.table.targets())
        return [row for row in rows if row is not None]

    def hidden(self) -> int:
        """How many of the targets the filter hides."""
        marks = self.table.marks
        return len(marks.difference(self.table.shown)) if marks else 0

    def action_console(self) -> None:
        """The consoles of the targets, each in a tab."""
        self.post_message(acting.ConsolesWanted(self.targets()))

    def action_watch(self) -> None:
        """The same, without typing."""
        self.post_message(acting.ConsolesWanted(self.targets(), "watch"))

    def action_broadcast(self) -> None:
        """Type at the consoles of the targets together."""
        self.post_message(acting.BroadcastWanted(self.targets(), self.hidden()))

    def action_screen(self) -> None:
        """The screens of the targets, each in a tab."""
        self.post_message(acting.ScreensWanted(self.targets()))

    def action_wall(self) -> None:
        """The screens of the marked nodes as a wall; of those that pass the filter if none is marked."""
        marks = self.table.marks
        self.post_message(acting.WallWanted(marks, "" if marks else self.filter_text))

    def action_record(self) -> None:
        """Record the consoles of the targets from now on; if all of them are recorded, no longer."""
        self.post_message(acting.recording_of(self.targets(), self.hidden()))

    def action_power(self) -> None:
        """The menu of power verbs; its second key chooses one."""
        nodes = self.targets()
        if not nodes:
            self.cockpit.flash("Power: there is no node for it here.", "bad")
            return
        clusters = sorted({node.cluster for node in nodes})
        desk, hidden = self.cockpit.desk, self.hidden()

        def chosen(verb: Verb | None) -> None:
            if verb is not None:
                self.post_message(acting.VerbChosen(verb, nodes, hidden))

        self.app.push_screen(
            PowerMenu(nodes, lambda verb: desk.activities.why_not(verb, clusters, nodes)), chosen
        )

    def action_send(self) -> None:
        """The menu of what can be sent: a break, SysRq, an NMI, Ctrl+Alt+Del, the user's own keys."""
        nodes = self.targets()
        if not nodes:
            self.cockpit.flash("Send keys: there is no node for it here.", "bad")
            return
        clusters = sorted({node.cluster for node in nodes})
        desk, hidden = self.cockpit.desk, self.hidden()

        def chosen(choice: Chosen) -> None:
            if isinstance(choice, Sent):
                self.post_message(acting.VerbChosen(choice.verb, nodes, hidden, choice.args))

        own = self.cockpit.settings.sequence
        menu = KeysMenu(nodes, lambda verb: desk.activities.why_not(verb, clusters, nodes), own)
        open_menu(self.app, menu, nodes, chosen)

    def use_filter(self, words: Sequence[str]) -> None:
        """What `:filter` was told: a saved filter's name, `save NAME` or `forget NAME`; alone it clears."""
        saved = self.cockpit.filters
        try:
            if not words:
                self.set_filter("")
            elif words[0] == "save" and len(words) == 2:
                saved.save(words[1], self._filter_text)
                self.cockpit.flash(f"saved as {words[1]}: {self._filter_text}", "dim")
            elif words[0] == "forget" and len(words) == 2:
                saved.forget(words[1])
            elif words[0] in ("save", "forget"):
                raise UsageError(f":filter {words[0]} takes the filter's name")
            else:
                self.set_filter(saved.find(words[0]))
        except PilotError as error:
            self.cockpit.flash_error(error)

    def action_copy(self) -> None:
        """The names of the targets to the clipboard."""
        names = " ".join(node.name or node.domain for node in self.targets())
        if not names:
            return
        self.app.copy_to_clipboard(names)
        self.cockpit.flash(f"copied: {names}", "dim", 3)
