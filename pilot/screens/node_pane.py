"""The pane beside the table: who the node under the cursor is, and what its console said last."""

from __future__ import annotations

from itertools import zip_longest

from rich.text import Text
from textual.geometry import Region
from textual.strip import Strip

from pilot.live.cockpit import Cockpit
from pilot.live.glance import Glance
from pilot.records import Host, Node
from pilot.render import node_details
from pilot.render.table import Cell
from pilot.widgets.cell_line import Toned

_LABEL = 11


class NodePane(Toned):
    """Facts and last lines of one node; as many as there is room for, the console's first."""

    DEFAULT_CSS = """
    NodePane { padding: 0 1; }
    """

    def __init__(self, cockpit: Cockpit, glance: Glance, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._cockpit = cockpit
        self._glance = glance
        self._node: Node | None = None
        self._drawn: list[Text] = []
        self._looking = False

    def on_mount(self) -> None:
        """Follow the console's lines."""
        self._unlisten = self._glance.changed.listen(self.look_again)

    def on_unmount(self) -> None:
        """Listen no more."""
        self._unlisten()

    def show(self, node: Node | None) -> None:
        """Show this node from now on."""
        self._node = node
        self.look_again()

    def look_again(self) -> None:
        """Something of what is shown may be another: looked at once, however often it is said meanwhile."""
        if not self._looking:
            self._looking = True
            self.call_next(self._look)

    def _look(self) -> None:
        self._looking = False
        before, self._drawn = self._drawn, self._draw()
        # A line costs more to draw than to compare, and most stay when the cursor moves.
        lines = enumerate(zip_longest(before, self._drawn))
        if changed := [y for y, (old, new) in lines if old != new]:
            self.refresh(*(Region(0, y, self.outer_size.width, 1) for y in changed))

    def on_resize(self) -> None:
        """More or less room."""
        self.look_again()

    def render_line(self, y: int) -> Strip:
        """A line as it was last drawn."""
        width, base = self.content_size.width, self.rich_style
        if y >= len(self._drawn):
            return Strip.blank(width, base)
        return Strip(self._drawn[y].render(self.app.console)).adjust_cell_length(width).apply_style(base)

    @property
    def shown(self) -> str:
        """All of its text, for tests."""
        return "\n".join(line.plain for line in self._drawn)

    def _draw(self) -> list[Text]:
        node = self._node
        if node is None:
            return []
        width, height = self.content_size
        desk = self._cockpit.desk
        now = self._cockpit.clock()
        host = desk.live.store.records.get(f"host:{node.host}")
        facts = node_details.facts(
            node,
            host if isinstance(host, Host) else None,
            desk.live.usage.cpu(node.id),
            desk.live.usage.memory(node.id),
            now,
            width,
        )
        # A small pane is for the console, unless details are wanted; a tall one has room for the facts too.
        roomy = height >= len(facts) + 8 or self.screen.has_class("-details")
        lines = [Text(end="").join(self.toned(cell) for cell in node_details.heading(node, not roomy))]
        if roomy:
            lines += [self._fact(label, value) for label, value in facts]
            lines.append(Text(""))
        room = max(0, height - len(lines))
        said = self._glance.lines(room)
        if said:
            lines += [self.toned(Cell(f"  {line}")) for line in said]
        else:
            lines.append(self.toned(Cell(f"  {self._silence(node)}", "dim")))
        for line in lines:
            line.truncate(max(1, width), overflow="ellipsis")
        return lines[:height] if height else lines

    def _fact(self, label: str, value: Cell) -> Text:
        return Text(end="").join([self.toned(Cell(label.ljust(_LABEL), "dim")), self.toned(value)])

    def _silence(self, node: Node) -> str:
        if self._glance.waiting:
            return ""
        if self._glance.why:
            return f"The console's last lines would be here: {self._glance.why}."
        if node.state == "off":
            return "It is off, and its console has said nothing that is kept."
        return "Its console has said nothing yet."
