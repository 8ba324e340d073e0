"""`pilot play`: the app with the player, and the words where it cannot play."""

from __future__ import annotations

import asyncio
import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pilot import cli
from pilot.asciicast import Event
from pilot.console.bittty_engine import BitttyEngine
from pilot.errors import Exit
from pilot.live.playing import Player, look_through
from pilot.render.times import position
from pilot.screens.player import PlayerApp
from pilot.widgets.cell_line import CellLine
from tests.live.test_playing import cast

EVENTS = (
    Event(0.0, "o", "\x1b[31mone\x1b[m\x1b]0;owned\x07\x1b]52;c;AAAA\x07\r\n"),
    Event(500.0, "m", "booted"),
    Event(500.0, "o", "two"),
    Event(1000.0, "o", "!"),
)


async def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def test_keys() -> None:
    file = io.BytesIO(cast(*EVENTS))
    player = Player(file, look_through(file), BitttyEngine())
    app = PlayerApp(player)
    async with app.run_test(size=(100, 30)) as pilot:
        await until(lambda: player.engine.text(0) == "one")
        await pilot.press("space")
        assert player.paused
        await pilot.press("right_square_bracket")
        await until(lambda: player.engine.text(1) == "two")
        line = app.pane.line.render().plain
        assert "‖ 8:20 / 16:40  1x" in line
        assert "◆ booted" in line
        await pilot.press("left", "plus")
        await until(lambda: player.engine.text(1) == "" and not player.seeking)
        assert (player.position, player.speed) == (495.0, 2.0)
        await pilot.press("end")
        await until(lambda: player.engine.text(1) == "two!")
        await pilot.press("slash", "t", "w", "enter")
        await until(lambda: app.query_one("#said", CellLine).shown.startswith("1 found"))
        assert player.paused
        await pilot.press("home")
        await until(lambda: player.position == 0.0 and player.engine.text(1) == "")
        await pilot.press("q")
    assert app.return_code == 0


def test_elsewhere_the_text_is_printed_through_the_filter(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "a.cast"
    path.write_bytes(cast(*EVENTS))
    assert cli.main(["play", str(path), "--print"]) == Exit.OK
    assert capfdbinary.readouterr().out.startswith(b"\x1b[31mone\x1b[m\r\ntwo!")


def test_what_cannot_be_played_is_said_in_words(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "no.cast").write_bytes(b"PK\x03\x04")
    (tmp_path / "cut.cast").write_bytes(cast(*EVENTS[:1]) + b"[oops]\n")
    for name, code, words in (
        ("none", Exit.USAGE, "No such file"),
        (".", Exit.USAGE, ""),
        ("pipe", Exit.USAGE, "is no file"),
        ("no.cast", Exit.FAILED, "line 1"),
        ("cut.cast", Exit.FAILED, "line 3"),
    ):
        assert cli.main(["play", str(tmp_path / name), "--print"]) == code
        said = capfd.readouterr().err
        assert words in said
        assert "Traceback" not in said


def test_times() -> None:
    assert [position(seconds) for seconds in (0.9, 65, 3723)] == ["0:00", "1:05", "1:02:03"]
