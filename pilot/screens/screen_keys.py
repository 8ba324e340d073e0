"""The keys of a screen's tab while nobody types at the guest."""

from __future__ import annotations

from textual.binding import Binding

from pilot.screens.guest_tab import GuestTab


class ScreenKeys(GuestTab):
    """A tab with these keys; what they do is the derived class's."""

    BINDINGS = [
        Binding("enter,i", "type", "type", key_display="⏎", id="screen.type"),
        Binding("p", "power", "power", id="screen.power"),
        Binding("k", "send", "send keys", id="screen.send"),
        Binding("m", "draw", "text or pixels", id="screen.draw"),
        Binding("plus,equals_sign", "zoom(1)", "larger", key_display="+", id="screen.larger"),
        Binding("minus", "zoom(-1)", "smaller", key_display="-", show=False, id="screen.smaller"),
        Binding("0", "fit", "fit all in", show=False, id="screen.fit"),
        Binding("up", "pan(0, -1)", "look further up", show=False, id="screen.up"),
        Binding("down", "pan(0, 1)", "look further down", show=False, id="screen.down"),
        Binding("left", "pan(-1, 0)", "look further left", show=False, id="screen.left"),
        Binding("right", "pan(1, 0)", "look further right", show=False, id="screen.right"),
        Binding("slash", "search", "search", key_display="/", id="screen.search"),
        Binding("n", "next(-1)", "before", id="screen.before"),
        Binding("N", "next(1)", "after", show=False, id="screen.after"),
        Binding("y", "copy", "copy", id="screen.copy"),
        Binding("S", "save", "save PNG", show=False, id="screen.save"),
        Binding("v", "watch", "only watch", id="screen.watch"),
        Binding("t", "control", "control", id="screen.control"),
        Binding("x", "alone", "alone", id="screen.alone"),
        Binding("X", "cancel_paste", "stop paste", id="screen.cancel-paste"),
        Binding("z", "ask_size", "fit guest", id="screen.ask-size"),
        Binding("o", "outside", "outside viewer", show=False, id="screen.outside"),
        Binding("r", "again", "try again", id="screen.again"),
        Binding("c", "console", "serial console", id="screen.console"),
        Binding("q", "close", "close", id="screen.close"),
        Binding("escape", "back", "to the nodes", show=False, id="screen.back"),
        Binding("ctrl+right_square_bracket", "literal", "send Ctrl+]", show=False, id="screen.release"),
    ]
    WORDS = (
        ("p power", "power"),
        ("k keys", "send"),
        ("t control", "control"),
        ("m text or pixels", "draw"),
        ("/ search", "search"),
        ("y copy", ""),
        ("c serial console", "console"),
        ("S save PNG", "save"),
        ("q close", ""),
        ("v only watch", "watch"),
        ("x alone", "alone"),
        ("z fit guest", "ask_size"),
    )
