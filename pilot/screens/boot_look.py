"""Looking back to where a node was turned on, from one start to the one before."""

from __future__ import annotations

from pilot.console.boots import boot_above
from pilot.widgets.terminal_display import TerminalDisplay


class BootLook:
    """Of one terminal."""

    def __init__(self, terminal: TerminalDisplay) -> None:
        """Nothing was looked at."""
        self._terminal = terminal
        self._line: int | None = None
        """The start that was shown last."""
        self._place: tuple[int, bool] | None = None
        """What was in view then: if that is another now, one looks for something else."""

    def look_further_up(self, loading: bool) -> str:
        """Show the newest start above what is in view, or above the one that was just shown; what to say.

        `loading`: older lines are on their way.
        """
        terminal, engine = self._terminal, self._terminal.engine
        above: int | None = None
        if self._place == self._in_view():
            above = self._line
        elif not terminal.view.following:
            above = self._in_view()[0]
        boot = boot_above(engine, above)
        if boot is None:
            return f"no start above this: {'older lines are loading' if loading else 'nothing older is kept'}"
        terminal.look_at(boot.line)
        self._line, self._place = boot.line, self._in_view()
        return f"turned on at {boot.time}: B goes to the time before"

    def _in_view(self) -> tuple[int, bool]:
        view = self._terminal.view
        return view.top + self._terminal.engine.dropped, view.following
