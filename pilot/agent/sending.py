"""What goes with a break, keys or an NMI that a node was sent, beside the hypervisor's part."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pilot.errors import BackendError
from pilot.records import Node
from pilot.verbs import Value
from pilot.wire import Notice, plain

_WORDS: dict[str, str] = {
    "send.break": "a break",
    "send.nmi": "an NMI",
    "send.cad": "Ctrl+Alt+Del",
    "send.sysrq": "SysRq {letter}",
    "send.keys": "the keys {keys}",
}


class Sending:
    """Types what follows a break, and tells those who are at the node."""

    def __init__(
        self, type_at: Callable[[str, bytes], str], tell: tuple[Callable[[str, Notice], None], ...]
    ) -> None:
        """`type_at` types at a node's serial console, or says why not; `tell` are told for each node."""
        self._type_at = type_at
        self._tell = tell

    def sent(self, principal: str, node: Node, verb: str, args: Mapping[str, Value]) -> None:
        """A verb has been done; of others than `send.…` nothing follows.

        Raises:
            BackendError: what follows a break cannot be typed.
        """
        if verb not in _WORDS:
            return
        if verb == "send.sysrq" and args["by"] == "serial":
            # Linux takes the first character after a break, within five seconds, for the command.
            why = self._type_at(node.id, str(args["letter"]).encode("ascii"))
            if why:
                raise BackendError(
                    f"{node.name} was sent a break, but not the letter after it: {why}",
                    "Try it by the keyboard: --by keyboard.",
                )
        words = _WORDS[verb].format(**args)
        for tell in self._tell:
            tell(node.id, Notice("sent", plain(f"{principal} sent {words}")))
