"""The user's terminal given away for a while: to a console that has all of it."""

from __future__ import annotations

from typing import Any

from textual.app import App

from pilot import ending
from pilot.live.opening import Mode, Open


async def lend_terminal(app: App[Any], open: Open, mode: Mode) -> None:
    """Have a console in the whole of the terminal, until `Ctrl+]`; a signal meanwhile ends the app, too.

    Raises:
        SuspendNotSupported: this terminal cannot be given away.
        PilotError: the console was refused, or there is no link.
    """
    from pilot.live import full_terminal

    # Nothing of the app's may be drawn meanwhile: the terminal is somebody else's.
    with app.batch_update(), app.suspend(), ending.signals_lent(app.exit):
        number = await full_terminal.attach(open, mode)
    if number is not None:
        app.exit(128 + number)
