"""From the picture that the app makes of itself, an SVG, to a PNG whose columns are those of a terminal.

Rich places runs of text and says how wide each is to be (`textLength`), which librsvg does not follow; it
also drops the spaces that a run begins with. So each word is placed by itself, where its first column is, in
a font that is installed, at the size at which its characters are as wide as Rich's.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from xml.etree import ElementTree as Xml

from rich.cells import cell_len

FONT = "DejaVu Sans Mono"
COLUMN = 12.2
"""Width of a column in Rich's pictures."""
SIZE = COLUMN / (1233 / 2048)
"""Font size at which a character of FONT, 1233 of 2048 units wide, fills a column."""
TALLER = 24.4 / (SIZE * 2384 / 2048)
"""A line's height in Rich's pictures by that of FONT: by so much what draws lines and blocks is stretched."""
COLOURS = 64
CONVERT_SECONDS = 60.0

_SVG = "http://www.w3.org/2000/svg"
_WORD = re.compile(r"[!-~]+|[^\s\xa0]")
"""What is placed by itself: an ASCII word, or one other character, which may come from another font."""
_DRAWN = re.compile(r"[─-▟]")
"""Lines and blocks, which are to touch those above and below."""
_FACES = re.compile(r"@font-face\s*{[^}]*}")


def to_png(svg: str, zoom: float) -> bytes:
    """The picture as PNG, of COLOURS colours at most.

    Raises:
        subprocess.CalledProcessError: rsvg-convert or pngquant failed, and has said why.
        FileNotFoundError: one of them is not installed.
    """
    drawn = _filter(["rsvg-convert", "--zoom", str(zoom)], placed(svg).encode())
    return _filter(["pngquant", "--strip", str(COLOURS), "-"], drawn)


def _filter(command: list[str], data: bytes) -> bytes:
    # Two programs of fixed names; what they read was made here.
    return subprocess.run(  # noqa: S603
        command, input=data, stdout=subprocess.PIPE, check=True, timeout=CONVERT_SECONDS
    ).stdout


def placed(svg: str) -> str:
    """The picture with each word at its column, and without fonts from elsewhere."""
    Xml.register_namespace("", _SVG)
    root = Xml.fromstring(svg)  # noqa: S314 - made by the app just now
    for style in root.iter(f"{{{_SVG}}}style"):
        text = _FACES.sub("", style.text or "")
        text = text.replace("Fira Code", FONT).replace("font-size: 20px", f"font-size: {SIZE:.3f}px")
        style.text = text.replace("arial", FONT)
    for group in list(root.iter(f"{{{_SVG}}}g")):
        for at, run in enumerate(list(group)):
            if run.tag == f"{{{_SVG}}}text" and run.get("textLength"):
                words = Xml.Element(f"{{{_SVG}}}g")
                words.extend(_words(run))
                group[at] = words
    return Xml.tostring(root, encoding="unicode")


def _words(run: Xml.Element) -> Iterator[Xml.Element]:
    text, x, y = run.text or "", float(run.get("x", 0)), run.get("y", "0")
    for word in _WORD.finditer(text):
        at = x + COLUMN * cell_len(text[: word.start()])
        made = Xml.Element(f"{{{_SVG}}}text", {"class": run.get("class", "")})
        if _DRAWN.match(word[0]):
            made.set("transform", f"translate({at:.2f} {y}) scale(1 {TALLER:.3f})")
        else:
            made.set("x", f"{at:.2f}")
            made.set("y", y)
        made.text = word[0]
        yield made
