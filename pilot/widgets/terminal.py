"""A terminal that one types at. It has no connection: keys go out as messages, what is shown comes from the
engine."""

from __future__ import annotations

from typing import ClassVar

from textual import events

from pilot.console import keys, mouse
from pilot.console.engine import Engine
from pilot.console.selection import Position
from pilot.widgets.terminal_display import TerminalDisplay, Told

WHEEL_LINES = 3
RELEASE_KEY = "ctrl+right_square_bracket"


class TerminalWidget(TerminalDisplay, can_focus=True):
    """One terminal. While it has the focus every key is the guest's but the one that releases it."""

    TAKES_ALL_KEYS: ClassVar[bool] = True
    """An app gives its own priority bindings up while such a widget has the focus."""

    class KeysTyped(Told):
        """Bytes for the guest: keys, or the mouse where the guest follows it."""

        def __init__(self, terminal: TerminalWidget, data: bytes, report: bool = False) -> None:
            self.data = data
            self.report = report
            """Mouse or focus: nothing that the user typed."""
            super().__init__(terminal)

    class Pasted(Told):
        """The user pasted a text."""

        def __init__(self, terminal: TerminalWidget, text: str) -> None:
            self.text = text
            super().__init__(terminal)

    class ReleaseRequested(Told):
        """The key that gives the focus back was pressed."""

    def __init__(
        self,
        engine: Engine,
        *,
        fixed: bool = False,
        release_key: str = RELEASE_KEY,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Show an engine. `release_key` is the one key that is not the guest's; the rest is the display's."""
        super().__init__(engine, fixed=fixed, name=name, id=id, classes=classes)
        self.release_key = release_key
        self._selecting = False

    # --- keys ------------------------------------------------------------------------------------

    async def on_key(self, event: events.Key) -> None:
        """Give the key to the guest: nobody else gets it."""
        event.stop()
        event.prevent_default()
        if event.key == self.release_key:
            self.post_message(self.ReleaseRequested(self))
        elif event.key in _LOOKS:
            lines = _LOOKS[event.key]
            self.look(lines * max(self.view.height - 1, 1))
        elif data := keys.encode(event.key, event.character, self.engine.modes):
            self.send(data)

    def send(self, data: bytes) -> None:
        """Type these bytes, as a key would."""
        if self.view.follow():
            self.redraw()
        self.post_message(self.KeysTyped(self, data))

    async def on_paste(self, event: events.Paste) -> None:
        """Tell of a paste."""
        event.stop()
        event.prevent_default()
        if event.text:
            self.post_message(self.Pasted(self, event.text))

    def on_focus(self) -> None:
        """Tell the guest, if it asked."""
        self._focus_changed(True)

    def on_blur(self) -> None:
        """Tell the guest, if it asked."""
        self._focus_changed(False)

    def _focus_changed(self, gained: bool) -> None:
        self.redraw()
        self._report(mouse.focus(gained, self.engine.modes))

    def _report(self, data: bytes | None) -> None:
        if data:
            self.post_message(self.KeysTyped(self, data, report=True))

    # --- mouse -----------------------------------------------------------------------------------

    def _is_guests(self, event: events.MouseEvent) -> bool:
        """Whether the guest gets the mouse. With shift, or while looking back, it is the user's."""
        return bool(self.engine.modes.mouse) and not event.shift and self.view.following

    def _pass_on(self, event: events.MouseEvent, action: mouse.Action, button: int) -> None:
        """Tell the guest of the mouse, in the form that it asked for."""
        event.stop()
        event.prevent_default()
        cell = self._cell(event)
        row = cell.line - self.engine.dropped - self.engine.history
        happened = mouse.MouseEvent(action, button, cell.column, row, event.shift, event.meta, event.ctrl)
        self._report(mouse.encode(happened, self.engine.modes))

    def _cell(self, event: events.MouseEvent) -> Position:
        place = event.get_content_offset_capture(self)
        return self.view.cell_at(place.x, place.y)

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press: the guest's, or the beginning of a selection."""
        if self._is_guests(event):
            self.capture_mouse()
            self._pass_on(event, "press", event.button)
        elif event.button == 1:
            event.stop()
            self.capture_mouse()
            self._selecting = True
            self.marks.begin(self._cell(event))
            self.redraw()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move: the guest's, or the end of the selection."""
        if self._selecting:
            event.stop()
            place = event.get_content_offset_capture(self)
            if place.y < 0 or place.y >= self.view.height:
                self.look(-1 if place.y < 0 else 1)
            self.marks.extend(self._cell(event))
            self.redraw()
        elif self._is_guests(event):
            self._pass_on(event, "move", event.button)

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Release: the guest's, or the selection is made."""
        self.release_mouse()
        if self._selecting:
            event.stop()
            self._selecting = False
            self.copy()
        elif self._is_guests(event):
            self._pass_on(event, "release", event.button)

    def on_click(self, event: events.Click) -> None:
        """Twice selects the word, three times the line."""
        if self._is_guests(event) or event.button != 1 or event.chain < 2:
            return
        event.stop()
        self.marks.widen(self._cell(event), "word" if event.chain == 2 else "line")
        self.redraw()
        self.copy()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """Look back, or the guest's."""
        self._wheel(event, -1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """Look further down, or the guest's."""
        self._wheel(event, 1)

    def _wheel(self, event: events.MouseEvent, step: int) -> None:
        event.stop()
        event.prevent_default()
        if self._is_guests(event):
            self._pass_on(event, "press", mouse.WHEEL_UP if step < 0 else mouse.WHEEL_DOWN)
        elif self.engine.modes.alternate_screen and not event.shift:
            key = keys.encode("up" if step < 0 else "down", None, self.engine.modes)
            self._report((key or b"") * WHEEL_LINES)
        else:
            self.look(step * WHEEL_LINES)


_LOOKS = {"shift+pageup": -1, "shift+pagedown": 1}
"""Keys that look back, and how many windows; terminals keep them for themselves, too."""
