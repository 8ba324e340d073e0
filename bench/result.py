"""What a measurement gives: rows of one table, and how samples become a row's figures."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Literal

import msgspec

Unit = Literal["ms", "s", "records/s", "MB/s", "MB", "times", "keys", "%", ""]


class Row(msgspec.Struct, frozen=True):
    """One line of the table: our figure, what it is compared with, and its target if it has one."""

    what: str
    figure: float
    unit: Unit
    beside: str = ""
    """What it is compared with; empty if with nothing."""
    other: float | None = None
    """The figure of that, in the same unit."""
    target: str = ""
    met: bool | None = None
    """Whether the target is met; None if there is none."""

    @property
    def ratio(self) -> float | None:
        """Our figure in terms of the other one."""
        return None if not self.other else self.figure / self.other


def at_most_times(what: str, figure: float, unit: Unit, beside: str, other: float, times: float) -> Row:
    """A row whose figure is to be `times` the other one at most."""
    return Row(what, figure, unit, beside, other, f"<= {times:g}x", figure <= times * other)


def times_faster(what: str, figure: float, unit: Unit, beside: str, other: float, times: float) -> Row:
    """A row whose figure, a time, is to be at most the `times`-th part of the other one."""
    return Row(what, figure, unit, beside, other, f">= {times:g}x faster", figure * times <= other)


def below(what: str, figure: float, unit: Unit, limit: float, beside: str = "", other: float = 0) -> Row:
    """A row whose figure is to stay below a limit."""
    return Row(what, figure, unit, beside, other or None, f"< {limit:g} {unit}", figure < limit)


def at_most(what: str, figure: float, unit: Unit, limit: float, beside: str = "", other: float = 0) -> Row:
    """A row whose figure is not to go beyond a limit."""
    return Row(what, figure, unit, beside, other or None, f"<= {limit:g} {unit}", figure <= limit)


def at_least(what: str, figure: float, unit: Unit, limit: float, beside: str = "", other: float = 0) -> Row:
    """A row whose figure is to reach a limit."""
    return Row(what, figure, unit, beside, other or None, f">= {limit:,.0f} {unit}", figure >= limit)


def median(samples: Sequence[float]) -> float:
    """The median."""
    return statistics.median(samples)


def percentile(samples: Sequence[float], percent: int) -> float:
    """A percentile from 1 to 99."""
    return statistics.quantiles(samples, n=100, method="inclusive")[percent - 1]
