"""One SSH session channel, until it is known what it is for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import asyncssh

from pilot.agent.caller import Caller
from pilot.agent.channel import WireMode
from pilot.agent.service import Service
from pilot.agent.stock_ssh import TextMode
from pilot.wire import SUBSYSTEM


class Session(asyncssh.SSHServerSession[bytes]):
    """A channel, until it is known what it is for; then it hands everything to its mode."""

    def __init__(
        self,
        service: Service,
        caller: Caller,
        closed: Callable[[], None],
        *,
        patience: float,
        ssh_power: bool,
    ) -> None:
        """`closed` is called at the end. `patience`: seconds in which it must have asked for something."""
        self._service = service
        self._caller = caller
        self._closed = closed
        self._patience = patience
        self._ssh_power = ssh_power
        self._chan: asyncssh.SSHServerChannel[bytes] | None = None
        self._mode: WireMode | TextMode | None = None
        self._pty = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        """The channel is open; it has a while to say what for."""
        self._chan = chan
        self._timer = asyncio.get_running_loop().call_later(self._patience, self._too_late)

    def _too_late(self) -> None:
        if self._chan is not None and not (self._mode is not None and self._mode.asked):
            self._chan.close()

    def subsystem_requested(self, subsystem: str) -> bool:
        """The wire."""
        if subsystem != SUBSYSTEM or self._chan is None:
            return False
        self._mode = WireMode(self._chan, self._service, self._caller)
        return True

    def exec_requested(self, command: str) -> bool:
        """Stock ssh with a command."""
        return self._text(command)

    def shell_requested(self) -> bool:
        """Stock ssh without one: it is told what there is."""
        return self._text("help")

    def _text(self, command: str) -> bool:
        if self._chan is None:
            return False
        self._mode = TextMode(
            self._chan, self._service, self._caller, command, pty=self._pty, power=self._ssh_power
        )
        return True

    def pty_requested(self, term_type: str, term_size: object, term_modes: object) -> bool:
        """A console wants one."""
        self._pty = True
        return True

    def session_started(self) -> None:
        """What was asked for may begin."""
        if isinstance(self._mode, TextMode):
            self._mode.start()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        """Bytes for the mode."""
        if self._mode is not None and datatype is None:
            self._mode.data(data)

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        """The window has another size."""
        if self._mode is not None:
            self._mode.resized(width, height)

    def eof_received(self) -> bool:
        """The client has said all it will; the answer may still be on its way."""
        return True

    def pause_writing(self) -> None:
        """The client does not read."""
        if self._mode is not None:
            self._mode.pause()

    def resume_writing(self) -> None:
        """The client reads on."""
        if self._mode is not None:
            self._mode.resume()

    def connection_lost(self, exc: Exception | None) -> None:
        """The channel is closed."""
        if self._timer is not None:
            self._timer.cancel()
        if self._mode is not None:
            self._mode.lost()
        self._closed()
