"""The keys of a console's tab while nobody types at the guest."""

from __future__ import annotations

from textual.binding import Binding, BindingType

BINDINGS: list[BindingType] = [
    Binding("enter,i", "type", "type", key_display="⏎", id="console.type"),
    Binding("p", "power", "power", id="console.power"),
    Binding("k", "send", "send keys", id="console.send"),
    Binding("slash", "search", "search", key_display="/", id="console.search"),
    Binding("w", "people", "who", id="console.people"),
    Binding("m", "say", "message", id="console.say"),
    Binding("n", "next(-1)", "older", id="console.older"),
    Binding("N", "next(1)", "newer", show=False, id="console.newer"),
    Binding("y", "copy", "copy", id="console.copy"),
    Binding("B", "boot", "last boot", id="console.boot"),
    Binding("t", "take", "take keyboard", id="console.take"),
    Binding("j", "join", "type too", id="console.join"),
    Binding("g", "watch", "only watch", id="console.watch"),
    Binding("h", "told", "what was told", show=False, id="console.told"),
    Binding("v", "screen", "screen (VNC)", id="console.screen"),
    Binding("s", "stty", "tell size (stty)", id="console.stty"),
    Binding("z", "size", "80x24, or all the room", show=False, id="console.size"),
    Binding("x", "cancel_paste", "stop paste", id="console.cancel-paste"),
    Binding("r", "again", "try again", id="console.again"),
    Binding("f", "full", "full terminal", id="console.full"),
    Binding("vertical_line", "split", "split", key_display="|", id="console.split"),
    Binding("tab", "other", "other pane", show=False, id="console.other"),
    Binding("q", "close", "close", id="console.close"),
    Binding("escape", "back", "to the nodes", show=False, id="console.back"),
    Binding("ctrl+right_square_bracket", "literal", "send Ctrl+]", show=False, id="console.release"),
    Binding("pageup", "look(-1)", "look back", show=False, id="console.page-up"),
    Binding("pagedown", "look(1)", "look down", show=False, id="console.page-down"),
    Binding("home", "look(-1000000)", "to the oldest line", show=False, id="console.oldest"),
    Binding("end", "look(1000000)", "to the newest line", show=False, id="console.newest"),
]
WORDS = (
    ("t take the keyboard", "take"),
    ("j type too", "join"),
    ("p power", ""),
    ("k keys", "send"),
    ("/ search", ""),
    ("w who", ""),
    ("m message", "say"),
    ("v screen", "screen"),
    ("B last boot", ""),
    ("y copy", ""),
    ("| split", ""),
    ("q close", ""),
    ("s stty", "stty"),
    ("f full terminal", "full"),
    ("g only watch", "watch"),
)
