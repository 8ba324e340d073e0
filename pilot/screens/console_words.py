"""What is said of one console in the last line, and which keys make sense there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pilot.live.cockpit import Cockpit
from pilot.render import console as render
from pilot.render.table import Cell

if TYPE_CHECKING:
    from pilot.screens.console_pane import ConsolePane

NOTICE_SECONDS = 6.0
"""For how long what was told of the console stands in the line of keys."""
CHAT_SECONDS = 20.0
"""For how long what another said does: it is to be read, not glanced at."""


def can(pane: ConsolePane, action: str, readonly: bool) -> bool | None:
    """Whether an action of the tab makes sense now; None if it always does."""
    session = pane.session
    live = session.state == "live"
    people = session.people
    shared = people is not None and any(person.writing for person in people.others)
    return {
        "power": False if readonly else None,
        "send": False if readonly else None,
        "record": False if readonly else None,
        "take": live and (not session.writing or shared) and pane.may_write,
        "join": live and not session.writing and pane.may_write,
        "watch": session.writing,
        "say": live,
        "screen": pane.node.screen,
        "stty": session.writing,
        "full": live,
        "again": session.state in ("lost", "ended"),
        "cancel_paste": session.pasting.going,
        "next": bool(pane.terminal.marks.pattern),
    }.get(action)


def said(pane: ConsolePane, cockpit: Cockpit) -> list[Cell]:
    """What is to be said now instead of the keys: of a paste, in passing, of the console, of the node."""
    session, flash, now = pane.session, cockpit.flashed(), cockpit.clock()
    if session.pasting.going:
        done = session.pasting.sent * 100 // max(session.pasting.size, 1)
        stop = f"   {pane.leave_words} x stops it" if pane.typing else "   x stops it"
        return [Cell(f"pasting, {done} %", "busy"), Cell(stop, "dim")]
    if flash is not None:
        return [Cell(flash.text, flash.tone)]
    newest = session.notices[-1] if session.notices else None
    chat = next((notice for notice in reversed(session.notices) if notice.what == "chat"), None)
    if newest is not None and now - newest.time < NOTICE_SECONDS:
        return render.said(newest)
    if chat is not None and now - chat.time < CHAT_SECONDS:
        return [*render.said(chat), Cell("   h what was told", "dim")]
    if session.state == "live" and pane.typing:
        return render.off(pane.node, now)
    return []
