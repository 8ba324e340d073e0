"""The process that asks a pool, as airboss sees it: asked with a deadline, killed on it, started again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from pilot.backends.condor import child, frames
from pilot.backends.condor.failing import Failure
from pilot.backends.condor.settings import Bounds, PoolSettings

_SOURCE = Path(__file__).resolve().parents[3]
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "TMPDIR")
"""What of airboss's environment the process gets: none of what would configure HTCondor."""


def environment(settings: PoolSettings, tokens: Path, token: str) -> dict[str, str]:
    """What HTCondor's library reads its configuration from."""
    env = {name: os.environ[name] for name in _KEPT if name in os.environ}
    seconds = str(max(1, round(settings.deadline)))
    env |= {
        "PYTHONPATH": str(_SOURCE),
        "HOME": str(tokens),
        "CONDOR_CONFIG": settings.config or "ONLY_ENV",
        "_CONDOR_QUERY_TIMEOUT": seconds,
        "_CONDOR_SEC_SESSION_DURATION_SLOP": "20",
    }
    if token or not settings.config:
        env |= {
            "_CONDOR_SEC_TOKEN_DIRECTORY": str(tokens),
            "_CONDOR_SEC_TOKEN_SYSTEM_DIRECTORY": str(tokens),
            # A signing key of this host would let the library mint a token of its own.
            "_CONDOR_SEC_PASSWORD_DIRECTORY": str(tokens / "none"),
            "_CONDOR_SEC_TOKEN_POOL_SIGNING_KEY_FILE": str(tokens / "none" / "POOL"),
        }
    if token:
        env["_CONDOR_SEC_CLIENT_AUTHENTICATION_METHODS"] = "IDTOKENS"
    if (ports := settings.port_range()) is not None:
        env |= {"_CONDOR_LOWPORT": str(ports[0]), "_CONDOR_HIGHPORT": str(ports[1])}
    return env


class PoolProcess:
    """One process at a time for one pool, with one of its tokens."""

    def __init__(self, settings: PoolSettings, bounds: Bounds, admin: bool = False) -> None:
        self._settings = settings
        self._bounds = bounds
        self._token = settings.admin_token if admin else settings.token
        self._process: Process | None = None
        self._folder: Path | None = None

    @property
    def pid(self) -> int:
        """Of the process; 0 while there is none."""
        return 0 if self._process is None else self._process.pid

    async def ask(self, question: frames.Question, deadline: float) -> AsyncIterator[frames.Answer]:
        """Its answers up to Done, each as it comes.

        Whoever does not take them all gets another process next time.

        Args:
            question: what is asked.
            deadline: seconds until the first answer.

        Raises:
            Failure: it did not work, or took too long.
        """
        process = self._process or await self._start()
        if process.stdin is None or process.stdout is None:
            raise AssertionError("a process without pipes")
        whole = False
        try:
            process.stdin.write(frames.packed(question))
            patience = deadline
            while True:
                try:
                    async with asyncio.timeout(patience):
                        frame = await _read(process.stdout)
                except TimeoutError:
                    raise Failure("silent", f"no answer within {deadline:g} s") from None
                if isinstance(frame, frames.Failed):
                    whole = True
                    raise Failure(frame.reason, frame.said)
                if isinstance(frame, frames.Done):
                    whole = True
                    yield frame
                    return
                patience = self._bounds.transfer
                yield frame
        except (EOFError, ConnectionError, msgspec.DecodeError) as error:
            raise Failure("other", f"the process that asks the pool ended: {error}") from None
        finally:
            if not whole:
                await self._kill()

    async def stop(self) -> None:
        """End the process and take its folder away."""
        await self._kill()
        folder, self._folder = self._folder, None
        if folder is not None:
            await asyncio.to_thread(shutil.rmtree, folder, True)

    async def _start(self) -> Process:
        s = self._settings
        if self._folder is None:
            # Private by itself: it holds a copy of the token.
            self._folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="rocks-pilot-pool-"))
        told = child.Settings(s.name, s.collector, s.file, self._token, str(self._folder), s.deadline)
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pilot.backends.condor.child", msgspec.json.encode(told).decode(),
            stdin=PIPE, stdout=PIPE, cwd="/", env=environment(s, self._folder, self._token),
        )  # fmt: skip
        return self._process

    async def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        # What it had still to say is taken, or its pipe would keep asyncio from seeing it end.
        ending = asyncio.ensure_future(process.communicate())
        await asyncio.wait((ending,), timeout=self._bounds.stop)
        if not ending.done():
            ending.cancel()


async def _read(stream: asyncio.StreamReader) -> frames.Answer:
    (length,) = frames.LENGTH.unpack(await stream.readexactly(frames.LENGTH.size))
    if length > frames.LIMIT:
        raise EOFError("it says nonsense")
    answer: frames.Answer = frames.answers.decode(await stream.readexactly(length))
    return answer
