"""The bottom line: the keys that work here, from the bindings that are active now."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.screen import Screen
from textual.widget import Widget

_LESS = frozenset({"app.links"})
"""Works everywhere, and gives way where there is no room for what a screen is for."""


class KeyBar(Widget):
    """One line of keys and what they do. A click on one is its key."""

    COMPONENT_CLASSES = {"key-bar--key"}
    DEFAULT_CSS = """
    KeyBar { height: 1; width: 1fr; padding: 0 1; }
    KeyBar > .key-bar--key { color: $accent; text-style: bold; }
    """
    ALLOW_SELECT = False

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._places: list[tuple[int, int, str]] = []

    def on_mount(self) -> None:
        """Follow the screen's bindings."""
        self.screen.bindings_updated_signal.subscribe(self, self._changed)

    def _changed(self, _screen: Screen[object]) -> None:
        self.refresh()

    def render(self) -> Text:
        """The keys, as many as there is room for; `?` last, and always."""
        key_style = self.get_component_rich_style("key-bar--key", partial=True)
        text = Text(no_wrap=True, end="")
        self._places = []
        room = self.content_size.width
        # Two keys for one action may look alike: enter and return do.
        active = [binding for _, binding, enabled, _ in self.screen.active_bindings.values() if enabled]
        active.sort(key=lambda binding: binding.id in _LESS)
        shown = list(
            {
                (self.app.get_key_display(binding), binding.action): (
                    binding.key,
                    self.app.get_key_display(binding),
                    binding.description,
                )
                for binding in active
                if binding.show
            }.values()
        )
        last = [entry for entry in shown if entry[0] == "question_mark"]
        first = [entry for entry in shown if entry[0] != "question_mark"]
        reserve = sum(len(display) + len(words) + 4 for _, display, words in last)
        for number, (key, display, words) in enumerate([*first, *last]):
            needed = len(display) + len(words) + 1
            is_last = number >= len(first)
            if text.cell_len + needed + (0 if is_last else reserve) > room:
                continue
            start = text.cell_len
            text.append(display, key_style).append(f" {words}")
            self._places.append((start, text.cell_len, key))
            text.append("   ")
        text.truncate(room)
        return text

    def on_click(self, event: events.Click) -> None:
        """The key under the pointer."""
        event.stop()
        place = event.get_content_offset(self)
        for start, end, key in self._places:
            if place is not None and start <= place.x < end:
                self.app.simulate_key(key)
                return
