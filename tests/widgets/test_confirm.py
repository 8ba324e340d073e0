"""The dialog before a verb is done."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest
from textual.app import App
from textual.pilot import Pilot
from textual.widgets import Button, Input

from pilot.danger import Question, question
from pilot.verbs import BY_ID
from pilot.widgets.confirm import ConfirmScreen
from tests.support.waiting import until
from tests.test_danger import nodes


class Asking(App[None]):
    """Asks, and keeps the answer."""

    def __init__(self, asked: Question, settle: float = 0.0) -> None:
        super().__init__()
        self.dialog = ConfirmScreen(asked, settle=settle)
        self.answers: list[bool | None] = []

    def on_mount(self) -> None:
        self.push_screen(self.dialog, self.answers.append)


def off(count: int) -> Question:
    return question(BY_ID["power.off"], nodes(count))


async def settled(pilot: Pilot[None], app: Asking) -> None:
    await until(lambda: app.dialog.ready, what="the dialog counts keys")
    await pilot.pause()


def text(app: App[None]) -> str:
    return "\n".join(strip.text for strip in app.screen._compositor.render_strips())


async def test_it_says_what_happens_to_whom_and_cancel_has_the_focus() -> None:
    app = Asking(off(3))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        shown = text(app)
        for words in (
            "Turn off 3 nodes of vc1 now?",
            "not yet written",
            "compute-0-0  compute-0-1  compute-0-2",
        ):
            assert words in shown
        assert app.focused is app.dialog.query_one("#no", Button)
        await pilot.press("enter")
        assert app.answers == [False]


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (["y"], True),
        (["n"], False),
        (["escape"], False),
        (["left", "enter"], True),
        (["shift+tab", "enter"], True),
        (["left", "right", "enter"], False),
    ],
)
async def test_keys(keys: list[str], answer: bool) -> None:
    app = Asking(off(2))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        await pilot.press(*keys)
        await pilot.pause()
        assert app.answers == [answer]


@pytest.mark.parametrize(("button", "answer"), [("#yes", True), ("#no", False)])
async def test_the_mouse_works(button: str, answer: bool) -> None:
    app = Asking(off(2))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        await pilot.click(button)
        await pilot.pause()
        assert app.answers == [answer]


async def test_what_was_typed_or_clicked_before_it_was_seen_does_not_confirm() -> None:
    app = Asking(off(2), settle=3600)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("y", "enter", "tab", "enter", "left", "enter", "space", "y")
        await pilot.click("#yes")
        await pilot.pause()
        assert app.screen is app.dialog
        assert app.answers == []
        await pilot.press("escape")
        assert app.answers == [False]


async def test_a_word_typed_before_the_dialog_was_seen_is_not_the_word() -> None:
    app = Asking(off(40), settle=3600)
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("v", "c", "1", "enter")
        assert app.dialog.query_one(Input).value == ""
        assert app.answers == []


async def test_the_word_must_be_right() -> None:
    app = Asking(off(40))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        yes = app.dialog.query_one("#yes", Button)
        assert isinstance(app.focused, Input)
        assert yes.disabled
        await pilot.press("y", "enter")
        assert app.answers == []
        for keys, allowed in ((["backspace", "v", "c"], False), (["1"], True), (["x"], False)):
            await pilot.press(*keys)
            assert yes.disabled is not allowed
        await pilot.press("backspace", "enter")
        assert app.answers == [True]


async def test_the_word_then_the_button() -> None:
    app = Asking(question(BY_ID["power.install"], nodes(1)))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        await pilot.press(*"compute-0-0")
        await pilot.click("#yes")
        await pilot.pause()
        assert app.answers == [True]


async def test_escape_leaves_from_the_word() -> None:
    app = Asking(off(40))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        await pilot.press("v", "escape")
        assert app.answers == [False]


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 50), (44, 15)])
@pytest.mark.parametrize(
    "make",
    [
        lambda: off(1),
        lambda: off(15),
        lambda: off(4096),
        lambda: question(BY_ID["power.install"], nodes(40)),
        lambda: question(BY_ID["power.boot"], nodes(9)),
    ],
    ids=["one", "some", "thousands", "install", "boot"],
)
async def test_question_and_buttons_are_in_sight(size: tuple[int, int], make: Callable[[], Question]) -> None:
    app = Asking(make())
    async with app.run_test(size=size) as pilot:
        await settled(pilot, app)
        shown = text(app)
        assert app.dialog.question.title.split()[0] in shown
        assert f"[ {app.dialog.question.act} ]" in shown
        assert "[ Cancel ]" in shown
        if app.dialog.question.kind == "word":
            assert f"Type {app.dialog.question.word}:" in shown
        if len(app.dialog.question.names) > 1:
            assert app.dialog.question.names[0] in shown


async def test_all_names_can_be_read() -> None:
    app = Asking(off(300))
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        assert "compute-0-299" not in text(app)
        assert "300 nodes, PgDn for more" in text(app)
        await pilot.press(*["pagedown"] * 12)
        await pilot.pause()
        assert "compute-0-299" in text(app)
        assert app.answers == []


async def test_names_are_no_markup() -> None:
    evil = nodes(2)
    asked = question(BY_ID["power.off"], [msgspec.structs.replace(evil[0], name="[red]x[/]"), evil[1]])
    app = Asking(asked)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(pilot, app)
        assert "[red]x[/]" in text(app)


async def test_it_fits_a_window_that_shrinks() -> None:
    app = Asking(off(60))
    async with app.run_test(size=(120, 40)) as pilot:
        await settled(pilot, app)
        await pilot.resize_terminal(40, 12)
        await until(lambda: "[ Cancel ]" in text(app), what="the buttons fit")
        assert "Type vc1:" in text(app)
