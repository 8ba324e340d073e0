"""Draining machines of a pool: no new jobs, and those that run end by themselves."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio.subprocess import PIPE

from pilot.backends.condor import frames
from pilot.backends.condor.failing import Failure
from pilot.backends.condor.process import PoolProcess
from pilot.backends.condor.settings import Bounds, PoolSettings
from pilot.errors import BackendError, DeadlineError, RefusedError
from pilot.records import Machine

_TAIL = 500


async def drain(settings: PoolSettings, bounds: Bounds, machine: Machine, reason: str, undo: bool) -> None:
    """Drain a machine, or take that back.

    Raises:
        RefusedError: the site has given airboss no means to.
        BackendError: HTCondor refused, with its words.
        DeadlineError: no answer in time; it may have happened all the same.
    """
    if settings.drain_command:
        await _by_command(settings, bounds, machine, reason, undo)
    elif settings.admin_token:
        await _by_token(settings, bounds, machine, reason, undo)
    elif settings.file:
        raise of_file(settings)
    else:
        raise RefusedError(
            f"airboss may not drain machines of pool {settings.name}",
            "The site's admin gives it [[pool]] admin_token or drain_command.",
        )


def of_file(settings: PoolSettings) -> RefusedError:
    """Why a machine of a file is not drained, nor waited for."""
    return RefusedError(
        f"pool {settings.name} is read from a file of ads: nothing can be drained by that",
        "Drain it at the pool itself: `condor_drain`.",
    )


async def _by_token(
    settings: PoolSettings, bounds: Bounds, machine: Machine, reason: str, undo: bool
) -> None:
    process = PoolProcess(settings, bounds, admin=True)
    name = machine.name.partition(" [")[0]
    question = frames.Drain(name, machine.address, reason, undo)
    try:
        async for _ in process.ask(question, bounds.drain):
            pass
    except Failure as failure:
        if failure.reason == "silent":
            raise DeadlineError(
                f"the startd of {machine.name} did not answer: {failure.said}",
                "It may have happened all the same: `pilot slots` shows it.",
            ) from None
        raise BackendError(
            f"{_act(undo)} {machine.name} failed: {failure.said}",
            "Is [[pool]] admin_token a token with ADMINISTRATOR that its startd knows? A startd behind a"
            " broker (CCB) needs [[pool]] ports, open on airboss's host.",
        ) from None
    finally:
        await process.stop()


async def _by_command(
    settings: PoolSettings, bounds: Bounds, machine: Machine, reason: str, undo: bool
) -> None:
    name = machine.name.partition(" [")[0]
    if name.startswith("-"):
        raise RefusedError(
            f"{name} is no name of a machine: the command that drains would take it for an option",
            "Whoever may advertise to the pool can call a machine so: look at it.",
        )
    words = ["-cancel"] if undo else ["-graceful", "-reason", reason]
    try:
        process = await asyncio.create_subprocess_exec(
            *settings.drain_command, "-pool", settings.collector, *words, name,
            stdin=asyncio.subprocess.DEVNULL, stdout=PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
    except OSError as error:
        raise BackendError(
            f"{_act(undo)} {machine.name} failed: {settings.drain_command[0]}: {error.strerror or error}",
            "[[pool]] drain_command must be a command that airboss's user can run.",
        ) from None
    try:
        async with asyncio.timeout(bounds.drain):
            out, _ = await process.communicate()
    except TimeoutError:
        raise DeadlineError(
            f"{settings.drain_command[0]} did not end within {bounds.drain:g} s",
            "It may have happened all the same: `pilot slots` shows it.",
        ) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        said = " ".join(out.decode(errors="replace").split())[-_TAIL:]
        raise BackendError(
            f"{_act(undo)} {machine.name} failed: {said}", "[[pool]] drain_command must be able to do that."
        )


def _act(undo: bool) -> str:
    return "taking back the draining of" if undo else "draining"
