"""What the app looks like, as pictures. `pytest --snapshot-update` draws them anew: look at them then.

Only the looks are held here; what the screens do is tested on a real airboss.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from pilot.app import PilotApp
from pilot.screens.help import HelpScreen
from pilot.screens.power_menu import PowerMenu
from pilot.widgets.confirm import ConfirmScreen
from tests.support import shown
from tests.support.cockpit import Opened
from tests.support.waiting import until


class Svg(SingleFileSnapshotExtension):
    """A picture a file."""

    file_extension = "svg"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def picture(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compares with the picture that is kept."""
    return snapshot.use_extension(Svg)


@pytest.fixture(autouse=True)
def _everywhere_the_same(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """One time zone and one kind of terminal, wherever it is drawn."""
    for name in ("NO_COLOR", "COLORTERM", "TEXTUAL", "TEXTUAL_THEME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@asynccontextmanager
async def opened(folder: Path, size: tuple[int, int]) -> AsyncIterator[Opened]:
    """The app at a site of fixed facts."""
    app = PilotApp(shown.cockpit(folder))
    async with app.run_test(size=size) as keys:
        pilot = Opened(app, keys)
        live = pilot.cockpit.desk.live
        await until(lambda: live._task is not None, what="an attempt to connect")
        shown.quiet(pilot.nodes._glance)
        shown.show(live)
        await pilot.sees(f"{len(shown.NODES)} nodes")
        await pilot.press("down", "down", "space")
        await pilot.sees("RIP: 0010")
        await until(lambda: not pilot.nodes.table._flashes, what="changes have faded")
        yield pilot


def drawn(pilot: Opened) -> str:
    """The screen as SVG; the number that Textual makes up for each picture is left out."""
    return re.sub(r"terminal-\d+", "terminal", pilot.app.export_screenshot(title="pilot"))


@pytest.mark.parametrize("size", [(80, 24), (160, 48)], ids=["80x24", "160x48"])
async def test_nodes(tmp_path: Path, picture: SnapshotAssertion, size: tuple[int, int]) -> None:
    async with opened(tmp_path, size) as pilot:
        assert drawn(pilot) == picture


async def test_power_menu(tmp_path: Path, picture: SnapshotAssertion) -> None:
    async with opened(tmp_path, (80, 24)) as pilot:
        await pilot.press("p")
        await pilot.shows(PowerMenu)
        await pilot.sees("Power: compute-0-2")
        assert drawn(pilot) == picture


async def test_dialog(tmp_path: Path, picture: SnapshotAssertion) -> None:
    async with opened(tmp_path, (80, 24)) as pilot:
        await pilot.press("down", "down", "space", "p", "x")
        await pilot.shows(ConfirmScreen)
        await until(lambda: isinstance(pilot.screen, ConfirmScreen) and pilot.screen.ready)
        await pilot.sees("Cancel")
        await pilot.sees(lambda: "espresso" in drawn(pilot))
        assert drawn(pilot) == picture


async def test_help(tmp_path: Path, picture: SnapshotAssertion) -> None:
    async with opened(tmp_path, (80, 24)) as pilot:
        await pilot.press("question_mark")
        await pilot.shows(HelpScreen)
        await pilot.sees("Here")
        assert drawn(pilot) == picture
