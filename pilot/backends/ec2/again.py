"""Leaves out of EC2's answers what was in them the last time: reading XML is what looking at thousands costs.

What an answer says of an instance is one `item` in a list of them. Without some of its items it is the same
answer of fewer instances; so it is cut into answers of a few, too, since the library that reads XML lets no
other thread run until it has read all that it was given.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable, Set
from contextvars import ContextVar
from hashlib import blake2b
from typing import Any

AT_ONCE = 50
"""Instances of one shortened answer."""
_ID = re.compile(rb"<instanceId>(i-[0-9a-f]{1,40})</instanceId>")


class Again:
    """What one kind of answer said of each instance the last time it was read."""

    def __init__(
        self, inside: str, within: str, known: Callable[[str], bool], lean: Callable[[Any], None]
    ) -> None:
        """`known` and `lean` are called in threads.

        Args:
            inside: the XML element whose items are instances.
            within: the list of the answer that has them, as AWS's library calls it.
            known: says of an instance's id whether it is still known what was read.
            lean: takes from an answer that was read what nobody needs.
        """
        self.within = within
        self.lean = lean
        self.same: list[str] = []
        """The ids that were left out since this was emptied."""
        name = inside.encode()
        self._tags = re.compile(rb"<(/?)(?:item|(" + name + rb"))>")
        self._known = known
        self._said: dict[str, bytes] = {}
        self._new: dict[str, bytes] = {}

    def short(self, body: bytes) -> list[bytes]:
        """The answer without what it said before, as one or more answers of a few instances each."""
        items = self._items(body)
        if not items:
            return [body]
        left = list[bytes]()
        for begin, end in items:
            item = body[begin:end]
            if (found := _ID.search(item)) is None:
                left.append(item)
                continue
            instance_id, said = found[1].decode(), blake2b(item, digest_size=16).digest()
            if self._said.get(instance_id) == said and self._known(instance_id):
                self.same.append(instance_id)
            else:
                self._new[instance_id] = said
                left.append(item)
        head, tail = body[: items[0][0]], body[items[-1][1] :]
        few = [left[at : at + AT_ONCE] for at in range(0, len(left), AT_ONCE)] or [[]]
        return [b"".join((head, *some, tail)) for some in few]

    def taken(self) -> None:
        """What was not left out has become records."""
        self._said |= self._new
        self._new.clear()

    def forget(self, ids: Iterable[str]) -> None:
        """Read all of these the next time: other answers have told of them, too."""
        for instance_id in ids:
            self._said.pop(instance_id, None)
            self._new.pop(instance_id, None)

    def forget_all(self) -> None:
        """Read everything the next time."""
        self._said.clear()
        self._new.clear()
        self.same = []

    def only(self, ids: Set[str]) -> None:
        """Keep nothing of others than these."""
        for instance_id in self._said.keys() - ids:
            del self._said[instance_id]

    def _items(self, body: bytes) -> list[tuple[int, int]]:
        """Where the instances' items are. Between two of them are whole elements only, or the end of one list
        and the beginning of the next."""
        out, depth, begin = list[tuple[int, int]](), -1, 0
        for tag in self._tags.finditer(body):
            ends = bool(tag[1])
            if tag[2]:
                depth = -1 if ends else 0
            elif depth >= 0:
                if depth == 0 and not ends:
                    begin = tag.start()
                depth += -1 if ends else 1
                if depth == 0 and ends:
                    out.append((begin, tag.end()))
        return out


AGAIN: ContextVar[Again | None] = ContextVar("again", default=None)
"""By what the answers to calls of this task are shortened."""


async def reading(again: Again, pages: AsyncIterator[Any]) -> AsyncIterator[tuple[Any, list[str]]]:
    """Pages without what was in them the last time; with each the ids that were left out.

    A page counts as read once the next one is asked for.
    """
    while True:
        token = AGAIN.set(again)
        try:
            page = await anext(pages, None)
        finally:
            AGAIN.reset(token)
        if page is None:
            return
        same, again.same = again.same, []
        yield page, same
        again.taken()
