"""What was asked, in words."""

from __future__ import annotations

from pilot.asked import Activity, Receipt, requests
from pilot.records import Node
from pilot.render.activity import Cells, details, line
from pilot.verbs import BY_ID, Value
from pilot.wire import Fault, Outcome, Result
from tests.live.asking import NOW, node

DONE: tuple[Result, ...] = ("done",)


def asked(verb: str, nodes: list[Node], **args: Value) -> Activity:
    given = BY_ID[verb].arguments(args)
    return Activity(1, BY_ID[verb], given, "ada@here", requests(nodes), NOW)


def ended(verb: str, results: list[Result], fault: Fault | None = None) -> Activity:
    activity = asked(verb, [node(i) for i in range(len(results))])
    for target, result in zip(activity.targets, results, strict=True):
        why = None if result == "done" else fault
        target.outcome = Outcome(target.name, result, target.id, "off", fault=why, seconds=1.25)
    activity.state, activity.ended_at = "done", NOW + 12
    activity.requests[0].answered = True
    activity.requests[0].receipt = Receipt(4711, "0123456789abcdef" * 4, NOW)
    return activity


def text(lines: list[Cells]) -> str:
    return "\n".join("".join(cell.text for cell in cells) for cells in lines)


def test_held_it_says_how_long_undo_is_left() -> None:
    activity = asked("power.shutdown", [node(1)])
    activity.state, activity.held_until = "held", NOW + 5
    said = line(activity, NOW + 1.2)
    assert "shutdown compute-0-1 · asked by you · grace 60 s" in said.text
    assert said.right[0].text + said.right[1].text == "u undo (4 s)"
    assert "not sent yet" in text(details(activity, NOW, 60))


def test_arguments_that_were_chosen_are_said() -> None:
    said = line(asked("power.shutdown", [node(1)], grace=20.0, then="off"), NOW).text
    assert "grace 20 s · then off" in said


def test_under_way_it_says_how_far() -> None:
    activity = asked("power.off", [node(1)])
    activity.targets[0].text = "ending QEMU"
    said = line(activity, NOW + 3)
    assert said.text.endswith("ending QEMU3.0 s")
    many = asked("power.off", [node(i) for i in range(12)])
    many.targets[0].outcome = Outcome("compute-0-0", "done", many.targets[0].id)
    many.targets[1].outcome = Outcome("compute-0-1", "failed", many.targets[1].id)
    assert "2 of 12, 1 not done" in line(many, NOW).text


def test_a_partial_failure_is_read_at_once() -> None:
    results: list[Result] = [*DONE * 10, "refused", "failed"]
    said = line(ended("power.off", results), NOW)
    assert said.text.endswith("✕ off 12 nodes · 10 done, 1 refused, 1 failed")
    tones = {cell.text: cell.tone for cell in said.left}
    assert (tones["✕"], tones["10 done"], tones["1 failed"]) == ("bad", "good", "bad")


def test_one_node_says_why() -> None:
    fault = Fault("backend", "turning off compute-0-0 failed: QEMU does not end")
    assert (
        "✕ off compute-0-0 · failed: turning off compute-0-0"
        in line(ended("power.off", ["failed"], fault), NOW).text
    )
    assert line(ended("power.off", ["done"]), NOW).text.endswith("✓ off compute-0-0 · done")


def test_undo_is_offered_where_it_is_possible() -> None:
    activity = ended("power.pause", ["done"])
    assert "u undo" not in line(activity, NOW).text
    assert line(activity, NOW, undoable=True).right[0].text == "u"


def test_details_begin_with_what_went_wrong_and_say_each_trouble_once() -> None:
    activity = ended("power.off", ["done", "failed", "done", "failed"])
    for target in activity.targets:
        if target.outcome and target.outcome.result == "failed":
            fault = Fault("backend", f"turning off {target.name} failed: no reason", "Ask the admin.")
            target.outcome = Outcome(target.name, "failed", target.id, "on", fault=fault, seconds=12.0)
    said = text(details(activity, NOW, 60))
    assert said.count("Ask the admin.") == 1
    assert said.index("compute-0-1  compute-0-3") < said.index("compute-0-0  compute-0-2")
    for words in ("off 4 nodes of vc1", "asked by ada@here", "took 12 s", "2 done, 2 failed", "now off"):
        assert words in said
    assert "journal no. 4711, 0123456789ab" in said


def test_details_say_what_an_answer_without_receipt_means() -> None:
    activity = ended("power.off", ["done"])
    activity.requests[0].receipt = None
    assert "No receipt" in text(details(activity, NOW, 60))
    activity.requests[0].answered = False
    assert "eceipt" not in text(details(activity, NOW, 60))


def test_withdrawn_it_says_why() -> None:
    activity = asked("power.shutdown", [node(i) for i in range(3)])
    activity.state, activity.note = "withdrawn", "taken back before it was sent"
    assert "taken back before it was sent" in line(activity, NOW).text
    said = text(details(activity, NOW, 60))
    assert "Taken back before it was sent." in said
    assert "compute-0-2" in said


def test_details_fit_their_width_and_thousands_of_nodes() -> None:
    activity = ended("power.off", [*DONE * 3000, "failed"], Fault("x", "word " * 100, "hint " * 100))
    for width in (30, 80):
        for cells in details(activity, NOW, width):
            assert sum(len(cell.text) for cell in cells) <= max(width, 45)


def test_words_of_others_are_fit_for_a_terminal() -> None:
    activity = ended("power.off", ["failed"], Fault("x", "bad\x1b]0;x\x07", "worse\x1b[2J"))
    activity.targets[0].name = "n\x1b[31m"
    assert "\x1b" not in line(activity, NOW).text + text(details(activity, NOW, 80))
