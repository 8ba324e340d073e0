"""What leaving would give up, as a question; nothing to ask if it gives up nothing."""

from __future__ import annotations

from collections.abc import Iterable

from pilot.danger import Question
from pilot.live.cockpit import Desk
from pilot.render.activity import title


def question(desks: Iterable[Desk]) -> Question | None:
    """Ask before verbs are given up that are held, or whose answer has not come."""
    left = [activity for desk in desks for activity in desk.activities.open]
    if not left:
        return None
    held = sum(activity.state == "held" for activity in left)
    said = []
    if held:
        said.append(f"{held} held back for undo: {'it' if held == 1 else 'they'} will not be asked for")
    if len(left) > held:
        said.append(f"{len(left) - held} under way: airboss goes on with what it has begun, unseen by you")
    return Question(
        "confirm",
        "Leave pilot now?",
        "Leave",
        ". ".join(sentence[:1].upper() + sentence[1:] for sentence in said) + ".",
        tuple(title(activity) for activity in left),
    )
