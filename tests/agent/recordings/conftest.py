"""Fixtures for recordings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from pilot.agent.settings import RecordingSettings
from tests.agent.recordings.scene import (
    MakeScene,
    Scene,
)


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[MakeScene]:
    """`await make(folder=None, **settings)`: a scene that has begun."""
    made: list[Scene] = []

    async def begin(folder: Path | None, settings: dict[str, int]) -> Scene:
        scene = Scene(folder or tmp_path, msgspec.convert(settings, RecordingSettings))
        made.append(scene)
        await scene.recordings.load()
        return scene

    def make(folder: Path | None = None, **settings: int) -> asyncio.Task[Scene]:
        return asyncio.create_task(begin(folder, settings))

    yield make
    for scene in made:
        await scene.close()


@pytest.fixture
async def scene(make: MakeScene) -> Scene:
    return await make()
