"""Questions of the connection: an unknown host key, a passphrase; and what to do when it is refused."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, TypeVar

from textual import on
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen, Screen
from textual.widgets import Button, Input, Static

from pilot.errors import PilotError
from pilot.wire import plain

T = TypeVar("T")


class FirstUseScreen(ModalScreen[bool]):
    """Whether a host key is the site's; no, unless it is said. Its fingerprint may be pasted instead."""

    CSS_PATH = "questions.tcss"
    BINDINGS = [Binding("escape", "no", "cancel", key_display="Esc")]

    def __init__(self, address: str, fingerprint: str) -> None:
        super().__init__()
        self._address = address
        self._fingerprint = fingerprint

    def compose(self) -> ComposeResult:
        """The fingerprint, and the line for the answer."""
        with Vertical(classes="question") as box:
            box.border_title = "First contact"
            yield Static(
                f"The airboss at {plain(self._address)} is not known here yet. Its host key is ED25519",
                markup=False,
            )
            yield Static(plain(self._fingerprint), classes="word", markup=False)
            yield Static(
                "Compare it with what the site's admin told you (`pilot-agent check` prints it there).\n"
                "Type yes, or paste the fingerprint you were told.",
                markup=False,
            )
            yield Input(placeholder="yes / no / SHA256:…", max_length=100)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        answer = event.value.strip()
        if answer.lower() == "yes" or answer == self._fingerprint:
            self.dismiss(True)
        elif answer.lower() in ("no", "n"):
            self.dismiss(False)
        else:
            self.query_one(Input).value = ""
            self.app.bell()

    def action_no(self) -> None:
        """It is not."""
        self.dismiss(False)


class PassphraseScreen(ModalScreen[str | None]):
    """The passphrase of a key file; None if it is not given."""

    CSS_PATH = "questions.tcss"
    BINDINGS = [Binding("escape", "none", "cancel", key_display="Esc")]

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def compose(self) -> ComposeResult:
        """The line, not echoed."""
        with Vertical(classes="question") as box:
            box.border_title = "Passphrase"
            yield Static(f"For the key {self._path}", markup=False)
            yield Input(password=True, max_length=1024)

    def on_mount(self) -> None:
        """Type at once."""
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def _answered(self, event: Input.Submitted) -> None:
        self.dismiss(event.value)

    def action_none(self) -> None:
        """Not this key."""
        self.dismiss(None)


class StoppedScreen(ModalScreen[str]):
    """Why there is no connection and none is tried: `retry`, `sites`, `stay` or `quit`."""

    CSS_PATH = "questions.tcss"
    BINDINGS = [
        Binding("escape", "choose('stay')", "look at what is known", key_display="Esc"),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, site: str, error: PilotError) -> None:
        super().__init__()
        self._site = site
        self._error = error

    def compose(self) -> ComposeResult:
        """What, why, what to do."""
        with Vertical(classes="question -bad") as box:
            box.border_title = plain(f"{self._site}: {self._error.title}")
            yield Static(plain(self._error.message, 2000), classes="word", markup=False)
            if self._error.hint:
                yield Static(plain(self._error.hint, 2000), markup=False)
            yield Static("Nothing is sent to this site until you say so.", classes="aside", markup=False)
            with Horizontal(classes="buttons"):
                yield Button("Stay", id="stay", compact=True)
                yield Button("Try again", id="retry", compact=True)
                yield Button("Another site", id="sites", compact=True)
                yield Button("Quit", id="quit", compact=True)

    def on_mount(self) -> None:
        """Nothing happens by Enter alone."""
        self.query_one("#stay", Button).focus()

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id or "stay")

    def action_choose(self, what: str) -> None:
        """By key."""
        self.dismiss(what)


class AppAsker:
    """Asks in the app what connecting needs to know."""

    def __init__(self, app: App[Any], *, accept_new: bool = False) -> None:
        """With `accept_new` a host key is taken at first contact without asking."""
        self._app = app
        self._accept_new = accept_new

    async def first_use(self, address: str, fingerprint: str) -> bool:
        """Whether the host key is the site's."""
        return self._accept_new or await self._ask(FirstUseScreen(address, fingerprint)) is True

    async def passphrase(self, path: Path) -> str | None:
        """The passphrase of a key file."""
        return await self._ask(PassphraseScreen(path))

    async def _ask(self, screen: Screen[T]) -> T | None:
        answer: asyncio.Future[T | None] = asyncio.get_running_loop().create_future()

        def answered(given: T | None) -> None:
            if not answer.done():
                answer.set_result(given)

        self._app.push_screen(screen, answered)
        return await answer
