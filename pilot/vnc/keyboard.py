"""The keys of a PC keyboard with US layout: what they are called, and what VNC and the guest know them by.

Keysyms are X11's (its keysymdef.h; characters beyond Latin-1 are 0x01000000 and their Unicode number).
Scancodes are those an IBM PC/AT keyboard sends in set 1 as a key goes down, the 0xE0 of extended keys in
front: they tell which key it is and nothing about a layout, so the guest's own layout decides what is typed.
"""

from __future__ import annotations

from typing import NamedTuple


class Key(NamedTuple):
    """One key."""

    keysym: int
    scancode: int = 0
    """0 if no key of this keyboard makes that keysym."""


SHIFT, CONTROL, ALT = Key(0xFFE1, 0x2A), Key(0xFFE3, 0x1D), Key(0xFFE9, 0x38)
SUPER = Key(0xFFEB, 0xE05B)
ENTER, TAB = Key(0xFF0D, 0x1C), Key(0xFF09, 0x0F)
SYSRQ = Key(0xFF15, 0x54)

MODIFIERS = {
    "shift": SHIFT,
    "ctrl": CONTROL,
    "control": CONTROL,
    "alt": ALT,
    "meta": ALT,
    "super": SUPER,
    "altgr": Key(0xFE03, 0xE038),
    "rightctrl": Key(0xFFE4, 0xE01D),
}

NAMED = {
    "backspace": Key(0xFF08, 0x0E), "tab": TAB, "enter": ENTER, "return": ENTER, "escape": Key(0xFF1B, 0x01),
    "esc": Key(0xFF1B, 0x01), "home": Key(0xFF50, 0xE047), "left": Key(0xFF51, 0xE04B),
    "up": Key(0xFF52, 0xE048), "right": Key(0xFF53, 0xE04D), "down": Key(0xFF54, 0xE050),
    "pageup": Key(0xFF55, 0xE049), "pagedown": Key(0xFF56, 0xE051), "end": Key(0xFF57, 0xE04F),
    "kp_begin": Key(0xFF9D, 0x4C), "insert": Key(0xFF63, 0xE052), "delete": Key(0xFFFF, 0xE053),
    "del": Key(0xFFFF, 0xE053), "menu": Key(0xFF67, 0xE05D), "pause": Key(0xFF13, 0xE046),
    "print": Key(0xFF61, 0xE037), "print_screen": Key(0xFF61, 0xE037), "sysrq": SYSRQ,
    "caps_lock": Key(0xFFE5, 0x3A), "scroll_lock": Key(0xFF14, 0x46), "num_lock": Key(0xFF7F, 0x45),
    # Combinations may end with a modifier: Super alone opens a guest's menu.
    "super": SUPER, "shift": SHIFT, "ctrl": CONTROL, "alt": ALT,
}  # fmt: skip
"""Keys that print nothing, by Textual's names and a few that people write."""

_FUNCTION_CODES = (
    0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x40, 0x41, 0x42, 0x43, 0x44, 0x57, 0x58,
    0x5D, 0x5E, 0x5F, 0x55, 0xE003, 0xE077, 0xE004, 0x5A, 0x74, 0xE079, 0x6D, 0x6F,
)  # fmt: skip
NAMED |= {f"f{n}": Key(0xFFBD + n, code) for n, code in enumerate(_FUNCTION_CODES, 1)}

_ROWS = (
    (0x29, "`", "~"),
    (0x02, "1234567890-=", "!@#$%^&*()_+"),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}"),
    (0x1E, "asdfghjkl;'", 'ASDFGHJKL:"'),
    (0x2B, "\\", "|"),
    (0x2C, "zxcvbnm,./", "ZXCVBNM<>?"),
    (0x39, " ", ""),
)
"""The first key's scancode, then what the keys print, without and with Shift."""

PRINTING: dict[str, tuple[int, bool]] = {
    character: (first + at, shifted)
    for first, plain, upper in _ROWS
    for shifted, characters in ((False, plain), (True, upper))
    for at, character in enumerate(characters)
}
"""Each character's scancode, and whether it takes Shift."""


def keysym_of(character: str) -> int:
    """X11's number of a character that prints."""
    code = ord(character)
    return code if 0x20 <= code <= 0x7E or 0xA0 <= code <= 0xFF else 0x01000000 | code
