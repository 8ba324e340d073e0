"""From what a person types to nodes of one cluster: names, MACs, UUIDs, EC2's ids, ranges, globs, or `@all`.

Only nodes of the request's own cluster are ever looked at, so that "no such node" and "not yours" are
one and the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache

import msgspec

from pilot.errors import UsageError
from pilot.records import Node

ALL = "@all"
_EC2 = "ec2:"
"""What ids of nodes begin with that are instances; EC2's own id follows."""
_MAC = re.compile(r"([0-9a-f]{2}[:-]){5}[0-9a-f]{2}\Z")
_BRACKET = re.compile(r"\[([^\[\]]*)\]")
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?\Z")
_WILD = re.compile(r"[\[\]*?]")
_MAX_SELECTOR = 200
"""Characters of the longest selector that is tried."""
MAX_PATTERNS = 32
"""Patterns in one request: each is held against every name of the cluster."""
_MAX_STARS = 4


class Resolved(msgspec.Struct, frozen=True):
    """The nodes that the selectors name, each once, in the order named; and the selectors that name none."""

    nodes: tuple[Node, ...]
    unknown: tuple[str, ...]


@lru_cache(maxsize=65_536)
def natural(name: str) -> tuple[tuple[int, str], ...]:
    """A sort key that puts compute-0-2 before compute-0-10."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", name))


def resolve(selectors: Iterable[str], members: Iterable[Node]) -> Resolved:
    """Find the nodes that the selectors name among a cluster's members.

    Raises:
        UsageError: a range is malformed, a name stands for two nodes, or there are too many patterns.
    """
    wanted = list(dict.fromkeys(selectors))
    if sum(_WILD.search(selector) is not None for selector in wanted) > MAX_PATTERNS:
        raise UsageError(f"more than {MAX_PATTERNS} patterns in one request", "Ask in several.")
    nodes = sorted(members, key=lambda node: natural(node.name))
    by_name: dict[str, list[Node]] = {}
    by_mac: dict[str, list[Node]] = {}
    for node in nodes:
        by_name.setdefault(node.name, []).append(node)
        for nic in node.nics:
            by_mac.setdefault(nic.mac, []).append(node)
    by_id = {node.id: [node] for node in nodes}
    found: dict[str, Node] = {}
    unknown: dict[str, None] = {}
    for selector in wanted:
        lowered = selector.lower()
        if selector == ALL:
            matches = nodes
        elif len(selector) > _MAX_SELECTOR:
            matches = []
        elif selector in by_name:
            matches = _single(selector, by_name[selector])
        elif its := by_id.get(lowered) or by_id.get(f"{_EC2}{lowered}"):
            matches = its
        elif _MAC.match(lowered):
            matches = _single(selector, by_mac.get(lowered.replace("-", ":"), []))
        elif _WILD.search(selector):
            fits = matcher(selector)
            matches = [node for node in nodes if fits(node.name)]
        else:
            matches = []
        if not matches:
            unknown[selector] = None
        found.update((node.id, node) for node in matches)
    return Resolved(tuple(found.values()), tuple(unknown))


def _single(selector: str, matches: list[Node]) -> list[Node]:
    if len(matches) > 1:
        ids = ", ".join(node.id for node in matches)
        raise UsageError(
            f"'{selector}' stands for {len(matches)} nodes of this cluster: {ids}",
            "Name it by its id; the admin can rename one with `pilot-agent cluster adopt`.",
        )
    return matches


def matcher(pattern: str) -> Callable[[str], bool]:
    """A test for names that fit a pattern: `*`, `?`, and ranges of numbers such as `[0-3,7]` or `[00-15]`.

    A range fits the numbers in it, with leading zeros only where the range's first number has them.

    Raises:
        UsageError: brackets that hold no numbers, or do not close.
    """
    if len(re.findall(r"\*+", pattern)) > _MAX_STARS:
        raise UsageError(f"'{pattern}': more than {_MAX_STARS} '*'")
    expression = ""
    ranges: list[list[tuple[int, int, int]]] = []
    position = 0
    for bracket in _BRACKET.finditer(pattern):
        expression += _glob(pattern, pattern[position : bracket.start()]) + r"(\d{1,9})"
        ranges.append([_numbers(pattern, part) for part in bracket[1].split(",")])
        position = bracket.end()
    compiled = re.compile(expression + _glob(pattern, pattern[position:]) + r"\Z")

    def fits(name: str) -> bool:
        match = compiled.match(name)
        return match is not None and all(
            any(_in_range(digits, *one) for one in allowed)
            for digits, allowed in zip(match.groups(), ranges, strict=True)
        )

    return fits


def _numbers(pattern: str, part: str) -> tuple[int, int, int]:
    match = _RANGE.match(part.strip())
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise UsageError(
            f"'{pattern}': '{part}' is no range of numbers", "Write ranges as compute-0-[0-3,7]."
        )
    width = len(match[1]) if match[1].startswith("0") and len(match[1]) > 1 else 0
    return int(match[1]), int(match[2] or match[1]), width


def _in_range(digits: str, low: int, high: int, width: int) -> bool:
    padded = len(digits) == width if width else (digits == "0" or not digits.startswith("0"))
    return padded and low <= int(digits) <= high


def _glob(pattern: str, text: str) -> str:
    if "[" in text or "]" in text:
        raise UsageError(f"'{pattern}': a bracket is not closed", "Write ranges as compute-0-[0-3,7].")
    # Runs of stars are one star: without that a hostile pattern makes the matcher backtrack for hours.
    text = re.sub(r"\*+", "*", text)
    return "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in text)
