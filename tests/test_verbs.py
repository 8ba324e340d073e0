"""The one table of verbs."""

from __future__ import annotations

import pytest

from pilot.errors import UsageError
from pilot.verbs import BY_ID, VERBS, verb_table


def test_ids_and_keys_are_unique() -> None:
    assert len(BY_ID) == len(VERBS)
    keys = [verb.key for verb in VERBS if verb.key]
    assert len(keys) == len(set(keys))


def test_what_disrupts_needs_more_than_a_viewer_and_is_journaled() -> None:
    for verb in VERBS:
        if verb.danger >= 1:
            assert verb.role != "viewer"
            assert verb.journaled


def test_arguments_are_checked_and_completed() -> None:
    shutdown = BY_ID["power.shutdown"]
    assert shutdown.arguments({"grace": 5}) == {
        "grace": 5.0,
        "then": "leave",
        "drain": False,
        "anyway": False,
    }
    for wrong in ({"grace": "5"}, {"grace": True}, {"grace": 0}, {"grace": 1e9}, {"then": "burn"}, {"x": 1}):
        with pytest.raises(UsageError):
            shutdown.arguments(wrong)  # type: ignore[arg-type]


def test_not_a_number_is_no_grace() -> None:
    with pytest.raises(UsageError):
        BY_ID["power.shutdown"].arguments({"grace": float("nan")})


@pytest.mark.parametrize("number", [10**400, -(10**400), 2**63, float("inf")])
def test_a_number_beyond_all_bounds_is_said_to_be(number: float) -> None:
    with pytest.raises(UsageError, match="from 1 to 3600"):
        BY_ID["power.shutdown"].arguments({"grace": number})


def test_the_table_names_every_verb() -> None:
    assert all(f"`{verb.id}`" in verb_table() for verb in VERBS)


def test_what_disrupts_says_what_it_costs() -> None:
    for verb in VERBS:
        assert bool(verb.consequence) == (verb.danger >= 2), verb.id
        assert verb.question or not verb.consequence, verb.id
        if verb.question:
            act, _, _ = verb.question.partition("{}")
            assert act.endswith(" ")
            assert verb.question.endswith("?")
            assert verb.danger < 2 or verb.consequence.endswith(".")


def test_what_leads_somewhere_says_so_meanwhile() -> None:
    for verb in VERBS:
        assert verb.doing or verb.leads_to is None, verb.id
        assert verb.danger > 0 or not verb.doing, verb.id


def test_an_inverse_is_one_both_ways_and_can_be_undone_by_the_same_person() -> None:
    for verb in VERBS:
        if verb.inverse:
            inverse = BY_ID[verb.inverse]
            assert inverse.inverse == verb.id
            assert (inverse.role, inverse.scope, inverse.danger) == (verb.role, verb.scope, 1)
            assert inverse.leads_to != verb.leads_to


def test_what_acts_at_once_is_not_held_back() -> None:
    assert {verb.id for verb in VERBS if verb.held} == {"power.shutdown", "power.reboot"}
    assert all("grace" in {argument.name for argument in verb.args} for verb in VERBS if verb.held)
