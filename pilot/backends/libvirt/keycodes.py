"""Names of keys, as people type them, and Linux's codes for them (linux/input-event-codes.h)."""

from __future__ import annotations

import difflib

from pilot.errors import UsageError

MAX_KEYS = 8
"""Keys pressed together; libvirt takes 16."""


def _rows(*rows: tuple[int, str]) -> dict[str, int]:
    """Keys that lie beside each other have codes that follow each other."""
    return {name: first + n for first, names in rows for n, name in enumerate(names.split())}


CODES: dict[str, int] = {
    **_rows(
        (1, "esc 1 2 3 4 5 6 7 8 9 0 minus equal backspace tab q w e r t y u i o p leftbrace rightbrace"),
        (28, "enter ctrl a s d f g h j k l semicolon apostrophe grave shift backslash z x c v b n m"),
        (51, "comma dot slash rightshift kpasterisk alt space capslock f1 f2 f3 f4 f5 f6 f7 f8 f9 f10"),
        (69, "numlock scrolllock kp7 kp8 kp9 kpminus kp4 kp5 kp6 kpplus kp1 kp2 kp3 kp0 kpdot"),
        (86, "102nd f11 f12"),
        (96, "kpenter rightctrl kpslash sysrq altgr"),
        (102, "home up pageup left right end down pagedown insert delete"),
        (116, "power"),
        (119, "pause"),
        (125, "meta rightmeta menu"),
        (183, "f13 f14 f15 f16 f17 f18 f19 f20 f21 f22 f23 f24"),
    ),
}
"""By name."""

ALIASES: dict[str, str] = {
    "escape": "esc", "return": "enter", "control": "ctrl", "leftctrl": "ctrl", "leftshift": "shift",
    "leftalt": "alt", "rightalt": "altgr", "super": "meta", "win": "meta", "leftmeta": "meta",
    "del": "delete", "ins": "insert", "pgup": "pageup", "pgdn": "pagedown", "print": "sysrq",
    "printscreen": "sysrq", "period": "dot", "-": "minus", "=": "equal", ",": "comma", ".": "dot",
    "/": "slash", ";": "semicolon", "'": "apostrophe", "`": "grave", "[": "leftbrace", "]": "rightbrace",
    "\\": "backslash", "bksp": "backspace",
}  # fmt: skip
"""Other names for the same keys."""


def codes_of(text: str) -> list[int]:
    """The codes of keys that are pressed together, in the order in which they are pressed.

    Args:
        text: names with a plus in between, such as `ctrl+alt+f2`.

    Raises:
        UsageError: a name is not known, a key is named twice, or there are too many.
    """
    names = [name.strip() for name in text.lower().split("+")]
    if len(names) > MAX_KEYS:
        raise UsageError(f"{len(names)} keys, {MAX_KEYS} at most are pressed together")
    codes = [_code(name) for name in names]
    if len(set(codes)) < len(codes):
        raise UsageError(f"'{text}' names a key twice", "Name each key once; they are pressed together.")
    return codes


def _code(name: str) -> int:
    code = CODES.get(ALIASES.get(name, name))
    if code is not None:
        return code
    shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name[:40])
    near = difflib.get_close_matches(name[:40], [*CODES, *ALIASES], 3)
    raise UsageError(
        f"there is no key '{shown}'",
        (f"Did you mean {' or '.join(near)}? " if near else "")
        + "Keys are a to z, 0 to 9, f1 to f24, ctrl, alt, altgr, shift, meta, enter, esc, tab, space, "
        "backspace, delete, insert, home, end, pageup, pagedown, up, down, left, right, sysrq, pause, menu, "
        "kp0 to kp9, and minus, comma, dot, slash and the like.",
    )
