"""An error that airboss sent, as one of pilot.errors again."""

from __future__ import annotations

from collections.abc import Iterator

from pilot.errors import PilotError
from pilot.wire import Fault, plain

_LONGEST = 1000


def _tree(kind: type[PilotError]) -> Iterator[type[PilotError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _tree(child)


_BY_CODE = {kind.code: kind for kind in _tree(PilotError)}


def error_of(fault: Fault) -> PilotError:
    """The error that the fault stands for; its words made fit for a terminal."""
    kind = _BY_CODE.get(fault.code, PilotError)
    return kind(plain(fault.message, _LONGEST), plain(fault.hint, _LONGEST))
