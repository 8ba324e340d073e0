"""Questions to the person at the terminal. The event loop goes on meanwhile, and Ctrl+C ends them cleanly."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
from pathlib import Path

from pilot.commands.talk import Talk

_LONGEST = 4096


async def read_line(*, echo: bool = True) -> str | None:
    """A line that is typed; None at the end of the input."""
    fd = sys.stdin.fileno()
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    saved = termios.tcgetattr(fd)
    if not echo:
        silent = termios.tcgetattr(fd)
        silent[3] &= ~termios.ECHO
        silent[3] |= termios.ICANON | termios.ECHONL
        termios.tcsetattr(fd, termios.TCSADRAIN, silent)
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
        line = os.read(fd, _LONGEST)
    finally:
        loop.remove_reader(fd)
        with contextlib.suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSADRAIN, saved)
    return line.decode("utf-8", "replace").rstrip("\r\n") if line else None


async def confirm(talk: Talk, question: str) -> bool:
    """Yes or no; no unless yes is said."""
    talk.raw(f"{question} [y/N] ")
    return (await read_line() or "").strip().lower() in ("y", "yes")


async def ask_passphrase(talk: Talk, path: Path) -> str | None:
    """The passphrase of a key file; None if there is nobody to ask."""
    if not talk.asks:
        return None
    talk.raw(f"Passphrase for {path}: ")
    return await read_line(echo=False)


async def ask_first_use(talk: Talk, address: str, fingerprint: str) -> bool:
    """Whether a host key that is not known yet is taken for the site's, as ssh asks it."""
    if not talk.asks:
        return False
    talk.say(f"The airboss at {address} is not known here yet. Its host key is ED25519")
    talk.say(f"  {fingerprint}", "strong")
    talk.say("Compare it with what the site's admin told you (`pilot-agent check` prints it there).")
    while True:
        talk.raw("Is it the right one? (yes/no/the fingerprint) ")
        answer = await read_line()
        if answer is None or answer.strip().lower() == "no":
            return False
        if answer.strip().lower() == "yes" or answer.strip() == fingerprint:
            return True
        talk.say("Please type yes or no, or paste the fingerprint you were told.")
