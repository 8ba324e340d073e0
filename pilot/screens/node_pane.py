"""The pane beside the table: who the node under the cursor is, and what its console said last."""

from __future__ import annotations

from rich.text import Text

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
        self._drawn: Text | None = None

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
        """Something of what is shown may be another."""
        drawn = self._draw()
        if drawn != self._drawn:
            self._drawn = drawn
            self.refresh()

    def on_resize(self) -> None:
        """More or less room."""
        self.look_again()

    def render(self) -> Text:
        """The pane as it was last drawn."""
        return self._drawn if self._drawn is not None else Text()

    @property
    def shown(self) -> str:
        """All of its text, for tests."""
        return self._draw().plain

    def _draw(self) -> Text:
        node = self._node
        if node is None:
            return Text("")
        width, height = self.content_size
        desk = self._cockpit.desk
        now = self._cockpit.clock()
        lines = [Text(end="").join(self.toned(cell) for cell in node_details.heading(node))]
        host = desk.live.store.records.get(f"host:{node.host}")
        facts = node_details.facts(
            node,
            host if isinstance(host, Host) else None,
            desk.live.usage.cpu(node.id),
            desk.live.usage.memory(node.id),
            now,
            width,
        )
        # A small pane is for the console; a tall one has room for the facts above it.
        if height >= len(facts) + 8:
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
        return Text("\n").join(lines[:height] if height else lines)

    def _fact(self, label: str, value: Cell) -> Text:
        return Text(end="").join([self.toned(Cell(label.ljust(_LABEL), "dim")), self.toned(value)])

    def _silence(self, node: Node) -> str:
        if self._glance.why:
            return f"The console's last lines would be here: {self._glance.why}."
        if node.state == "off":
            return "It is off, and its console has said nothing that is kept."
        return "Its console has said nothing yet."
