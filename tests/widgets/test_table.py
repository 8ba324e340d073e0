"""The table in a running app: keys, mouse, changes under the cursor, sizes and hostile text."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest
from textual.app import App, ComposeResult
from textual.message import Message
from textual.pilot import Pilot
from textual.strip import Strip

from pilot.errors import UsageError
from pilot.render.natural import natural_key
from pilot.render.palette import Tone
from pilot.render.table import Cell
from pilot.widgets.table import (
    CursorMoved,
    MarksChanged,
    RowOpened,
    SortChanged,
    TableColumn,
    VirtualTable,
)
from pilot.widgets.table_columns import GUTTER
from tests.support.waiting import until


@dataclass(frozen=True)
class Machine:
    key: str
    name: str
    state: str = "on"
    since: float = 0.0
    stale: bool = False


_TONES: dict[str, Tone] = {"on": "good", "off": "dim", "hung": "bad"}
COLUMNS: tuple[TableColumn[Machine], ...] = (
    TableColumn(
        "name",
        "NODE",
        lambda row, now: Cell(row.name, "strong"),
        lambda row: natural_key(row.name),
        14,
        weight=1,
        widest=40,
    ),
    TableColumn(
        "state",
        "STATE",
        lambda row, now: Cell(row.state, _TONES.get(row.state, "")),
        lambda row: row.state,
        10,
    ),
    TableColumn(
        "since",
        "SINCE",
        lambda row, now: Cell(f"{now - row.since:.0f} s"),
        lambda row: row.since,
        8,
        right=True,
        priority=1,
        timed=True,
        flashes=False,
    ),
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class TableApp(App[None]):
    def __init__(self, rows: Sequence[Machine], sort: str = "name", theme: str = "textual-dark") -> None:
        super().__init__()
        self.theme = theme
        self.clock = Clock()
        self.rows = rows
        self.told: list[Message] = []
        self.table = VirtualTable[Machine](
            COLUMNS,
            lambda row: row.key,
            sort=sort,
            tie=lambda row: natural_key(row.name),
            stale=lambda row: row.stale,
            clock=self.clock,
        )

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.replace(self.rows)
        self.table.focus()

    def on_cursor_moved(self, message: CursorMoved) -> None:
        self.told.append(message)

    on_row_opened = on_marks_changed = on_sort_changed = on_cursor_moved

    def of(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.told if isinstance(message, kind)]

    def text(self, y: int) -> str:
        return self.table.render_line(y).text

    def line_of(self, key: str) -> int:
        place = self.table._order.index(key)
        assert place is not None
        return place - self.table.scroll_offset.y


def machines(count: int) -> list[Machine]:
    return [Machine(f"k{number}", f"compute-0-{number}") for number in range(count)]


@asynccontextmanager
async def running(
    rows: Sequence[Machine], size: tuple[int, int] = (80, 24), **more: str
) -> AsyncIterator[tuple[TableApp, Pilot[None]]]:
    app = TableApp(rows, **more)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


async def test_rows_are_drawn_in_natural_order_under_their_titles() -> None:
    async with running(machines(30)) as (app, _):
        assert app.text(0).split() == ["NODE", "↑", "STATE", "SINCE"]
        assert app.text(1).split() == ["▌", "compute-0-0", "on", "1000", "s"]
        assert app.text(11).split()[0] == "compute-0-10"
        assert all(app.table.render_line(y).cell_length == app.table.size.width for y in range(24))
        # Text that lines up on the right ends with its column.
        since = app.table._painter.placed[-1]
        assert app.text(0)[: since.x + since.width].endswith("   SINCE")


async def test_keys_move_the_cursor_and_keep_it_on_the_screen() -> None:
    async with running(machines(100)) as (app, pilot):
        await pilot.press("down", "j", "j", "up", "k")
        assert app.table.cursor == "k1"
        await pilot.press("G")
        assert app.table.cursor == "k99"
        assert "▌" in app.text(23)
        await pilot.press("pageup")
        assert app.table.cursor == "k77"
        await pilot.press("g", "up")
        assert app.table.cursor == "k0"
        assert app.table.scroll_offset.y == 0
        await pilot.press("pagedown", "end", "home", "enter")
        opened = app.of(RowOpened)
        assert isinstance(opened[0], RowOpened)
        assert opened[0].key == "k0"
        moved = app.of(CursorMoved)[-1]
        assert isinstance(moved, CursorMoved)
        assert moved.key == "k0"


async def test_the_cursor_stays_on_its_row_and_its_line_while_rows_move() -> None:
    async with running(machines(200)) as (app, pilot):
        assert app.table.move_to("k100")
        line = app.line_of("k100")
        app.table.apply({f"n{n}": Machine(f"n{n}", f"another-{n}") for n in range(40)})
        await until(lambda: app.table.total == 240)
        assert app.table.cursor == "k100"
        assert app.line_of("k100") == line
        app.table.apply({}, [f"n{n}" for n in range(30)])
        await until(lambda: app.table.total == 210)
        assert app.line_of("k100") == line
        app.table.sort_by("name", True)
        assert app.table.cursor == "k100"
        assert app.line_of("k100") == line
        await pilot.pause()
        assert "▌" in app.text(line + 1)
        assert "compute-0-100" in app.text(line + 1)


async def test_rows_above_a_window_scrolled_away_do_not_move_it() -> None:
    async with running(machines(200)) as (app, _):
        app.table.scroll_to(y=100, animate=False, force=True)
        top = app.table.shown[100]
        app.table.apply({f"n{n}": Machine(f"n{n}", f"another-{n}") for n in range(7)})
        await until(lambda: app.table.total == 207)
        assert app.table.shown[app.table.scroll_offset.y] == top
        assert app.table.cursor == "k0"


async def test_a_row_that_goes_hands_the_cursor_to_its_neighbour() -> None:
    async with running(machines(5)) as (app, _):
        app.table.move_to("k2")
        app.table.apply({}, ["k2", "k3"])
        await until(lambda: app.table.total == 3)
        assert app.table.cursor == "k4"
        app.table.filter(lambda row: row.key != "k4")
        assert app.table.cursor == "k1"
        app.table.filter(None)
        assert app.table.cursor == "k1"
        app.table.replace([])
        assert app.table.targets() == []
        app.table.replace(machines(2))
        assert app.table.cursor == "k0"
        await until(lambda: isinstance(app.told[-1], CursorMoved) and app.told[-1].key == "k0")


async def test_marks_outlive_sorting_and_filtering_but_not_their_rows() -> None:
    async with running(machines(20)) as (app, pilot):
        await pilot.press("j", "space", "j", "j", "ctrl+@")
        assert app.table.marks == {"k1", "k2", "k3"}
        assert app.text(2).startswith(" ✓ ")
        assert app.text(4).startswith("▌✓ ")
        app.table.sort_by("state", True)
        app.table.filter(lambda row: row.key in ("k3", "k9"))
        assert app.table.targets() == ["k3", "k1", "k2"]
        await pilot.press("ctrl+a")
        assert app.table.marks == {"k1", "k2", "k3", "k9"}
        app.table.filter(None)
        app.table.apply({}, ["k1"])
        await until(lambda: app.table.marks == {"k2", "k3", "k9"})
        await pilot.press("space")
        await pilot.press("ctrl+backslash")
        assert app.table.targets() == [app.table.cursor]
        changed = app.of(MarksChanged)[-1]
        assert isinstance(changed, MarksChanged)
        assert changed.marks == frozenset()


async def test_the_mouse_sorts_selects_opens_and_marks() -> None:
    async with running(machines(50)) as (app, pilot):
        state = app.table._painter.placed[1]
        await pilot.click(app.table, offset=(state.x, 0))
        await pilot.click(app.table, offset=(state.x, 0))
        sorts = [(m.column, m.reverse) for m in app.of(SortChanged) if isinstance(m, SortChanged)]
        assert sorts[-2:] == [("state", False), ("state", True)]
        assert "STATE ↓" in app.text(0)
        await pilot.click(app.table, offset=(0, 0))
        assert app.table.sort_column == "state"
        await pilot.click(app.table, offset=(GUTTER, 5))
        assert app.table.cursor == "k4"
        await pilot.click(app.table, offset=(GUTTER, 6), control=True)
        await pilot.click(app.table, offset=(GUTTER, 8), shift=True)
        assert app.table.marks == {"k5", "k6", "k7"}
        await pilot.double_click(app.table, offset=(GUTTER, 3))
        opened = app.of(RowOpened)
        assert [m.key for m in opened if isinstance(m, RowOpened)] == ["k2"]
        app.table.replace(machines(3))
        await pilot.click(app.table, offset=(GUTTER, 20))
        assert app.table.cursor == "k2"


async def test_columns_can_be_sorted_by_keys() -> None:
    async with running(machines(3)) as (app, pilot):
        await pilot.press("greater_than_sign")
        assert app.table.sort_column == "state"
        await pilot.press("less_than_sign", "less_than_sign")
        assert app.table.sort_column == "since"
        await pilot.press("tilde")
        assert app.table.reverse
        with pytest.raises(KeyError):
            app.table.sort_by("nothing")


async def test_a_changed_cell_flashes_and_then_nothing_ticks() -> None:
    async with running(machines(5)) as (app, _):
        still = list(app.table.render_line(2))
        app.table.apply({"k1": Machine("k1", "compute-0-1", "off")})
        await until(lambda: "off" in app.text(2))
        bright = list(app.table.render_line(2))
        assert (
            next(s for s in bright if s.text.startswith("off")).style
            != next(s for s in still if s.text.startswith("on")).style
        )
        name = [s.style for s in bright if "compute" in s.text]
        assert name == [s.style for s in still if "compute" in s.text]
        assert app.table._flash_timer is not None
        await until(lambda: app.table._flash_timer is None)
        ground = [s.style.bgcolor for s in app.table.render_line(2) if s.style]
        assert len(set(ground)) == 1


async def test_changes_are_taken_in_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(machines(5)) as (app, _):
        taken: list[int] = []
        apply = app.table._order.apply

        def recorded(changed: Mapping[str, Machine], gone: Iterable[str]) -> None:
            taken.append(len(changed))
            apply(changed, gone)

        monkeypatch.setattr(app.table._order, "apply", recorded)
        app.table.apply({"k0": Machine("k0", "compute-0-0", "off")})
        app.table.apply({"k1": Machine("k1", "compute-0-1", "off")})
        app.table.apply({"k9": Machine("k9", "compute-0-9")})
        app.table.apply({}, ["k9"])
        assert app.table.row("k1") == Machine("k1", "compute-0-1", "off")
        await until(lambda: taken == [2])
        assert app.table.total == 5


async def test_only_lines_that_changed_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(machines(500)) as (app, pilot):
        await pilot.pause()
        drawn: list[int] = []
        render_line = app.table.render_line

        def recorded(y: int) -> Strip:
            drawn.append(y)
            return render_line(y)

        monkeypatch.setattr(app.table, "render_line", recorded)
        app.table.apply(
            {"k3": Machine("k3", "compute-0-3", "off"), "k400": Machine("k400", "compute-0-400", "off")}
        )
        await until(lambda: drawn)
        await pilot.pause()
        assert set(drawn) == {4}


async def test_time_alone_redraws_what_depends_on_it() -> None:
    async with running(machines(3)) as (app, _):
        assert "1000 s" in app.text(1)
        app.clock.now += 5
        app.table._second()
        assert "1005 s" in app.text(1)
        assert app.table._painter.outdated("k0", app.clock.now) is False


async def test_a_row_applied_unchanged_is_drawn_anew() -> None:
    names = {"k0": "before"}
    column = TableColumn[Machine](
        "x", "X", lambda row, now: Cell(names[row.key]), lambda row: names[row.key], 10
    )
    async with running(machines(1)) as (app, _):
        app.table.set_columns([column])
        assert "before" in app.text(1)
        names["k0"] = "after"
        app.table.apply({"k0": app.rows[0]})
        await until(lambda: "after" in app.text(1))


async def test_stale_rows_look_other_than_live_ones() -> None:
    rows = [Machine("a", "a"), Machine("b", "b", stale=True), Machine("c", "c")]
    async with running(rows) as (app, _):
        live, stale = app.table.render_line(3), app.table.render_line(2)
        colours = [{s.style.color for s in strip if s.style and s.text.strip()} for strip in (live, stale)]
        assert colours[0] != colours[1]
        assert len(colours[1]) == 1


@pytest.mark.parametrize("theme", ["textual-dark", "textual-light", "ansi-dark", "ansi-light"])
async def test_the_cursor_and_marks_are_seen_without_colour(theme: str) -> None:
    async with running(machines(3), theme=theme) as (app, pilot):
        await pilot.press("space", "down")
        assert app.text(1).startswith(" ✓ ")
        assert app.text(2).startswith("▌  ")
        tones = {s.style.color for s in app.table.render_line(3) if s.style and s.text.strip()}
        assert len(tones) > 1


async def test_why_there_is_nothing_is_said_in_the_middle() -> None:
    async with running([]) as (app, _):
        app.table.empty_text = "No node yet.\nTurn one on."
        lines = [app.text(y).strip() for y in range(24)]
        assert lines[11:13] == ["No node yet.", "Turn one on."]
        app.table.replace(machines(3))
        app.table.hidden_text = "Nothing matches."
        app.table.filter(lambda row: False)
        assert [app.text(y).strip() for y in range(24)].count("Nothing matches.") == 1
        assert app.table.shown == []
        assert app.table.total == 3


async def test_a_filter_that_fails_leaves_the_last_one() -> None:
    def fails(row: Machine) -> bool:
        raise UsageError("too slow")

    async with running(machines(10)) as (app, _):
        app.table.filter(lambda row: row.key in ("k1", "k2"))
        with pytest.raises(UsageError):
            app.table.filter(fails)
        assert list(app.table.shown) == ["k1", "k2"]
        app.table.apply({"k5": Machine("k5", "x", "off")})
        await until(lambda: app.table._order.rows["k5"].state == "off")
        assert list(app.table.shown) == ["k1", "k2"]


HOSTILE = [
    "\x1b]0;title\x07",
    "\x1b[2J\x1b[31m",
    "\u202egnp.exe",
    "a\nb\r\tc\x00",
    "x" * 10_000,
    "計" * 500,
    "e" + "\u0301" * 300,
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "\ud800\udfff",
    "[bold red]markup[/]",
    "",
    "\u2028\u200b\ufeff",
]


@pytest.mark.parametrize("size", [(80, 24), (1, 1), (2, 2), (300, 3)])
async def test_hostile_text_stays_in_its_cell(size: tuple[int, int]) -> None:
    rows = [Machine(str(number), name, name) for number, name in enumerate(HOSTILE)]
    async with running(rows, size) as (app, pilot):
        await pilot.press("down", "space", "end")
        for y in range(size[1]):
            strip = app.table.render_line(y)
            assert strip.cell_length == app.table.size.width
            assert not set(strip.text) & {"\x1b", "\n", "\r", "\x07", "\u202e", "\u2028"}
            strip.text.encode()


async def test_any_size_will_do() -> None:
    async with running(machines(50)) as (app, pilot):
        app.table.move_to("k30")
        for size in [(1, 1), (5, 2), (200, 60), (2, 1), (1, 40), (80, 24)]:
            await pilot.resize_terminal(*size)
            await pilot.press("down", "space", "pageup", "pagedown")
            await pilot.pause()
        assert app.table.cursor is not None
        assert 0 <= app.line_of(app.table.cursor) < app.table.window_height


async def test_rows_can_be_given_before_it_is_on_the_screen() -> None:
    table = VirtualTable[Machine](COLUMNS, lambda row: row.key, sort="name")
    table.replace(machines(3))
    table.apply({"k7": Machine("k7", "compute-0-7")}, ["k0"])
    assert list(table.shown) == ["k1", "k2", "k7"]
    assert table.cursor == "k1"


async def test_keys_can_be_bound_anew_by_id() -> None:
    async with running(machines(3)) as (app, pilot):
        app.set_keymap({"table.down": "n"})
        await pilot.press("n")
        assert app.table.cursor == "k1"


async def test_a_row_that_only_looks_different_keeps_its_place() -> None:
    async with running(machines(10), sort="state") as (app, _):
        app.table.move_to("k5")
        app.table.apply({"k5": replace(app.rows[5], state="hung")})
        await until(lambda: app.table.shown[0] == "k5")
        assert app.table.cursor == "k5"
