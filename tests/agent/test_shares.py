"""What one signer may hold of what everybody shares."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from pilot.agent.settings import Limits
from pilot.agent.shares import Shares
from pilot.errors import BusyError

LIMITS = Limits(requests=5, requests_per_key=3, viewers_per_key=2)


def test_one_signer_leaves_room_for_others_and_all_together_have_a_bound() -> None:
    shares = Shares(LIMITS)
    with ExitStack() as held:
        for _ in range(3):
            held.enter_context(shares.take("act", "ada"))
        with pytest.raises(BusyError, match="your key has 3 verbs at work"), shares.take("act", "ada"):
            pass
        for _ in range(2):
            held.enter_context(shares.take("act", "bob"))
        with pytest.raises(BusyError, match="there are 5 verbs at work"), shares.take("act", "bob"):
            pass
        assert shares.held("act") == 5
        assert shares.held("act", "ada") == 3
    assert shares.held("act") == shares.held("act", "ada") == 0
    with shares.take("act", "ada"):
        pass


def test_each_console_is_counted_by_itself() -> None:
    shares = Shares(LIMITS)
    with ExitStack() as held:
        for node in ("n1", "n1", "n2", "n2"):
            held.enter_context(shares.take("console", "ada", node))
        with pytest.raises(BusyError, match="viewers"), shares.take("console", "ada", "n1"):
            pass
        assert shares.held("console", "ada", "n2") == 2


def test_what_fails_gives_back_its_share() -> None:
    shares = Shares(LIMITS)
    for _ in range(10):
        with pytest.raises(ZeroDivisionError), shares.take("watch", "ada"):
            raise ZeroDivisionError
    assert shares.held("watch") == 0
