"""The sites that are known, to go to one of them."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from pilot import going
from pilot.live.cockpit import Cockpit
from pilot.screens.base import GoneTo
from pilot.wire import plain


class SitesScreen(ModalScreen[None]):
    """A list of sites; Enter goes there. Those that were looked at stay connected."""

    CSS_PATH = "sites.tcss"
    BINDINGS = [
        Binding("escape,q", "dismiss", "close", key_display="Esc"),
        Binding("j", "cursor(1)", show=False),
        Binding("k", "cursor(-1)", show=False),
    ]

    def __init__(self, cockpit: Cockpit) -> None:
        super().__init__()
        self._cockpit = cockpit

    def compose(self) -> ComposeResult:
        """The sites with what is known of them."""
        states = {desk.live.site.name: desk.live.state for desk in self._cockpit.desks()}
        here = self._cockpit.desk.live.site.name
        options = []
        for site in self._cockpit.config.sites().site:
            text = Text.assemble(
                ("▌ " if site.name == here else "  "),
                (plain(site.name).ljust(20), "bold"),
                f" {site.address:<30} ",
                (states.get(site.name, ""), "dim"),
            )
            options.append(Option(text, id=site.name))
        listed = OptionList(*options, id="sites")
        listed.border_title = "Sites"
        listed.border_subtitle = "pilot login HOST adds one"
        yield listed

    def action_cursor(self, step: int) -> None:
        """Up or down."""
        listed = self.query_one(OptionList)
        if step > 0:
            listed.action_cursor_down()
        else:
            listed.action_cursor_up()

    @on(OptionList.OptionSelected)
    def _chosen(self, event: OptionList.OptionSelected) -> None:
        name = event.option.id
        self.dismiss()
        if name is not None:
            self.app.screen_stack[0].post_message(GoneTo(going.Command("site", (name,))))
