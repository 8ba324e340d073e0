"""What is said of one screen in the last line, and which keys make sense there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilot.console import paste
from pilot.danger import Question
from pilot.render import console
from pilot.render.table import Cell
from pilot.vnc.keys import STROKE_SECONDS, Typing

if TYPE_CHECKING:
    from pilot.screens.screen_pane import ScreenPane

NOTICE_SECONDS = 6.0
"""For how long what was told of the screen stands in the line of keys."""


def can(pane: ScreenPane, action: str) -> bool | None:
    """Whether an action of the tab makes sense now; None if it always does."""
    session, readonly = pane.session, pane.cockpit.readonly
    live, picture = session.state == "live", session.screen is not None
    text = pane.framebuffer.shows_text
    return {
        "power": False if readonly else None,
        "send": False if readonly else None,
        "draw": picture,
        "zoom": picture and not text,
        "fit": picture,
        "pan": picture,
        "search": text,
        "next": bool(pane.framebuffer.marks.pattern),
        "copy": picture,
        "save": picture,
        "watch": live and session.controlling,
        "control": live and session.mode == "watch" and not readonly,
        "alone": live and not readonly,
        "cancel_paste": session.pasting.going,
        "ask_size": session.takes_keys,
        "again": session.state in ("lost", "ended", "waiting"),
        "console": pane.node.serial,
    }.get(action)


def said(pane: ScreenPane) -> list[Cell]:
    """What is to be said now instead of the keys: of a paste, in passing, of the screen."""
    session, cockpit = pane.session, pane.cockpit
    flash, now = cockpit.flashed(), cockpit.clock()
    if session.pasting.going:
        done = session.pasting.sent * 100 // max(session.pasting.size, 1)
        stop = f"   {pane.leave_words} X stops it" if pane.typing else "   X stops it"
        return [Cell(f"typing, {done} %", "busy"), Cell(stop, "dim")]
    if flash is not None:
        return [Cell(flash.text, flash.tone)]
    newest = session.notices[-1] if session.notices else None
    if newest is not None and now - newest.time < NOTICE_SECONDS:
        return [Cell(f"▣ {newest.text}", "busy" if newest.what == "limit" else "")]
    return []


def nobody_listens(pane: ScreenPane) -> str:
    """Why keys reach nobody."""
    if pane.hung:
        return "nothing is typed: the node hangs"
    if pane.session.state != "live":
        return f"nothing is typed: the screen is {_STATES[pane.session.state]}"
    if pane.cockpit.readonly:
        return "you watch: this is a read-only look"
    if pane.session.mode == "watch":
        return f"you watch: {pane.leave_words} then t lets you control it"
    return "you watch: your role does not reach for more, or somebody has the screen alone"


def paste_question(text: str, typing: Typing, title: str) -> Question | None:
    """What to ask before a text is typed; None if that is harmless."""
    asked = paste.question(text)
    if asked is None and not typing.missing:
        return None
    lines = asked or paste.Question(text.count("\n") + 1, len(text), 0, False, False)
    what, words = console.paste_question(lines, len(typing.strokes) * STROKE_SECONDS)
    if typing.missing:
        words += f" No key of a US keyboard makes {typing.missing[:20]}: that is left out."
    return Question("confirm", f"Paste {what} into {title}?", "Paste", words, ())


_STATES = {"waiting": "closed", "opening": "not open yet", "lost": "lost", "ended": "closed"}
