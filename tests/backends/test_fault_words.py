"""What a site's people are told of what does not answer."""

from __future__ import annotations

import pytest

from pilot.backends.fault_words import fault_words


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("ReadTimeoutError: 15 s", "AWS does not answer. Wait. (ReadTimeoutError: 15 s)"),
        ("TimeoutError:", "AWS does not answer. Wait."),
        ("TimeoutError", "AWS does not answer. Wait."),
        ("", "AWS does not answer. Wait."),
        ("AWS does not answer", "AWS does not answer. Wait."),
    ],
)
def test_what_is_wrong_comes_first_and_what_others_said_of_it_last(said: str, told: str) -> None:
    assert fault_words("AWS does not answer", said, "Wait.") == told
    assert fault_words("AWS does not answer", said, "") == told.replace(" Wait.", "")
