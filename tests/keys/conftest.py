"""What all tests of keys/ share."""

from __future__ import annotations

import pytest

from tests.keys.tools import Ring


@pytest.fixture(scope="session")
def ring(tmp_path_factory: pytest.TempPathFactory) -> Ring:
    """Keys for the whole run: some types take long to make."""
    return Ring(tmp_path_factory.mktemp("ring"))
