"""An end in order: whatever is being opened or closed while the app ends comes to its own end first.

Textual closes the screens of one mode after the other, takes for closed what is not composed yet, and what a
tab composes from then on never starts; whoever looks for one of its widgets finds none. What leads to other
screens meanwhile changes what Textual is going through. All of that happens whenever a person leaves the app
while a tab opens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TypeVar

from rich.console import RenderableType
from textual import events, messages
from textual.app import App
from textual.await_complete import AwaitComplete
from textual.css.styles import RulesMap
from textual.dom import DOMNode
from textual.message import Message
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import AwaitMount, Widget

Result = TypeVar("Result")

_TO_THE_END = (events.Callback, events.Unmount, messages.CloseMessages, messages.ExitApp)
"""What the app's own closing takes."""
_MAKING_SECONDS = 5.0


class OrderlyEnd(App[Result], inherit_bindings=False):
    """An app whose modes come and go until it ends, and no longer."""

    _ending = False

    def exit(
        self, result: Result | None = None, return_code: int = 0, message: RenderableType | None = None
    ) -> None:
        """End the app, once what is being made is made."""
        super().exit(result, return_code, message)
        if self.is_running:
            self._ending = True
            # With this, widgets that are being composed would get no parts.
            self._exit = False

    async def _dispatch_message(self, message: Message) -> None:
        # Keys, and what widgets ask for: it comes too late.
        if not self._ending or isinstance(message, _TO_THE_END):
            await super()._dispatch_message(message)

    def switch_mode(self, mode: str) -> AwaitMount:
        """Show another mode, unless the app ends."""
        return AwaitMount(self.screen, []) if self._ending else super().switch_mode(mode)

    def remove_mode(self, mode: str) -> AwaitComplete:
        """Close a mode's screens; all are closed when the app ends."""
        return AwaitComplete() if self._ending else super().remove_mode(mode)

    def _register(
        self,
        parent: DOMNode,
        *widgets: Widget,
        before: int | None = None,
        after: int | None = None,
        cache: dict[tuple[object, ...], RulesMap] | None = None,
    ) -> list[Widget]:
        # What is half made when the end begins is made: its parts look for each other.
        running, self._running = self._running, self._running or self._ending
        try:
            return super()._register(parent, *widgets, before=before, after=after, cache=cache)
        finally:
            self._running = running

    async def _replace_screen(self, screen: Screen[Any]) -> Screen[Any]:
        # One that is taken away while it is made would be made without its parts.
        await _made([screen])
        return await super()._replace_screen(screen)

    async def _close_all(self) -> None:
        self._ending = True
        # Those in front last: as long as there are widgets they may ask which screen is shown.
        while alive := self._alive():
            await _made(self._registry)
            behind = [screen for screen in alive if screen not in self.screen_stack]
            await self._prune(*(behind or alive[-1:]))
        await super()._close_all()

    def _alive(self) -> list[Screen[Any]]:
        """Screens that have a task, whether or not it has begun; those on top of others behind them."""
        places = {screen: at for stack in self._screen_stacks.values() for at, screen in enumerate(stack)}
        alive = [node for node in self._registry if isinstance(node, Screen) and _lives(node)]
        return sorted(alive, key=lambda screen: places.get(screen, 0))


def _lives(node: MessagePump) -> bool:
    return node._task is not None and not node._task.done()  # noqa: SLF001


async def _made(nodes: Iterable[MessagePump]) -> None:
    """Wait until these, as far as they live, have composed what they are made of."""
    made: Iterable[asyncio.Event] = (node._mounted_event for node in nodes if _lives(node))  # noqa: SLF001
    if making := [event.wait() for event in made if not event.is_set()]:
        with suppress(TimeoutError):
            async with asyncio.timeout(_MAKING_SECONDS):
                await asyncio.gather(*making)
