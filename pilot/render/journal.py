"""The journal as cells and lines: what was asked, by whom, of which nodes, and what came of it.

Records come from elsewhere and may have been tampered with: what cannot be read is shown as it is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from pilot.journal import Deed, Record
from pilot.render.outcomes import RESULTS
from pilot.render.palette import Tone, paint
from pilot.render.table import Cell, Column, table
from pilot.render.times import clock, local, took
from pilot.wire import plain

if TYPE_CHECKING:
    # With the checks come the keys.
    from pilot.journal_check import Report

COLUMNS = (
    Column("TIME"),
    Column("WHO"),
    Column("VERB"),
    Column("NODES"),
    Column("OUTCOME"),
    Column("TOOK", right=True),
)

_VOUCHED = {"ssh": "by ssh", "admin": "admin"}
_ORDER = ("failed", "refused", "unknown", "done")
_MOST_NAMES = 8
_LONGEST = 300
_NOT_READ = (msgspec.MsgspecError, RecursionError)
"""What comes of JSON that somebody put there by hand, or made as deep as to be no JSON that is read."""


def cells(deed: Deed, now: float, names: Mapping[str, str] | None = None) -> tuple[Cell, ...]:
    """A deed as a row under COLUMNS. `names` are those of nodes, by id, where they are known."""
    return (
        time_cell(deed, now),
        who_cell(deed),
        verb_cell(deed),
        targets_cell(deed, names or {}),
        outcome_cell(deed),
        took_cell(deed),
    )


def time_cell(deed: Deed, now: float) -> Cell:
    """When: the time of day, with the date if that is not today's."""
    moment = deed.record.seconds
    try:
        day = time.strftime("%Y-%m-%d", time.localtime(moment))
        today = day == time.strftime("%Y-%m-%d", time.localtime(now))
        return Cell(clock(moment) if today else f"{day} {clock(moment)}", "dim")
    except (OverflowError, ValueError, OSError):
        return Cell(str(deed.record.time), "bad")


def who_cell(deed: Deed) -> Cell:
    """Who asked; and what vouches for it, where that is not a signature."""
    record = deed.record
    if record.kind == "outcome":
        return Cell("", "dim")
    vouched = _VOUCHED.get(record.auth, "")
    return Cell(f"{record.principal} ({vouched})" if vouched else record.principal)


def verb_cell(deed: Deed) -> Cell:
    """What was asked."""
    record = deed.record
    if record.kind == "outcome":
        return Cell(f"(outcome of {record.intent})", "dim")
    return Cell(record.verb, "strong")


def targets_cell(deed: Deed, names: Mapping[str, str]) -> Cell:
    """Of which nodes: as it was typed; by name, or id, where nothing was typed."""
    typed = targets_of(deed, names)
    more = len(typed) - _MOST_NAMES
    return Cell(" ".join(typed[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else ""))


def targets_of(deed: Deed, names: Mapping[str, str]) -> list[str]:
    """Selectors as they were typed; else the names of the nodes, or what else it is about."""
    record = deed.record
    if record.kind == "outcome":
        return [str(item.get("target", "")) for item in results(record)]
    selectors = _args(record).get("selectors")
    if isinstance(selectors, list) and selectors:
        # The app asks by id: a name may have moved to another node in between.
        return [names.get(str(selector)) or str(selector) for selector in selectors]
    try:
        return [names.get(target) or target for target in record.targets]
    except _NOT_READ:
        return [record.targets_json]


def outcome_cell(deed: Deed) -> Cell:
    """What came of it: glyph and word, counted where there are several nodes; the first failure's reason."""
    record = deed.outcome or deed.record
    if record.kind == "intent":
        return Cell("… no outcome yet", "busy")
    ended = results(record)
    if ended:
        return _counted(ended)
    result = _result(record)
    if isinstance(result, dict) and "message" in result:
        return Cell(f"✕ refused: {result['message']}", "bad")
    if isinstance(result, dict) and "withdrawn" in result:
        return Cell(f"○ {result['withdrawn']}", "dim")
    if isinstance(result, dict) and isinstance(seconds := result.get("seconds"), int | float):
        return Cell(f"after {took(seconds)}", "dim")
    if result in (None, [], {}):
        return Cell("" if record.kind == "event" else "nothing to do", "dim")
    return Cell(plain(_words(result), _LONGEST), "dim")


def took_cell(deed: Deed) -> Cell:
    """How long it took, by airboss's clock."""
    if deed.outcome is None:
        return Cell("")
    return Cell(took(max(0.0, deed.outcome.seconds - deed.record.seconds)), "dim")


def results(record: Record) -> list[dict[str, Any]]:
    """The outcomes of each target that an outcome's record holds; none if it holds something else."""
    result = _result(record)
    if isinstance(result, list) and all(isinstance(item, dict) and "target" in item for item in result):
        return result
    return []


def names_in(records: Iterable[Record]) -> dict[str, str]:
    """The names of nodes, by id, that outcomes tell; the last one told."""
    found = {}
    for record in records:
        if record.kind == "outcome":
            for item in results(record):
                if item.get("node") and item.get("target"):
                    found[str(item["node"])] = str(item["target"])
    return found


def journal_table(
    deeds: Sequence[Deed], now: float, colour: bool, names: Mapping[str, str] | None = None
) -> list[str]:
    """The table, oldest first; with the cluster where there are several."""
    several = len({deed.record.cluster for deed in deeds if deed.record.kind != "outcome"}) > 1
    columns = (COLUMNS[0], Column("CLUSTER"), *COLUMNS[1:]) if several else COLUMNS
    rows = []
    for deed in deeds:
        row = cells(deed, now, names)
        rows.append((row[0], Cell(deed.record.cluster or "-"), *row[1:]) if several else row)
    return table(columns, rows, colour)


def journal_line(deed: Deed, now: float, colour: bool, names: Mapping[str, str] | None = None) -> str:
    """A deed on a line of its own, as it happens."""
    shown = [Cell(plain(cell.text, 500), cell.tone) for cell in cells(deed, now, names)]
    return "  ".join(paint(cell.text, cell.tone, colour) for cell in shown if cell.text)


def details(deed: Deed, names: Mapping[str, str] | None = None) -> list[tuple[str, Cell]]:
    """All that is known of a deed, as labels and values: for a pane beside the list."""
    record, outcome = deed.record, deed.outcome or (deed.record if deed.record.kind != "intent" else None)
    typed = targets_of(deed, names or {})
    found = [
        ("record", Cell(str(record.id) + (f", outcome {deed.outcome.id}" if deed.outcome else ""))),
        ("time", Cell(local(record.seconds, "%Y-%m-%d %H:%M:%S %z"))),
        ("who", who_cell(deed)),
        ("key", Cell(record.fingerprint)),
        ("vouched by", Cell("signature" if record.signature else record.auth)),
        ("cluster", Cell(record.cluster)),
        ("verb", verb_cell(deed)),
        (
            "arguments",
            Cell(_words({k: v for k, v in _args(record).items() if k not in ("selectors", "salt")})),
        ),
        ("nodes", Cell(" ".join(typed))),
    ]
    for item in results(outcome) if outcome else []:
        said = _fault(item) or str(item.get("note", ""))
        word, tone = _shown(item)
        seconds = item.get("seconds")
        spent = f"  {took(seconds)}" if isinstance(seconds, int | float) and seconds else ""
        found.append((str(item["target"]), Cell(f"{word}{spent}{'  ' + said if said else ''}", tone)))
    if outcome and not results(outcome):
        found.append(("outcome", outcome_cell(deed)))
    found.append(("hash", Cell(record.hash, "dim")))
    return [(plain(label, 60), Cell(plain(cell.text, 1000), cell.tone)) for label, cell in found if cell.text]


def verified_lines(
    report: Report, receipts: int, contradicted: Sequence[tuple[int, str]], cluster: str
) -> list[tuple[str, Tone]]:
    """What a check of the journal found: counts, and the first thing that is wrong."""
    whole = report.records - report.sealed
    lines: list[tuple[str, Tone]] = []
    if report.broken is not None:
        lines.append((f"✕ BROKEN at record {report.broken}: {report.problem}", "bad"))
        lines.append((f"{report.records} records before it are right", ""))
    else:
        lines.append((f"✓ the chain of all {report.records} records is right", "good"))
    of = f" of {cluster}" if cluster else ""
    lines.append(
        (f"{whole} records{of} were read whole, {report.signed} of them requests signed as said", "")
    )
    if report.sealed:
        sealed = f"{report.sealed} records of others are sealed: their place was checked, not what they say"
        lines.append((sealed, "dim"))
    lines += [(f"✕ CONTRADICTED: {problem}", "bad") for _, problem in contradicted]
    if receipts:
        lines.append((f"{receipts} of your receipts were compared, {len(contradicted)} contradictions", ""))
    else:
        lines.append(("there is no receipt of yours to compare with", "dim"))
    if report.open:
        lines.append((f"{report.open} requests have no outcome: at work now, or interrupted", "busy"))
    lines.append((f"head: record {report.head.id}, {report.head.hash}", "dim"))
    return lines


def _shown(item: Mapping[str, Any]) -> tuple[str, Tone]:
    """Glyph and word of a result, and what it means."""
    result = str(item.get("result"))
    return next((shown for known, shown in RESULTS.items() if known == result), (plain(result, 40), ""))


def _counted(ended: Sequence[Mapping[str, Any]]) -> Cell:
    counts = Counter(str(item.get("result")) for item in ended)
    kinds = [kind for kind in _ORDER if counts[kind]] + [kind for kind in counts if kind not in _ORDER]
    words = []
    for kind in kinds:
        shown, _ = _shown({"result": kind})
        glyph, _, word = shown.partition(" ")
        words.append(shown if len(ended) == 1 else f"{glyph} {counts[kind]} {word}".strip())
    _, tone = _shown({"result": kinds[0]})
    said = next((fault for item in ended if (fault := _fault(item))), "")
    if not said and len(ended) == 1:
        said = str(ended[0].get("note", ""))
    return Cell(", ".join(words) + (f": {plain(said, _LONGEST)}" if said else ""), tone)


def _fault(item: Mapping[str, Any]) -> str:
    fault = item.get("fault")
    return str(fault.get("message", "")) if isinstance(fault, dict) else ""


def _args(record: Record) -> dict[str, Any]:
    try:
        return record.args
    except _NOT_READ:
        return {}


def _result(record: Record) -> Any:
    try:
        return record.result
    except _NOT_READ:
        return record.result_json


def _words(value: object) -> str:
    """A JSON value in few words."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(item)}" for key, item in value.items())
    if isinstance(value, list):
        return ", ".join(_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
