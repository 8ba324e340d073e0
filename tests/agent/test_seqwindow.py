"""No seq is accepted twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pilot.agent.seqwindow import SeqWindow


@given(st.lists(st.integers(-5, 3000), max_size=60))
def test_a_seq_is_accepted_once_at_most(seqs: list[int]) -> None:
    window = SeqWindow(64)
    accepted = [seq for seq in seqs if window.accept(seq)]
    assert len(accepted) == len(set(accepted))
    assert all(seq > 0 for seq in accepted)


def test_seqs_may_arrive_out_of_order_within_the_window_only() -> None:
    window = SeqWindow(64)
    assert window.accept(100)
    assert window.accept(37)
    assert not window.accept(36)
    assert not window.accept(100)
    for seq in range(101, 1000):
        assert window.accept(seq)
    assert not window.accept(101)
