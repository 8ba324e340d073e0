"""A VM's screen that one types and points at. It has no connection: keys and pointer go out as messages, what
is shown comes as frames."""

from __future__ import annotations

from typing import ClassVar

from textual import events

from pilot.vnc.rfb import LEFT, MIDDLE, RIGHT, WHEEL_DOWN, WHEEL_LEFT, WHEEL_RIGHT, WHEEL_UP
from pilot.widgets.framebuffer_display import FramebufferDisplay, Told
from pilot.widgets.terminal import RELEASE_KEY, WHEEL_LINES

_BUTTONS = {1: LEFT, 2: MIDDLE, 3: RIGHT}


class FramebufferWidget(FramebufferDisplay, can_focus=True):
    """One screen. While it has the focus every key is the guest's but the one that releases it.

    The mouse points at pixels of a picture; on text it selects, as guests that show text follow no mouse.
    """

    TAKES_ALL_KEYS: ClassVar[bool] = True
    """An app gives its own priority bindings up while such a widget has the focus."""

    class KeyPressed(Told):
        """A key for the guest, as Textual names it, and what it prints."""

        def __init__(self, display: FramebufferWidget, key: str, character: str | None) -> None:
            self.key = key
            self.character = character
            super().__init__(display)

    class Pasted(Told):
        """The user pasted a text."""

        def __init__(self, display: FramebufferWidget, text: str) -> None:
            self.text = text
            super().__init__(display)

    class Pointed(Told):
        """The pointer is on a pixel of the guest's, with these buttons held."""

        def __init__(self, display: FramebufferWidget, x: int, y: int, buttons: int) -> None:
            self.x = x
            self.y = y
            self.buttons = buttons
            super().__init__(display)

    class ReleaseRequested(Told):
        """The key that gives the focus back was pressed."""

    def __init__(
        self,
        *,
        release_key: str = RELEASE_KEY,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        """Show nothing yet. `release_key` is the one key that is not the guest's."""
        super().__init__(name=name, id=id, classes=classes)
        self.release_key = release_key
        self._selecting = False
        self._held = 0
        self._at = (0, 0)

    # --- keys ------------------------------------------------------------------------------------

    async def on_key(self, event: events.Key) -> None:
        """Give the key to the guest: nobody else gets it."""
        event.stop()
        event.prevent_default()
        if event.key == self.release_key:
            self.post_message(self.ReleaseRequested(self))
        else:
            self.post_message(self.KeyPressed(self, event.key, event.character))

    async def on_paste(self, event: events.Paste) -> None:
        """Tell of a paste."""
        event.stop()
        event.prevent_default()
        if event.text:
            self.post_message(self.Pasted(self, event.text))

    def on_focus(self) -> None:
        """The cursor is drawn in another way."""
        self.refresh()

    def on_blur(self) -> None:
        """No button is held any more."""
        self.refresh()
        self._hold(self._held, False)

    # --- mouse -----------------------------------------------------------------------------------

    @property
    def _points(self) -> bool:
        return self.has_focus and not self.shows_text

    def _point(self, event: events.MouseEvent) -> None:
        """Where the mouse is; within a cell where the terminal tells pixels, else in its middle."""
        event.stop()
        event.prevent_default()
        region = self.content_region
        x, y = event.pointer_screen_x - region.x, event.pointer_screen_y - region.y
        self._at = self.pixel_at(x + 0.5 if x == int(x) else x, y + 0.5 if y == int(y) else y)

    def _hold(self, bits: int, pressed: bool) -> None:
        held = self._held | bits if pressed else self._held & ~bits
        if held != self._held:
            self._held = held
            self._tell()

    def _tell(self) -> None:
        self.post_message(self.Pointed(self, *self._at, self._held))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        """Press: the guest's, or the beginning of a selection."""
        if self._points:
            self.capture_mouse()
            self._point(event)
            self._hold(_BUTTONS.get(event.button, 0), True)
        elif self.shows_text and event.button == 1:
            event.stop()
            self.capture_mouse()
            self._selecting = True
            self.marks.begin(self.cell_of(event))
            self.refresh()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        """Move: the guest's, or the end of the selection."""
        if self._selecting:
            event.stop()
            self.marks.extend(self.cell_of(event))
            self.refresh()
        elif self._points:
            before = self._at
            self._point(event)
            if self._at != before:
                self._tell()

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Release: the guest's, or the selection is made."""
        self.release_mouse()
        if self._selecting:
            event.stop()
            self._selecting = False
            self.copy()
        elif self._held:
            self._point(event)
            self._hold(_BUTTONS.get(event.button, 0), False)

    def on_click(self, event: events.Click) -> None:
        """Twice selects the word, three times the line."""
        if not self.shows_text or event.button != 1 or event.chain < 2:
            return
        event.stop()
        self.marks.widen(self.cell_of(event), "word" if event.chain == 2 else "line")
        self.refresh()
        self.copy()

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The guest's, or look further up."""
        self._wheel(event, WHEEL_UP, (0, -WHEEL_LINES))

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The guest's, or look further down."""
        self._wheel(event, WHEEL_DOWN, (0, WHEEL_LINES))

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        """The guest's, or look further to the left."""
        self._wheel(event, WHEEL_LEFT, (-WHEEL_LINES, 0))

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        """The guest's, or look further to the right."""
        self._wheel(event, WHEEL_RIGHT, (WHEEL_LINES, 0))

    def _wheel(self, event: events.MouseEvent, button: int, cells: tuple[int, int]) -> None:
        event.stop()
        event.prevent_default()
        if self._points:
            self._point(event)
            self._hold(button, True)
            self._hold(button, False)
        elif self.shows_text:
            self.pan_text(*cells)
