"""What of a deed in the journal a filter may name and find."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilot.filtering import lines
from pilot.journal import Deed
from pilot.render.journal import outcome_cell, results, targets_of

_Values = Callable[[Deed, Mapping[str, str]], Sequence[str]]


def outcome_words(deed: Deed) -> tuple[str, ...]:
    """Each result that it had, such as `done` and `failed`; `open` without an outcome."""
    record = deed.outcome or deed.record
    if record.kind == "intent":
        return ("open",)
    ended = dict.fromkeys(str(item.get("result")) for item in results(record))
    return tuple(ended) or ((deed.record.verb,) if deed.record.verb == "refused" else ())


JOURNAL_FIELDS: Mapping[str, _Values] = {
    "id": lambda deed, _names: (str(deed.id),),
    "who": lambda deed, _names: (deed.record.principal,),
    "verb": lambda deed, _names: (deed.record.verb,),
    "node": targets_of,
    "outcome": lambda deed, _names: outcome_words(deed),
    "cluster": lambda deed, _names: (deed.record.cluster,) if deed.record.cluster else (),
    "auth": lambda deed, _names: (deed.record.auth,),
    "key": lambda deed, _names: (deed.record.fingerprint,) if deed.record.fingerprint else (),
}
"""The fields that a filter over the journal knows, and their values."""


class DeedHaystack:
    """A deed as filters see it; its text is made when it is first needed."""

    __slots__ = ("_names", "_text", "deed")

    def __init__(self, deed: Deed, names: Mapping[str, str]) -> None:
        """`names` are those of nodes, by id."""
        self.deed = deed
        self._names = names
        self._text: str | None = None

    @property
    def title(self) -> str:
        """What was done."""
        return self.deed.record.verb

    @property
    def text(self) -> str:
        """The values of all fields and what is said of the outcome, a line each."""
        if self._text is None:
            values = [value for name in JOURNAL_FIELDS for value in self.field(name)]
            self._text = lines([*values, outcome_cell(self.deed).text])
        return self._text

    def field(self, name: str) -> Sequence[str]:
        """The values of one of JOURNAL_FIELDS."""
        return JOURNAL_FIELDS[name](self.deed, self._names)
