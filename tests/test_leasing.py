"""Leases as people ask for them."""

from __future__ import annotations

from datetime import datetime

import msgspec
import pytest

from pilot import going, leasing
from pilot.errors import UsageError
from pilot.records import Lease
from pilot.render.node_cells import state_with_pending
from pilot.verbs import VERBS
from tests.test_danger import nodes

NOW = datetime(2026, 11, 23, 15, 48, 0).astimezone().timestamp()
HOUR = 3600.0


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("19:00", "off at 19:00, in 3 h 12 min; warned 15 min before"),
        ("4h", "off at 19:48, in 4 h; warned 15 min before"),
        ("+20m", "off at 16:08, in 20 min; warned 5 min before"),
        ("15:00", "off at Tue 2026-11-24 15:00, in 23 h 12 min; warned 15 min before"),
        ("tomorrow 8:00", "off at Tue 2026-11-24 08:00, in 16 h 12 min; warned 15 min before"),
        ("off", "no lease any more: turned off at no time"),
    ],
)
def test_what_is_meant(typed: str, words: str) -> None:
    assert leasing.meaning(typed, nodes(1), NOW) == words


def test_renewing_needs_a_lease() -> None:
    with pytest.raises(UsageError, match="no lease to renew"):
        leasing.meaning("renew", nodes(1), NOW)
    leased = [msgspec.structs.replace(node, lease=Lease(NOW + HOUR, "ada")) for node in nodes(1)]
    assert "as long again" in leasing.meaning("renew", leased, NOW)


@pytest.mark.parametrize("typed", ["", "soon", "0h", "tomorrow", "tomorrow 25:00", "2026-11-01", "500d"])
def test_no_time_to_come(typed: str) -> None:
    with pytest.raises(UsageError):
        leasing.asked(typed, NOW)


@pytest.mark.parametrize(
    ("line", "named", "when"),
    [
        ("lease", None, ""),
        ("lease 19:00", None, "19:00"),
        ("lease compute-0-1", 1, ""),
        ("lease compute-0-[0-1] tomorrow 8:00", 2, "tomorrow 8:00"),
        ("lease compute-0-0 renew", 1, "renew"),
    ],
)
def test_on_the_line(line: str, named: int | None, when: str) -> None:
    leads = going.go(line, going.Known(nodes=nodes(2), verbs=VERBS, now=NOW))
    assert isinstance(leads, going.Leased)
    assert (None if leads.nodes is None else len(leads.nodes), leads.when) == (named, when)


def test_it_is_in_the_list() -> None:
    (node,) = nodes(1)
    assert state_with_pending(node, None, NOW).text == "● on"
    for ends, said in ((3 * HOUR, "18:48"), (80 * HOUR, "in 3 d"), (-1.0, "now")):
        leased = msgspec.structs.replace(node, lease=Lease(NOW + ends, "ada"))
        assert state_with_pending(leased, None, NOW).text == f"● on, off {said}"
