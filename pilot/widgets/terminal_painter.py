"""From a terminal engine's runs to strips that Textual draws."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from pilot.console.engine import Colour, Look, Run

Kind = Literal["selected", "match", "current", "cursor", "place"]

_CACHED_STYLES = 8192
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What must not reach the user's terminal."""
_UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
"""What has no width, or turns the direction of what follows."""

_MATCH = Style(color=Color.from_ansi(0), bgcolor=Color.from_ansi(3))
_CURRENT = Style(color=Color.from_ansi(0), bgcolor=Color.from_ansi(11), bold=True, underline=True)
_UNDERLINED = Style(underline=True)
_REVERSED = Style(reverse=True)
_UPRIGHT = Style(reverse=False)


class Span(NamedTuple):
    """Cells of a line that are drawn in another way: from a column to before another."""

    start: int
    end: int
    kind: Kind


class Painter:
    """Draws lines in a base style. Palette colours stay palette colours, so that the user's theme decides."""

    def __init__(self) -> None:
        """With the terminal's own colours."""
        self._base = Style()
        self._styles: dict[Look, Style] = {}

    def set_base(self, base: Style) -> None:
        """The style of what has no colours of its own."""
        if base != self._base:
            self._base = base
            self._styles.clear()

    def line(self, runs: Sequence[Run], left: int, width: int, spans: Iterable[Span] = ()) -> Strip:
        """Cells of a line, from column `left` on, as wide as is asked for."""
        segments = [Segment(_safe(run.text), self._style(run.look)) for run in runs if run.text]
        strip = Strip(segments).crop_extend(left, left + width, self._base)
        for span in spans:
            strip = _drawn(strip, max(span.start - left, 0), min(span.end - left, width), span.kind)
        return strip

    def blank(self, width: int) -> Strip:
        """An empty line."""
        return Strip.blank(width, self._base)

    def tagged(self, strip: Strip, text: str, width: int) -> Strip:
        """A line with a word of ours over its right end."""
        text = f" {text} "[-width:] if width > 0 else ""
        keep = strip.crop(0, width - len(text))
        return Strip.join([keep, Strip([Segment(text, self._base + _REVERSED)], len(text))])

    def _style(self, look: Look) -> Style:
        style = self._styles.get(look)
        if style is None:
            if len(self._styles) >= _CACHED_STYLES:
                self._styles.clear()
            style = self._styles[look] = self._base + Style(
                color=_colour(look.foreground),
                bgcolor=_colour(look.background),
                bold=look.bold or None,
                dim=look.dim or None,
                italic=look.italic or None,
                underline=look.underline or None,
                blink=look.blink or None,
                reverse=look.reverse or None,
                conceal=look.conceal or None,
                strike=look.strike or None,
            )
        return style


def _colour(colour: Colour) -> Color | None:
    if colour is None:
        return None
    return Color.from_ansi(colour & 0xFF) if isinstance(colour, int) else Color.from_rgb(*colour)


def _safe(text: str) -> str:
    if text.isprintable():
        return text
    return _UNSEEN.sub("", _UNSAFE.sub("\N{REPLACEMENT CHARACTER}", text))


def _drawn(strip: Strip, start: int, end: int, kind: Kind) -> Strip:
    """The strip with some of its cells drawn in another way. Each way shows without colours, too."""
    if start >= end:
        return strip
    before, middle, after = strip.crop(0, start), strip.crop(start, end), strip.crop(end)
    return Strip.join([before, Strip([_restyled(segment, kind) for segment in middle]), after])


def _restyled(segment: Segment, kind: Kind) -> Segment:
    style = segment.style or Style()
    if kind == "match":
        style = style + _UPRIGHT + _MATCH
    elif kind == "current":
        style = style + _UPRIGHT + _CURRENT
    elif kind == "place":
        style = style + _UNDERLINED
    else:
        style = style + (_UPRIGHT if style.reverse else _REVERSED)
    return Segment(segment.text, style)
