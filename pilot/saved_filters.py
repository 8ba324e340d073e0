"""Filters by name: those of app.toml, and those that `:filter save` keeps in `filters.json` beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from pilot.client_config import ClientConfig, write_private
from pilot.errors import UsageError

MOST = 200
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")


class SavedFilters:
    """The user's filters."""

    def __init__(self, client: ClientConfig, fixed: Mapping[str, str]) -> None:
        """`fixed` are those of app.toml, which only the user edits."""
        self._path = client.folder / "filters.json"
        self._fixed = dict(fixed)
        self._saved = self._load()

    def _load(self) -> dict[str, str]:
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, str])
        except (OSError, msgspec.MsgspecError):
            return {}

    def names(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(sorted({**self._fixed, **self._saved}))

    def find(self, name: str) -> str:
        """The filter of that name.

        Raises:
            UsageError: there is none.
        """
        found = {**self._fixed, **self._saved}.get(name)
        if found is None:
            known = ", ".join(self.names()) or "none"
            raise UsageError(f"there is no filter '{name}'", f"Saved are: {known}.")
        return found

    def save(self, name: str, text: str) -> None:
        """Keep a filter, in the place of one of that name.

        Raises:
            UsageError: the name will not do, there is nothing to save, or there are too many.
            ConfigError: the file cannot be written.
        """
        if not text:
            raise UsageError("no filter is set", "Set one with / first.")
        if not _NAME.fullmatch(name) or name in ("save", "forget"):
            raise UsageError(
                f"'{name}' is no name for a filter", "Letters, digits, dots and dashes, 40 at most."
            )
        if name not in self._saved and len(self._saved) >= MOST:
            raise UsageError(f"{MOST} filters are saved", "Forget one: :filter forget NAME.")
        self._write({**self._saved, name: text})

    def forget(self, name: str) -> None:
        """Keep it no longer.

        Raises:
            UsageError: it is not one that was saved here.
            ConfigError: the file cannot be written.
        """
        if name not in self._saved:
            where = "it is in app.toml: take it out there" if name in self._fixed else "there is none"
            raise UsageError(f"the filter '{name}' cannot be forgotten: {where}")
        self._write({known: text for known, text in self._saved.items() if known != name})

    def _write(self, saved: dict[str, str]) -> None:
        write_private(self._path, msgspec.json.format(msgspec.json.encode(saved)) + b"\n")
        self._saved = saved
