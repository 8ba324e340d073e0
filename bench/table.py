"""The table: as Markdown, to read in a terminal and to put into a document between two markers."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import libvirt

from bench.result import Row

BEGIN = "<!-- made by `python -m bench{} --write`: do not edit by hand -->"
"""With the parts' names, if not all were measured: these have places of their own."""
END = "<!-- end of what the program made -->"
_HEAD = ("what", "measured", "beside it", "", "ratio", "target", "")


def render(rows: Iterable[Row]) -> str:
    """The rows as a Markdown table with columns of even width."""
    cells = [_HEAD, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(_HEAD))]
    lines = [
        "| " + " | ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines) + "\n"


def _cells(row: Row) -> tuple[str, ...]:
    other = "" if row.other is None else _figure(row.other, row)
    ratio = "" if row.ratio is None else _ratio(row.ratio)
    met = {None: "", True: "met", False: "**missed**"}[row.met]
    return row.what, _figure(row.figure, row), row.beside, other, ratio, row.target, met


def _figure(value: float, row: Row) -> str:
    digits = 2 if value < 10 else 1 if value < 100 else 0
    return f"{value:,.{digits}f} {row.unit}".rstrip()


def _ratio(value: float) -> str:
    return f"{value:.2f}x" if value > 0.2 else f"1/{1 / value:.0f}"


def machine() -> str:
    """The machine and what runs on it, in a line: figures mean little without."""
    qemu = _first_line("qemu-system-x86_64", "--version").split("(")[0].removeprefix("QEMU emulator version ")
    number = libvirt.getVersion()
    return (
        f"{os.cpu_count()} processors ({platform.machine()}), Linux {platform.release().split('-')[0]}, "
        f"Python {platform.python_version()}, asyncssh {version('asyncssh')}, "
        f"libvirt {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}, QEMU {qemu.strip()}"
    )


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "none"
    return done.stdout.partition("\n")[0]


def write(path: Path, rows: Sequence[Row], notes: Sequence[str], parts: Sequence[str] = ()) -> None:
    """Replace what is between the markers of a document.

    Args:
        path: the document.
        rows: the figures.
        notes: facts below them.
        parts: those that were named; empty for the run that all take part in.

    Raises:
        ValueError: the document has no markers for these parts.
    """
    text, marker = path.read_text(encoding="utf-8"), BEGIN.format("".join(f" {part}" for part in parts))
    before, begin, rest = text.partition(marker)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{path} has no lines '{marker}' and '{END}'")
    made = [f"Measured on {datetime.now(UTC):%Y-%m-%d}: {machine()}.", "", render(rows).rstrip()]
    made += ["", *(f"- {note}" for note in notes)] if notes else []
    path.write_text(before + begin + "\n\n" + "\n".join(made) + "\n\n" + end + after, encoding="utf-8")
