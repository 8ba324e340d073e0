"""`pilot demo`: builds the demo, stays until it is to end, and leaves nothing behind."""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import libvirt

from pilot.demo import people, words
from pilot.demo.account import state_folder
from pilot.demo.progress import Progress
from pilot.demo.site import DemoSite
from pilot.errors import Exit, PilotError

_ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class _EndedError(BaseException):
    """A signal said to end."""

    def __init__(self, number: int) -> None:
        self.number = number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `pilot demo`."""
    parser.add_argument(
        "--headless", action="store_true", help="no shell: keep running until SIGTERM or Ctrl+C"
    )
    parser.add_argument(
        "--shell", action="store_true", help="begin in the demo's shell instead of the full-screen app"
    )
    parser.add_argument(
        "--state",
        type=Path,
        metavar="FOLDER",
        default=None,
        help=f"a short path; {state_folder()} if not given",
    )
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        default=0,
        help="where airboss listens; 8677 or a free one if not given",
    )


def main(args: argparse.Namespace) -> int:
    """Build, stay, clean up. Ctrl+C and SIGTERM are orderly ends.

    Raises:
        PilotError: a part could not be built; what was built by then is gone again.
    """
    libvirt.registerErrorHandler(lambda _context, _error: None, None)
    progress = Progress()
    site = DemoSite((args.state or state_folder()).absolute(), progress, args.port)
    status = int(Exit.OK)
    with _signals() as quiet:
        try:
            progress.say("Building a small hosting cluster on this machine:")
            site.build()
            words.write_tools(site)
            site.turn_on_meanwhile()
            if args.headless:
                _stay(site, progress)
            else:
                status = _shell(site, progress.seconds, app=not args.shell and sys.stdin.isatty())
        except _EndedError as ended:
            status = int(Exit.INTERRUPTED) if ended.number == signal.SIGINT else int(Exit.OK)
        finally:
            quiet()
            # Whose terminal was closed is not told anything more.
            with contextlib.suppress(OSError):
                if site.claimed:
                    progress.say("Ending the demo.")
            site.stop()
    return status


@contextlib.contextmanager
def _signals() -> Iterator[Callable[[], None]]:
    """The first ending signal raises `_EndedError`; later ones, or after a call of what is given, do nothing.

    So that a second Ctrl+C does not break off the clearing up.
    """

    def quiet() -> None:
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)

    def end(number: int, _frame: FrameType | None) -> None:
        quiet()
        raise _EndedError(number)

    before = {number: signal.signal(number, end) for number in _ENDING}
    try:
        yield quiet
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stay(site: DemoSite, progress: Progress) -> None:
    """Say how to join, and wait for a signal."""
    print(f"\nThe demo runs, built in {progress.seconds:.1f} s.\n\n{words.second_terminal(site)}")
    print("Ctrl+C or SIGTERM ends it and removes all of it.", flush=True)
    airboss = site.airboss_pid
    wait = threading.Event()
    while True:
        wait.wait(1.0)
        if airboss is not None and site.airboss_pid is None:
            airboss = None
            again = site.folder / words.TOOLS / "pilot-agent"
            progress.say(f"airboss has ended; the VMs run on. To start it again: {again} serve")


def _shell(site: DemoSite, seconds: float, *, app: bool) -> int:
    """Run a shell of the owner of vc1 until it ends; gives its exit status. With `app` the app comes first.

    Without a terminal the shell reads its commands from standard input, as in `echo 'pilot nodes' | …`.
    """
    added = words.environment(site, people.YOU)
    environment = {**os.environ, **added, "PATH": f"{added['PATH']}:{os.environ.get('PATH', os.defpath)}"}
    if app:
        # Its own errors are said by itself; the shell is there to look further.
        _foreground([str(site.folder / words.TOOLS / "pilot")], environment)
    print(words.introduction(site, seconds), flush=True)
    bash = shutil.which("bash")
    command = [bash or "/bin/sh"]
    if bash is not None and sys.stdin.isatty():
        start = site.folder / "shell.rc"
        start.write_text(
            "[ -f ~/.bashrc ] && . ~/.bashrc\n"
            f'export PATH="{environment["PATH"]}"\n'
            'eval "$(pilot completion bash 2>/dev/null)"\n'
            f"PS1='\\[\\e[1m\\][demo {people.YOU.principal}]\\[\\e[0m\\] \\w \\$ '\n",
            encoding="utf-8",
        )
        command += ["--rcfile", str(start), "-i"]
    return _foreground(command, environment)


def _foreground(command: list[str], environment: dict[str, str]) -> int:
    """Run a program that has the terminal until it ends; gives its exit status."""
    foreground = os.tcgetpgrp(0) if sys.stdin.isatty() else None
    # Ctrl+C in it is its own; a handler, since what is ignored would be so in the program too.
    signal.signal(signal.SIGINT, lambda _number, _frame: None)
    with subprocess.Popen(command, env=environment) as program:
        try:
            return program.wait()
        except BaseException:
            program.send_signal(signal.SIGHUP)
            try:
                program.wait(timeout=2)
            except subprocess.TimeoutExpired:
                program.kill()
            raise
        finally:
            if foreground is not None:
                # A shell takes the terminal for its own process group.
                before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
                with contextlib.suppress(OSError):
                    os.tcsetpgrp(0, foreground)
                signal.signal(signal.SIGTTOU, before)


def run() -> int:
    """`python -m pilot.demo`."""
    parser = argparse.ArgumentParser("pilot demo", description="A whole hosting cluster on this machine.")
    add_arguments(parser)
    try:
        return main(parser.parse_args())
    except PilotError as error:
        print(f"{error.title}: {error.message}", file=sys.stderr)
        if error.hint:
            print(error.hint, file=sys.stderr)
        return int(error.exit_code)
