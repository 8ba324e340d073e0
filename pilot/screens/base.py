"""What every screen has: title, tabs, a line for what happens, the keys that work, and the `:` line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.message import Message
from textual.messages import Prune
from textual.screen import Screen
from textual.widget import Widget

from pilot import app_config, going, themes
from pilot.errors import PilotError
from pilot.live.cockpit import Cockpit
from pilot.records import AnyRecord, Node
from pilot.render import activity
from pilot.render.connection import light, title
from pilot.render.table import Cell
from pilot.trees import links
from pilot.widgets.cell_line import CellLine
from pilot.widgets.key_bar import KeyBar
from pilot.widgets.prompt import Prompt
from pilot.widgets.tab_strip import Tab, TabStrip

AREAS = (
    ("nodes", "Nodes"),
    ("hosts", "Hosts"),
    ("vlans", "VLANs"),
    ("instances", "EC2"),
    ("slots", "Slots"),
    ("overview", "Overview"),
    ("clusters", "Clusters"),
    ("events", "Events"),
    ("activity", "Activity"),
    ("journal", "Journal"),
)
"""The app's areas: mode, and what the tab says."""

NEWS_SECONDS = 20.0
"""For how long the end of what was asked stays on the flash line."""


_CLOCK_FROM = 60
"""From so many columns on, the title line has room for the time of day."""


class GoneTo(Message):
    """The `:` line, a key or a click leads somewhere."""

    def __init__(self, destination: going.Destination) -> None:
        super().__init__()
        self.destination = destination


class TabChosen(Message):
    """A tab is to be shown."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode


class PilotScreen(Screen[None]):
    """A screen of the app. Those that derive from it say what is in the middle, in `body`."""

    CSS_PATH: ClassVar[list[str | PurePath]] = ["base.tcss"]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-normal"), (160, "-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-tiny"), (9, "-short"), (15, "-low"), (30, "-tall")]
    BINDINGS = [
        Binding("colon", "go", "go", key_display=":", id="app.go"),
        Binding("question_mark", "help", "keys", key_display="?", id="app.help"),
        Binding("u", "undo", "undo", id="app.undo"),
        *(Binding(str(n % 10), f"tab({n})", f"tab {n}", show=False, id=f"app.tab-{n}") for n in range(1, 11)),
        *(
            Binding(f"alt+{n}", f"opened({n})", f"opened tab {n}", show=False, id=f"app.opened-{n}")
            for n in range(1, 10)
        ),
        Binding(
            "right_square_bracket", "turn(1)", "next tab", key_display="]", show=False, id="app.next-tab"
        ),
        Binding(
            "left_square_bracket", "turn(-1)", "tab before", key_display="[", show=False, id="app.tab-before"
        ),
        Binding("x", "links", "links", id="app.links"),
        Binding("backspace", "trail", "back", show=False, id="app.back"),
        Binding("S", "sites", "sites", show=False, id="app.sites"),
        Binding("R", "retry", "connect now", show=False, id="app.retry"),
        Binding("ctrl+q", "leave", "quit", show=False, id="app.quit"),
        Binding("ctrl+c", "say_quit", "quit", show=False, system=True),
        Binding("ctrl+z", "app.suspend_process", "to the shell", show=False, id="app.suspend"),
    ]
    MODE = ""
    """The mode whose tab it is under."""

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__()
        self.cockpit = cockpit
        self._filters_known: tuple[str, ...] = ()

    def compose(self) -> ComposeResult:
        """The frame around the body."""
        yield CellLine(id="title")
        yield TabStrip(id="tabs")
        yield from self.body()
        yield CellLine(id="flash")
        yield KeyBar(id="keys")
        yield Prompt(id="prompt")

    def body(self) -> Iterable[Widget]:
        """What this screen is for."""
        return ()

    def crumbs(self) -> Sequence[Cell]:
        """Where one is, in a few words; stands at the right of the flash line."""
        return ()

    def on_mount(self) -> None:
        """Follow the cockpit, and the clock."""
        unlisten = self.cockpit.changed.listen(self._changed)
        self._unlisten = unlisten
        self.set_interval(1.0, self._tick)
        self.show_frame()

    async def on_prune(self, event: Prune) -> None:
        """End the workers before the widgets that they draw on go; Textual would end them after."""
        self.workers.cancel_node(self)

    def on_unmount(self) -> None:
        """Listen no more."""
        self._unlisten()

    def on_screen_resume(self) -> None:
        """Shown again: what changed meanwhile is drawn."""
        self.show_frame()

    def _changed(self) -> None:
        if self.is_current:
            self.call_later(self.show_frame)

    def _tick(self) -> None:
        if self.is_current:
            self.show_frame()
            if self.check_action("undo", ()) != self._could_undo:
                self.refresh_bindings()

    _could_undo: bool | None = None

    def show_frame(self) -> None:
        """Draw title, tabs and flash line as things are now."""
        if not self.is_mounted:
            return
        cockpit, desk = self.cockpit, self.cockpit.desk
        now = cockpit.clock()
        left, right = title(desk.live, desk.scope, cockpit.readonly, now)
        self.query_one("#title", CellLine).show(left, right if self.size.width >= _CLOCK_FROM else right[:-1])
        self.query_one(TabStrip).show(self.tabs(), self.MODE or self.app.current_mode)
        flash, trouble = cockpit.flashed(), light(desk.live, now)
        if flash is not None and (trouble is None or flash.link == desk.live.state):
            self.query_one("#flash", CellLine).show(
                [Cell(flash.text, flash.tone)], () if flash.tone == "bad" else self.crumbs()
            )
        elif trouble is not None:
            self.query_one("#flash", CellLine).show(trouble, self.crumbs())
        else:
            self.query_one("#flash", CellLine).show(*self._last_asked(now))

    def _last_asked(self, now: float) -> tuple[Sequence[Cell], Sequence[Cell]]:
        """What was asked last, while it is news; and how to take it back."""
        activities = self.cockpit.desk.activities
        newest = next(iter(activities.entries), None)
        over = newest is None or (newest.ended_at is not None and now - newest.ended_at > NEWS_SECONDS)
        if newest is None or (over and not activities.undoable(newest)):
            return (), self.crumbs()
        line = activity.line(newest, now, activities.undoable(newest))
        return line.left, line.right or self.crumbs()

    def tabs(self) -> list[Tab]:
        """The areas, then what the user has opened."""
        areas = [Tab(mode, name) for mode, name in AREAS]
        return [*areas, *(Tab(tab.mode, tab.title, True, tab.news) for tab in self.cockpit.opened)]

    def targets(self) -> Sequence[Node]:
        """What a verb is for here."""
        return ()

    def hidden(self) -> int:
        """How many of the targets are out of sight."""
        return 0

    # --- keys ------------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """`u` is there while something can be undone; `R` while there is no link."""
        if action == "undo":
            self._could_undo = self.cockpit.desk.activities.next_undo() is not None
            return self._could_undo
        if action == "links":
            return self.linked() is not None
        if action == "trail":
            return bool(self.cockpit.trail)
        if action == "retry":
            return self.cockpit.desk.live.state != "live"
        return True

    def action_go(self) -> None:
        """Open the `:` line."""
        known = self.known()
        self.query_one(Prompt).ask(":", complete=lambda line: going.complete(line, known))

    def known(self) -> going.Known:
        """What the `:` line may speak of here."""
        cockpit = self.cockpit
        nodes = list(cockpit.desk.nodes())
        return going.Known(
            nodes=nodes,
            clusters=cockpit.desk.live.clusters(),
            sites=cockpit.sites.names(),
            themes=themes.NAMES,
            filters=cockpit.filters.names(),
            verbs=going.node_verbs(cockpit.readonly),
            others=cockpit.desk.others(),
            now=cockpit.clock(),
        )

    @on(Prompt.Submitted)
    def _line_entered(self, event: Prompt.Submitted) -> None:
        self.leave_prompt()
        if event.sign == ":":
            event.stop()
            try:
                destination = going.go(event.text, self.known())
            except PilotError as error:
                self.cockpit.flash_error(error)
                return
            if destination is not None:
                self.post_message(GoneTo(destination))

    @on(Prompt.Cancelled)
    def _line_left(self, _event: Prompt.Cancelled) -> None:
        self.leave_prompt()

    def leave_prompt(self) -> None:
        """Give the focus back to what had it before the `:` or `/` line."""
        self.focus_body()

    def focus_body(self) -> None:
        """Put the focus where this screen wants it."""

    def action_help(self) -> None:
        """The keys that work here."""
        from pilot.screens.help import HelpScreen

        self.app.push_screen(HelpScreen(self))

    def linked(self) -> AnyRecord | None:
        """What is under the cursor, if it may lead elsewhere."""
        return None

    def here(self) -> str:
        """Key of the line that the cursor is on: where one comes back to."""
        return ""

    def action_links(self) -> None:
        """Go to what this belongs to, or to what belongs to it; at once if there is one such thing."""
        record = self.linked()
        if record is None:
            return
        known = self.cockpit.desk.live.store.records
        found = [link for link in links.links(record, known) if link.area != self.MODE]
        if not found:
            self.cockpit.flash("It leads nowhere else.", "dim", 3)
            return
        from pilot.screens.links_menu import LinksMenu

        menu = LinksMenu(getattr(record, "name", "") or record.id, found)
        self.app.push_screen(menu, self._follow_link)

    def _follow_link(self, link: links.Link | None) -> None:
        if link is not None:
            self.cockpit.leave_trail(self.MODE, self.here())
            self.post_message(GoneTo(going.follow(link)))

    def action_trail(self) -> None:
        """Back to where a link was followed."""
        if self.cockpit.trail:
            self.post_message(GoneTo(going.Line(*self.cockpit.trail.pop())))

    def action_sites(self) -> None:
        """Choose a site."""
        from pilot.screens.sites import SitesScreen

        self.app.push_screen(SitesScreen(self.cockpit))

    def action_undo(self) -> None:
        """Take back what can be taken back."""
        try:
            undone = self.cockpit.desk.activities.undo()
        except PilotError as error:
            self.cockpit.flash_error(error)
            return
        if undone is None:
            self.cockpit.flash("There is nothing that can be undone.", "dim")

    def action_retry(self) -> None:
        """Connect now."""
        self.cockpit.desk.live.retry()

    def action_tab(self, number: int) -> None:
        """Show the area of this number."""
        if number <= len(AREAS):
            self.post_message(TabChosen(AREAS[number - 1][0]))

    def action_opened(self, number: int) -> None:
        """Show the tab of this number among those that the user has opened."""
        opened = self.cockpit.opened
        if number <= len(opened):
            self.post_message(TabChosen(opened[number - 1].mode))

    def action_turn(self, step: int) -> None:
        """Show the next tab, or the one before."""
        modes = [tab.mode for tab in self.tabs()]
        here = self.MODE or self.app.current_mode
        at = modes.index(here) if here in modes else 0
        self.post_message(TabChosen(modes[(at + step) % len(modes)]))

    @on(TabStrip.Chosen)
    def _tab_clicked(self, event: TabStrip.Chosen) -> None:
        event.stop()
        self.post_message(TabChosen(event.mode))

    def action_leave(self) -> None:
        """Leave pilot."""
        self.post_message(GoneTo(going.Command("quit")))

    def action_say_quit(self) -> None:
        """Ctrl+C ends nothing by accident."""
        key = next((k for k, a in self.active_bindings.items() if a.binding.id == "app.quit"), "ctrl+q")
        self.cockpit.flash(f"{app_config.shown_key(key)} leaves pilot, `:quit` too.", "dim")
