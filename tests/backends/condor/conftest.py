"""One real pool for all tests of this folder: it is up within 3 s."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.condor_pool import CondorPool


@pytest.fixture(scope="package")
def pool(short_folder: Path) -> Iterator[CondorPool]:
    """A collector, a negotiator, a schedd and three machines of 4 processors.

    compute-0-0 and compute-0-1 have partitionable slots, compute-0-1 says that it is an EC2 instance, and
    compute-0-2 has one static slot.
    """
    made = CondorPool(Path(tempfile.mkdtemp(prefix="c", dir=short_folder)))
    try:
        made.add("compute-0-0", 10)
        made.add("compute-0-1", 11, extra='EC2InstanceID = "i-0123456789abcdef0"\n')
        made.add("compute-0-2", 12, partitionable=False)
        made.wait(3)
        yield made
    finally:
        made.close()
