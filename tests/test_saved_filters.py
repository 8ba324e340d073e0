"""Filters that are kept by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from pilot.client_config import ClientConfig
from pilot.errors import UsageError
from pilot.saved_filters import MOST, SavedFilters


def test_a_saved_filter_is_there_the_next_time(tmp_path: Path) -> None:
    SavedFilters(ClientConfig(tmp_path), {"hung": "state:hung"}).save("busy", "state:on -l host=h1")
    again = SavedFilters(ClientConfig(tmp_path), {"hung": "state:hung"})
    assert again.names() == ("busy", "hung")
    assert again.find("busy") == "state:on -l host=h1"
    assert again.find("hung") == "state:hung"


def test_it_is_forgotten_when_asked_but_not_one_of_the_users_file(tmp_path: Path) -> None:
    filters = SavedFilters(ClientConfig(tmp_path), {"hung": "state:hung"})
    filters.save("busy", "x")
    filters.forget("busy")
    assert SavedFilters(ClientConfig(tmp_path), {}).names() == ()
    with pytest.raises(UsageError, match=r"app\.toml"):
        filters.forget("hung")


@pytest.mark.parametrize("name", ["", "save", "forget", "a b", "../x", "x" * 41])
def test_a_name_that_will_not_do_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        SavedFilters(ClientConfig(tmp_path), {}).save(name, "x")


def test_an_empty_filter_is_not_saved_and_an_unknown_one_not_found(tmp_path: Path) -> None:
    filters = SavedFilters(ClientConfig(tmp_path), {})
    with pytest.raises(UsageError, match="no filter is set"):
        filters.save("a", "")
    with pytest.raises(UsageError, match="no filter 'a'"):
        filters.find("a")


def test_how_many_are_kept_is_bounded(tmp_path: Path) -> None:
    filters = SavedFilters(ClientConfig(tmp_path), {})
    filters._saved = {f"f{i}": "x" for i in range(MOST)}
    with pytest.raises(UsageError, match="200 filters"):
        filters.save("more", "x")
    filters.save("f0", "y")


def test_a_file_that_is_broken_counts_as_none(tmp_path: Path) -> None:
    (tmp_path / "filters.json").write_text("{not json")
    assert SavedFilters(ClientConfig(tmp_path), {}).names() == ()
