"""The sites that are known, to go to one of them."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen

from pilot import going
from pilot.client_config import Site
from pilot.live.cockpit import Cockpit
from pilot.render.connection import LinkState
from pilot.render.table import Cell
from pilot.screens.base import GoneTo
from pilot.widgets.lines import LineList, Row

_WORDS: dict[LinkState, str] = {
    "connecting": "connecting",
    "live": "connected",
    "lost": "link lost",
    "refused": "refused",
}
_NAME, _ADDRESS = 20, 30


class SitesScreen(ModalScreen[None]):
    """A list of sites; Enter goes there. Those that were looked at stay connected."""

    CSS_PATH = "sites.tcss"
    BINDINGS = [
        Binding("escape,q", "dismiss", "close", key_display="Esc"),
        Binding("enter", "choose", "go there", key_display="⏎"),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__()
        self._cockpit = cockpit
        known, here = cockpit.config.sites().site, cockpit.desk.live.site
        # A site that is only named by its address is known here for as long as it is looked at.
        self._sites = known if any(site.name == here.name for site in known) else (here, *known)

    def compose(self) -> ComposeResult:
        """A line for each site."""
        with Vertical(id="sites") as box:
            box.border_title = "Sites"
            box.border_subtitle = "pilot login HOST adds one"
            with VerticalScroll(can_focus=False):
                yield LineList()

    def on_mount(self) -> None:
        """What is known of the sites now; the cursor is on the one at hand."""
        states = {desk.live.site.name: desk.live.state for desk in self._cockpit.desks()}
        here = self._cockpit.desk.live.site.name
        lines = self.query_one(LineList)
        lines.show_rows([self._row(at, site, states.get(site.name)) for at, site in enumerate(self._sites)])
        lines.cursor = next((at for at, site in enumerate(self._sites) if site.name == here), 0)
        lines.focus()

    def _row(self, number: int, site: Site, state: LinkState | None) -> Row:
        name = Cell(f"{site.name:<{_NAME}} ", "strong")
        address = Cell(f"{site.address:<{_ADDRESS}} ")
        return Row(number, (name, address, Cell(_WORDS[state] if state else "", "dim")))

    def on_click(self, event: events.Click) -> None:
        """A click on a site goes there; one beside the list closes it."""
        if event.widget is self.query_one(LineList):
            self.action_choose()
        elif event.widget is self:
            self.dismiss()

    def action_choose(self) -> None:
        """Go to the site under the cursor."""
        number = self.query_one(LineList).cursor
        self.dismiss()
        if number is not None:
            name = self._sites[number].name
            self.app.screen_stack[0].post_message(GoneTo(going.Command("site", (name,))))
