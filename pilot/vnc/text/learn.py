"""`python -m pilot.vnc.text.learn FILE…` makes `glyphs.bin`, the digests of the glyphs in font files.

A file may be a font, a VGA BIOS image, or a bare table of 256 glyphs in the order of code page 437 whose name
ends in its size, like `kernel.8x16`. Files named earlier come first where two fonts disagree on a glyph.
Digests of characters that consoles do not show are left out: they would only make the file larger.

The file that comes with the project knows the glyphs of SeaBIOS's VGA BIOS (8x16, 8x14, 8x8); of Linux' own
fonts 8x16 and 16x32; of EDK II, which most UEFI is made of; of kbd's eurlatgr, latarcyrheb-sun16 and -sun32,
default8x16, lat0-16, Lat2-Terminus16; of the VGA, Fixed, Terminus and TerminusBold faces of Debian's
console-setup (Uni2 and Lat15, 14 pixels high and more); and of GRUB's unicode.pf2, which is GNU Unifont.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pilot.vnc.text.faces import Face, code_page, parse
from pilot.vnc.text.fonts import BUILT_IN, Fonts, dump

USUAL = (
    (0x21, 0x17F),  # Latin
    (0x370, 0x45F),  # Greek, Cyrillic
    (0x2010, 0x203C),
    (0x20A0, 0x20BF),
    (0x2190, 0x21A8),
    (0x2200, 0x2265),
    (0x2300, 0x2321),
    (0x2500, 0x266B),  # lines, blocks, shapes
    (0xFFFD, 0xFFFD),
)


def learn(files: list[Path]) -> Fonts:
    """The glyphs of these files that are usual on consoles."""
    fonts = Fonts()
    for path in files:
        for face in _faces(path):
            kept = "".join(
                character if any(first <= ord(character) <= last for first, last in USUAL) else "\0"
                for character in face.characters
            )
            fonts.add_faces([face._replace(characters=kept)])
    return fonts


def _faces(path: Path) -> list[Face]:
    if size := re.search(r"\.(8|16)x(\d+)$", path.name):
        return [code_page(path.read_bytes(), int(size[1]), int(size[2]))]
    return parse(path.read_bytes())


if __name__ == "__main__":
    BUILT_IN.write_bytes(dump(learn([Path(name) for name in sys.argv[1:]])))
    print(f"{BUILT_IN}: {BUILT_IN.stat().st_size:,} bytes")
