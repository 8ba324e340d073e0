"""The filter grammar: words that are all to hold for a row, as in k9s.

    regex                 some field of the row matches, whatever the case
    !regex                none does
    field:regex           this field matches; `!field:regex` it does not
    field=value           this field is exactly the value; `*` stands for anything; `field!=value` it is not
    -l field=value,…      the same, several at once
    -f letters            the row's title has these letters in this order

Words are parted by spaces; a space within a word is written `\\ ` or inside double quotes.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, Protocol

from pilot.errors import UsageError
from pilot.patterns import LINE, LONGEST, compile_pattern

BUDGET_SECONDS = 0.5
"""How long a filter may compute within WINDOW_SECONDS; 50,000 nodes take a tenth of it."""
WINDOW_SECONDS = 4.0
MAX_WORDS = 20

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9_-]*)(==|!?=|:)(.*)", re.DOTALL)
_LITERAL = re.compile(r"[A-Za-z0-9_:@/-]+")
"""Words that are no patterns, and found faster as they are."""
_HEX = re.compile(r"[0-9a-fA-F]+")
_WORD = re.compile(r'(?:\\.|"[^"]*"|[^\s"\\]|\\$)+')


class Haystack(Protocol):
    """A row as filters see it. Whoever keeps the rows makes one for each, once."""

    @property
    def title(self) -> str:
        """What the row is called."""

    @property
    def text(self) -> str:
        """All that is searchable in lower case, a line for each value; see `lines`."""

    def field(self, name: str) -> Sequence[str]:
        """The values of a field; none if the row has none."""


class SlowFilterError(UsageError):
    """A filter has computed longer than it may."""

    title = "Filter"


class Term(NamedTuple):
    """A word that was understood."""

    holds: Callable[[Haystack], bool]
    quick: bool = True
    """Whether no row can make it slow."""


class Filter:
    """A filter that was understood. Made by `parse`."""

    def __init__(self, text: str, terms: Sequence[Term]) -> None:
        self.text = text
        """As it was typed, without spaces around."""
        self._terms = tuple(term.holds for term in terms)
        self._quick = all(term.quick for term in terms)
        self._spent = 0.0
        self._begin = float("-inf")
        self._processor = 0.0

    @property
    def empty(self) -> bool:
        """Whether it lets every row through."""
        return not self._terms

    def matches(self, row: Haystack) -> bool:
        """Whether all words hold for the row.

        Raises:
            SlowFilterError: it has computed for longer than BUDGET_SECONDS within WINDOW_SECONDS.
        """
        return self._holds(row) if self._quick else self._holds_in_time(row)

    def _holds(self, row: Haystack) -> bool:
        # A loop: all() with a generator costs more than most terms do.
        for holds in self._terms:  # noqa: SIM110
            if not holds(row):
                return False
        return True

    def _holds_in_time(self, row: Haystack) -> bool:
        begin = time.perf_counter()
        if begin - self._begin > WINDOW_SECONDS:
            self._begin, self._spent, self._processor = begin, 0.0, time.thread_time()
        # Time may pass because others use the processor: then it is not the filter that is slow.
        elif self._spent > BUDGET_SECONDS and time.thread_time() - self._processor > BUDGET_SECONDS:
            raise SlowFilterError(
                f"the filter '{self.text}' takes too long on these rows", "Use a simpler pattern."
            )
        result = self._holds(row)
        self._spent += time.perf_counter() - begin
        return result


def parse(text: str, fields: Collection[str]) -> Filter:
    """Understand what was typed after `/`; `fields` are the names a word may begin with.

    Raises:
        UsageError: with what is wrong and how it is written.
    """
    words = _words(text)
    if len(words) > MAX_WORDS:
        raise UsageError(f"the filter has {len(words)} words, {MAX_WORDS} at most")
    return Filter(text.strip(), list(_terms(iter(words), fields)))


def lines(values: Sequence[str]) -> str:
    """Values as a haystack's text: a line each, none longer than patterns are bounded for."""
    return "\n".join(value[:LINE] for value in values if value).lower()


def _words(text: str) -> list[str]:
    words, at = [], 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        found = _WORD.match(text, at)
        if found is None or (found.end() < len(text) and not text[found.end()].isspace()):
            message = f"a quote in '{text.strip()}' is not closed"
            raise UsageError(message, 'Close it, or write \\" for a quote.')
        words.append(re.sub(r'(\\.)|"', lambda part: part[1] or "", found[0]))
        at = found.end()
    return words


def _terms(words: Iterator[str], fields: Collection[str]) -> Iterator[Term]:
    for word in words:
        if word == "-l":
            yield from _labels(_next(words, "-l", "-l state=on,host!=vm-container-0-1"), fields)
        elif word == "-f":
            yield _fuzzy(_next(words, "-f", "-f cmp01"))
        elif word in ("!", "-"):
            raise UsageError(f"'{word}' says nothing by itself", "Write !WORD for rows without it.")
        elif word.startswith("!"):
            term = _plain_term(word[1:], fields)
            yield Term(_negated(term.holds), term.quick)
        else:
            yield _plain_term(word, fields)


def _next(words: Iterator[str], option: str, example: str) -> str:
    word = next(words, "")
    if not word:
        raise UsageError(f"something is to follow {option}", f"For example: {example}")
    return word


def _plain_term(word: str, fields: Collection[str]) -> Term:
    if found := _FIELD.fullmatch(word):
        name, operator, value = found[1].lower(), found[2], found[3]
        if name in fields:
            return _matching(name, value) if operator == ":" else _equal(name, value, operator == "!=")
        # Two digits and a colon begin a MAC address; other words are likely to be a slip.
        near = difflib.get_close_matches(name, list(fields), 1, 0.75)
        if near and not _HEX.fullmatch(name):
            raise UsageError(f"there is no field '{name}'; did you mean {near[0]}?", _known(fields))
    if len(word) <= LONGEST and _LITERAL.fullmatch(word):
        letters = word.lower()
        return Term(lambda row: letters in row.text)
    pattern, quick = compile_pattern(word, lowered=True)
    search = pattern.search
    return Term(lambda row: search(row.text) is not None, quick)


def _matching(name: str, pattern: str) -> Term:
    if not pattern:
        raise UsageError(f"something is to follow '{name}:'", f"For example: {name}:^a|b$")
    compiled, quick = compile_pattern(pattern)
    search = compiled.search

    def holds(row: Haystack) -> bool:
        # A loop, as in Filter.
        for value in row.field(name):  # noqa: SIM110
            if search(value[:LINE]) is not None:
                return True
        return False

    return Term(holds, quick)


def _labels(text: str, fields: Collection[str]) -> Iterator[Term]:
    for label in text.split(","):
        found = _FIELD.fullmatch(label)
        if found is None or found[2] == ":":
            raise UsageError(f"'{label}' is not FIELD=VALUE or FIELD!=VALUE", _known(fields))
        name = found[1].lower()
        if name not in fields:
            near = difflib.get_close_matches(name, list(fields), 1, 0.6)
            meant = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"there is no field '{name}'{meant}", _known(fields))
        yield _equal(name, found[3], found[2] == "!=")


def _equal(name: str, value: str, negated: bool) -> Term:
    """The field is the value, with globs; a row without the field has the empty value."""
    if len(value) > LONGEST or value.count("*") > 3:
        raise UsageError(f"'{value}' is too long, or has more than three '*'")
    same = re.compile(fnmatch.translate(value), re.IGNORECASE).match

    def holds(row: Haystack) -> bool:
        for one in row.field(name) or ("",):
            if same(one) is not None:
                return not negated
        return negated

    return Term(holds)


def _fuzzy(letters: str) -> Term:
    """The letters, in this order, with anything between.

    Each gap excludes the letter that ends it and gives nothing back, so that there is one way to match.
    """
    if len(letters) > LONGEST:
        raise UsageError(f"-f takes {LONGEST} letters at most")
    gaps = "".join(rf"[^{re.escape(letter)}]*+{re.escape(letter)}" for letter in letters)
    match = re.compile(gaps, re.IGNORECASE | re.DOTALL).match
    return Term(lambda row: match(row.title) is not None)


def _negated(holds: Callable[[Haystack], bool]) -> Callable[[Haystack], bool]:
    return lambda row: not holds(row)


def _known(fields: Collection[str]) -> str:
    return f"Fields: {', '.join(sorted(fields))}."
