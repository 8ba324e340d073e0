"""`pilot-agent`: the daemon, and the admin's commands around it.

Only the grammar is loaded to answer `--help`; a command's own module is imported when it runs.
"""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from pilot.agent.admin.parser import build
from pilot.errors import Exit, PilotError

_EXTRAS = ("alembic", "libvirt", "sqlalchemy")
"""What the extra `agent` brings, and a client does without."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; gives its exit code (pilot.errors.Exit)."""
    args = build().parse_args(argv)
    module, _, name = args.run.partition(":")
    try:
        run: Callable[..., int] = getattr(importlib.import_module(module), name)
        return run(args)
    except PilotError as error:
        print(f"{error.title}: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"  {error.hint}", file=sys.stderr)
        return error.exit_code
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRAS:
            raise
        print(
            f"Installation: {error.name} is missing: only the client is installed here\n"
            "  Install airboss's parts, too: pip install 'rocks-pilot[agent]'",
            file=sys.stderr,
        )
        return Exit.USAGE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # Who read our output has seen enough; nothing more can be said there, at exit neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.OK


def script() -> None:
    """What `pilot-agent` runs: the command, and an end of the process without the interpreter's own.

    Threads that are inside libvirt at that moment die with its locks in their hands; a connection that the
    interpreter lets go of after them would wait for those locks for ever.
    """
    code = main()
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        # Who read our output may have seen enough.
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    script()
