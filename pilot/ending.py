"""How the app ends when nobody asked it to: by a signal, or by a mistake of its own. It leaves a log."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from logging.handlers import RotatingFileHandler
from pathlib import Path

from pilot.client_config import ClientConfig, private_folder

LONGEST_LOG = 512 * 1024
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_TEXTUALS = (signal.SIGCONT, signal.SIGWINCH, signal.SIGINT)


def keep_log(config: ClientConfig) -> Path:
    """Write warnings and mistakes to a file of the state folder, which the screen has no room for.

    Raises:
        ConfigError: the folder cannot be made.
    """
    private_folder(config.state)
    path = config.state / "pilot.log"
    handler = RotatingFileHandler(path, maxBytes=LONGEST_LOG, backupCount=1, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    return path


def on_signals(leave: Callable[[int], object]) -> None:
    """End in order when the terminal is closed or the process is told to end: it gets its own screen back.

    Must be called on the main thread, while the loop runs.
    """
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, leave, 128 + number)


@contextmanager
def signals_lent(leave: Callable[[int], object]) -> Iterator[None]:
    """Let somebody else handle signals while the block runs; `leave` and Textual do so again behind it."""
    handlers = {number: signal.getsignal(number) for number in _TEXTUALS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        on_signals(leave)
