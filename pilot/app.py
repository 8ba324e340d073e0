"""The Textual app: its areas and tabs, its theme and keymap, and what leads from one to the other."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from rich.segment import Segments
from rich.traceback import Traceback
from textual.app import UnknownModeError
from textual.binding import Binding
from textual.dom import DOMNode
from textual.screen import Screen

from pilot import app_config, ending, going, keymap, themes
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit
from pilot.live.opening import Mode
from pilot.records import Host, Node
from pilot.screens import acting, cordoning, leaving
from pilot.screens.activity import ActivityScreen
from pilot.screens.alerts import Alerts
from pilot.screens.base import GoneTo, PilotScreen, TabChosen
from pilot.screens.clusters import ClustersScreen
from pilot.screens.events import EventsScreen
from pilot.screens.filtered import FilteredScreen
from pilot.screens.hosts import HostsScreen
from pilot.screens.instances import InstancesScreen
from pilot.screens.journal import JournalScreen
from pilot.screens.lease_warnings import LeaseWarnings
from pilot.screens.machines import MachinesScreen
from pilot.screens.nodes import NodesScreen
from pilot.screens.overview import OverviewScreen
from pilot.screens.questions import StoppedScreen
from pilot.screens.tree import TreeScreen
from pilot.screens.vlans import VlansScreen
from pilot.verbs import BY_ID
from pilot.widgets.confirm import ConfirmScreen
from pilot.widgets.graphics import TerminalGraphics
from pilot.widgets.ordered_keys import OrderedKeys
from pilot.widgets.orderly_end import OrderlyEnd
from pilot.widgets.terminal_answers import TerminalAnswered

if TYPE_CHECKING:
    from pilot.screens.broadcasts import Broadcasts
    from pilot.screens.consoles import Consoles
    from pilot.screens.recording_tabs import RecordingTabs
    from pilot.screens.screens import Screens
    from pilot.screens.wall import WallScreen

_log = logging.getLogger(__name__)

AREAS: dict[str, Callable[[Cockpit], PilotScreen]] = {
    "nodes": NodesScreen,
    "hosts": HostsScreen,
    "vlans": VlansScreen,
    "instances": InstancesScreen,
    "slots": MachinesScreen,
    "overview": OverviewScreen,
    "clusters": ClustersScreen,
    "events": EventsScreen,
    "activity": ActivityScreen,
    "journal": JournalScreen,
}


MOST_CONSOLES = 16
"""Consoles that are opened with one key: each has a tab, a channel and a terminal of its own."""


class PilotApp(OrderedKeys[int], OrderlyEnd[int], inherit_bindings=False):
    """Rocks Pilot in a terminal."""

    TITLE = "Rocks Pilot"
    CSS_PATH = "app.tcss"
    DEFAULT_MODE = "nodes"
    ENABLE_COMMAND_PALETTE = False
    NOTIFICATION_TIMEOUT = 8.0

    def __init__(self, cockpit: Cockpit, first: str = "") -> None:
        """`first`: a command of the `:` line to begin with."""
        super().__init__()
        self.cockpit = cockpit
        self._first = first
        for mode, screen in AREAS.items():
            self.add_mode(mode, partial(screen, cockpit))
        for theme in themes.THEMES:
            self.register_theme(theme)
        self.theme = app_config.theme_for(cockpit.settings.theme)
        keys = keymap.read(cockpit.settings.keys)
        self.set_keymap(keys.keymap)
        if keys.lost:
            cockpit.flash(f"app.toml, keys: {keys.lost}", "busy", 20)
        self.graphics = TerminalGraphics(self, cockpit.settings.graphics)
        self._consoles: Consoles | None = None
        self._broadcasts: Broadcasts | None = None
        self._screens: Screens | None = None
        self._recordings: RecordingTabs | None = None
        self._wall: WallScreen | None = None
        self._explained: PilotError | None = None
        self._warnings = LeaseWarnings(self, cockpit)
        self._alerts = Alerts(self, cockpit)

    def on_mount(self) -> None:
        """Connect once the first frame is on the screen."""
        self.cockpit.changed.listen(self._look)
        if not self.is_headless:
            ending.on_signals(self.exit)
        self.call_after_refresh(self._connect)

    def _connect(self) -> None:
        self.cockpit.sites.start()
        self._alerts.start()
        if self._first:
            self.post_message(GoneTo(going.Command(self._first)))
        self._look()

    def _look(self) -> None:
        """Explain once what stopped the connection."""
        if not self.is_running:
            return
        self._warnings.look()
        live = self.cockpit.desk.live
        if live.state != "refused":
            self._explained = None
        elif live.error is not None and live.error is not self._explained:
            self._explained = live.error
            self.push_screen(StoppedScreen(live.site.name, live.error), self._stopped)

    def _stopped(self, choice: str | None) -> None:
        if choice == "retry":
            self.cockpit.desk.live.retry()
        elif choice == "quit":
            self.call_later(self.action_quit)
        elif choice == "sites" and isinstance(self.screen, PilotScreen):
            self.screen.action_sites()

    async def action_quit(self) -> None:
        """Leave, once it is clear that nothing is given up by accident."""
        question = leaving.question(self.cockpit.desks())
        if question is None:
            self.exit(0)
        else:
            self.push_screen(ConfirmScreen(question), lambda yes: self.exit(0) if yes else None)

    async def on_unmount(self) -> None:
        """What is held is not sent, and all links end."""
        self._warnings.stop()
        self._alerts.stop()
        for desk in self.cockpit.desks():
            await desk.activities.close()
        await self.cockpit.sites.close()

    # --- where to ---------------------------------------------------------------------------------

    async def _show(self, mode: str) -> Screen[Any]:
        """Show an area or a tab, if it is still there; what is below all dialogs then."""
        with suppress(UnknownModeError):
            await self.switch_mode(mode)
        return self.screen_stack[0]

    async def on_tab_chosen(self, event: TabChosen) -> None:
        """Show the tab."""
        await self._show(event.mode)

    async def on_gone_to(self, event: GoneTo) -> None:
        """Follow the `:` line."""
        destination = event.destination
        if isinstance(destination, going.Area):
            screen = await self._show(destination.mode)
            if destination.filter is not None and isinstance(screen, FilteredScreen):
                screen.try_filter(destination.filter)
        elif isinstance(destination, going.Spot):
            screen = await self._show("nodes")
            if isinstance(screen, NodesScreen):
                screen.show_line(destination.node)
        elif isinstance(destination, going.Line):
            screen = await self._show(destination.mode)
            if isinstance(screen, TreeScreen | NodesScreen | ClustersScreen):
                screen.show_line(destination.key)
        elif isinstance(destination, going.Asked):
            nodes, hidden = destination.nodes, 0
            if nodes is None:
                nodes, hidden = self._targets()
            self.post_message(acting.VerbChosen(destination.verb, nodes, hidden))
        elif isinstance(destination, going.Leased):
            nodes, hidden = destination.nodes, 0
            if nodes is None:
                nodes, hidden = self._targets()
            self.post_message(acting.LeaseWanted(nodes, destination.when, hidden))
        elif isinstance(destination, going.Together):
            named = destination.nodes
            self.post_message(acting.BroadcastWanted(*(self._targets() if named is None else (named,))))
        else:
            await self._command(destination)

    def _targets(self) -> tuple[tuple[Node, ...], int]:
        """What a verb is for where none are named, and how many of them are out of sight."""
        screen = self.screen
        return (tuple(screen.targets()), screen.hidden()) if isinstance(screen, PilotScreen) else ((), 0)

    async def _command(self, command: going.Command) -> None:
        word = command.words[0] if command.words else ""
        if command.name == "quit":
            self.call_later(self.action_quit)
        elif command.name == "help" and isinstance(self.screen, PilotScreen):
            self.screen.action_help()
        elif command.name == "cluster":
            self._look_at(word)
        elif command.name == "site":
            await self._go_to_site(word)
        elif command.name == "theme":
            self._use_theme(word)
        elif command.name == "filter":
            screen = await self._show("nodes")
            if isinstance(screen, NodesScreen):
                screen.use_filter(command.words)
        elif command.name in ("cordon", "uncordon"):
            self._cordon(command.name == "cordon", command.words)
        elif command.name == "wall":
            self.post_message(acting.WallWanted())
        elif command.name == "recordings" or (command.name == "play" and not word):
            self.post_message(acting.RecordingsWanted())
        elif command.name == "play":
            self.post_message(acting.RecordingWanted(word))

    def _look_at(self, cluster: str) -> None:
        known = self.cockpit.desk.live.clusters()
        if cluster and cluster not in known:
            shown = ", ".join(known) or "none"
            self.cockpit.flash(f"There is no cluster '{cluster}', or it is not yours. Yours: {shown}.", "bad")
            return
        self.cockpit.look_at(cluster)

    async def _go_to_site(self, name: str) -> None:
        if not name and isinstance(self.screen, PilotScreen):
            self.screen.action_sites()
            return
        try:
            self.cockpit.sites.switch(name)
        except PilotError as error:
            self.cockpit.flash_error(error)
            return
        await self._show("nodes")

    def _use_theme(self, name: str) -> None:
        if name not in themes.NAMES:
            self.cockpit.flash(f"Themes: {', '.join(themes.NAMES)}.", "dim")
            return
        self.theme = f"pilot-{name}"

    # --- what to do -------------------------------------------------------------------------------

    def on_verb_chosen(self, event: acting.VerbChosen) -> None:
        """A verb for nodes; a console is opened in a tab."""
        if event.verb.id == "console.open":
            self.post_message(acting.ConsolesWanted(event.nodes))
        elif event.verb.id == "lease.set" and not event.args:
            self.post_message(acting.LeaseWanted(event.nodes, hidden=event.hidden))
        elif event.verb.id in ("screen.open", "screen.picture"):
            self.post_message(acting.ScreensWanted(event.nodes))
        else:
            acting.ask(self, self.cockpit, event.verb, event.nodes, event.hidden, event.args)

    def on_lease_wanted(self, event: acting.LeaseWanted) -> None:
        """Say until when nodes run."""
        acting.lease(self, self.cockpit, event)

    def on_cordon_wanted(self, event: acting.CordonWanted) -> None:
        """Cordon hosts, or take that back."""
        cordoning.ask(self, self.cockpit, event.hosts, event.cordon, event.why)

    def _cordon(self, cordon: bool, words: Sequence[str]) -> None:
        """`:cordon HOST why`; of the host under the cursor if none is named."""
        linked = self.screen.linked() if isinstance(self.screen, PilotScreen) else None
        hosts = [linked] if isinstance(linked, Host) else []
        try:
            if words:
                hosts = cordoning.named(self.cockpit, words[:1])
        except PilotError as error:
            self.cockpit.flash_error(error)
            return
        why = " ".join(words[1:]) or None
        self.post_message(acting.CordonWanted(hosts, cordon, why))

    def on_consoles_wanted(self, event: acting.ConsolesWanted) -> None:
        """Open a console's tab, or go to it if it is open."""
        if reason := acting.why_not(self.cockpit, BY_ID["console.open"], event.nodes):
            self.cockpit.flash(f"Console: {reason}.", "bad")
            return
        if len(event.nodes) > MOST_CONSOLES:
            said = f"Console: of {len(event.nodes)} nodes at once is too much, mark {MOST_CONSOLES} at most."
            self.cockpit.flash(said, "bad")
            return
        for node in event.nodes:
            self._open_console(node, event.mode)

    def _open_console(self, node: Node, mode: Mode) -> None:
        self._all_consoles().open(self.cockpit.desk, node, mode)

    def _all_consoles(self) -> Consoles:
        if self._consoles is None:
            from pilot.screens.consoles import Consoles  # the terminal engine comes with it

            self._consoles = Consoles(self, self.cockpit)
        return self._consoles

    def on_broadcast_wanted(self, event: acting.BroadcastWanted) -> None:
        """Ask whether to type at several consoles at once."""
        if self._broadcasts is None:
            from pilot.screens.broadcasts import Broadcasts  # the terminal engine comes with it

            self._broadcasts = Broadcasts(self, self.cockpit, self._all_consoles().turns)
        self._broadcasts.ask(event.nodes, event.hidden)

    def on_screens_wanted(self, event: acting.ScreensWanted) -> None:
        """Open a screen's tab, or go to it if it is open."""
        pictured = [node for node in event.nodes if node.provider == "ec2"]
        nodes = [node for node in event.nodes if node.screen] + pictured
        verb = BY_ID["screen.picture" if pictured and len(pictured) == len(event.nodes) else "screen.open"]
        reason = acting.why_not(self.cockpit, verb, event.nodes)
        if event.nodes and not nodes:
            reason = (
                "there is none: no VNC display is defined for it" if len(event.nodes) == 1 else "none has one"
            )
        if len(nodes) > MOST_CONSOLES:
            reason = f"of {len(nodes)} nodes at once is too much, mark {MOST_CONSOLES} at most"
        if reason:
            self.cockpit.flash(f"Screen: {reason}.", "bad")
            return
        if self._screens is None:
            from pilot.screens.screens import Screens  # numpy comes with it

            self._screens = Screens(self, self.cockpit, self.graphics)
        for node in nodes:
            self._screens.open(self.cockpit.desk, node)

    def on_wall_wanted(self, event: acting.WallWanted) -> None:
        """Show the wall, in its own tab."""
        from pilot.screens import wall  # numpy comes with it

        if self._wall is None:
            self._wall = screen = wall.WallScreen(self.cockpit, event.only, event.filter_text)
            self.add_mode(wall.MODE, lambda: screen)
            self.cockpit.open_tab(screen.named())
        else:
            self._wall.show_only(event.only, event.filter_text)
        self.switch_mode(wall.MODE)

    def on_recordings_wanted(self, _event: acting.RecordingsWanted) -> None:
        """Show the list of recordings, in its own tab."""
        self._all_recordings().show_list()

    def on_recording_wanted(self, event: acting.RecordingWanted) -> None:
        """Play a recording, in its own tab."""
        self._all_recordings().play(event.wanted)

    def _all_recordings(self) -> RecordingTabs:
        if self._recordings is None:
            from pilot.screens.recording_tabs import RecordingTabs  # the terminal engine comes with it

            self._recordings = RecordingTabs(self, self.cockpit)
        return self._recordings

    def on_terminal_answered(self, event: TerminalAnswered) -> None:
        """What the terminal says of itself."""
        self.graphics.answered(event.text)

    def on_tab_closed(self, event: acting.TabClosed) -> None:
        """A tab that the user opened is not wanted any more."""
        if self._screens is not None:
            self._screens.close(event.mode)
        if self._consoles is not None:
            self._consoles.close(event.mode)
        if self._broadcasts is not None:
            self._broadcasts.close(event.mode)
        if self._recordings is not None:
            self._recordings.close(event.mode)
        if self._wall is not None and event.mode == self._wall.MODE:
            self._wall = None
            self.cockpit.close_tab(event.mode)
            if self.current_mode == event.mode:
                self.switch_mode("nodes")
            self.remove_mode(event.mode)

    # --- keys -------------------------------------------------------------------------------------

    def handle_bindings_clash(self, clashed_bindings: set[Binding], node: DOMNode) -> None:
        """It was said when the keymap was read."""

    # --- the end ----------------------------------------------------------------------------------

    def _handle_exception(self, error: Exception) -> None:
        _log.error("pilot made a mistake", exc_info=error)
        super()._handle_exception(error)

    def _fatal_error(self) -> None:
        # As Textual does it, but without the values of variables: a passphrase may be among them.
        traceback = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(traceback, self.console.options)))
        self._close_messages_no_wait()
