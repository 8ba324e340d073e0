"""Telling whoever listens that something changed. What changed they look up themselves."""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[], None]


class Notifier:
    """Calls its listeners, in the order they came, on the caller's thread."""

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Be called from now on; what is given back ends that, and may be called twice."""
        self._listeners.append(listener)

        def unlisten() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unlisten

    def tell(self) -> None:
        """Something changed."""
        for listener in tuple(self._listeners):
            listener()
