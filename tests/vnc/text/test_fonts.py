"""Fonts from files, good and bad, and the digests that come with the project."""

from __future__ import annotations

import gzip
import random
import struct
from pathlib import Path

import numpy as np

from pilot.vnc.framebuffer import Framebuffer
from pilot.vnc.text import Decoder, Fonts
from pilot.vnc.text.faces import parse
from pilot.vnc.text.fonts import BUILT_IN, dump, load
from pilot.vnc.text.learn import learn
from tests.support.consoles_on_screens import console_fonts
from tests.vnc.text.drawing import BIOS, bios_face, write

ASCII = "".join(map(chr, range(0x21, 0x7F)))


def test_a_bios_image_has_three_fonts() -> None:
    assert [face.bitmaps.shape for face in parse(BIOS.read_bytes())] == [
        (256, 16, 8),
        (256, 14, 8),
        (256, 8, 8),
    ]
    assert parse(BIOS.read_bytes())[0].characters[0xC9] == "╔"


def test_psf_of_linux() -> None:
    data = gzip.decompress((console_fonts() / "Lat15-Terminus16.psf.gz").read_bytes())
    (face,) = parse(data)
    assert face.bitmaps.shape[1:] == (16, 8)
    assert set(ASCII) <= set(face.characters)
    assert parse(gzip.compress(data))[0].characters == face.characters


def test_psf2_hex_and_pf2() -> None:
    bitmaps = bytes(range(32))
    meanings = (
        b"A\xff" + "ÄB\xfeA\u0308".encode("utf-8", "surrogatepass").replace(b"\xc3\xbe", b"\xfe") + b"\xff"
    )
    psf2 = b"\x72\xb5\x4a\x86" + struct.pack("<7I", 0, 32, 1, 2, 16, 16, 8) + bitmaps + meanings
    (face,) = parse(psf2)
    assert face.characters == "AB"
    assert np.packbits(face.bitmaps).tobytes() == bitmaps
    (face,) = parse(b"0041:" + bitmaps[:16].hex().encode() + b"\n4E00:" + b"00" * 32 + b"\n")
    assert (face.characters, face.bitmaps.shape) == ("A", (1, 16, 8))


def test_ascii_of_the_usual_fonts_is_built_in() -> None:
    fonts = Fonts.built_in()
    for name in ("Lat15-Fixed16", "Lat15-Terminus16", "Lat15-VGA14"):
        (face,) = parse((console_fonts() / f"{name}.psf.gz").read_bytes())
        screen = Framebuffer(800, 600)
        write(screen, ASCII, 0, 2, face=face)
        text = Decoder(fonts).decode(screen.packed)
        assert text is not None
        assert text.text(2) == ASCII, name


def test_fonts_that_somebody_hands_over() -> None:
    strange = bios_face()._replace(bitmaps=np.flip(bios_face().bitmaps, axis=2))
    screen = Framebuffer(800, 600)
    write(screen, "strange letters", 0, 0, face=strange)
    assert "strange" not in (_read(Fonts.built_in(), screen))
    octets = np.packbits(strange.bitmaps, axis=2).tobytes()
    meanings = b"".join(
        (character.encode() if character != "\0" else b"") + b"\xff" for character in strange.characters
    )
    psf2 = b"\x72\xb5\x4a\x86" + struct.pack("<7I", 0, 32, 1, 256, 16, 16, 8) + octets + meanings
    assert "strange letters" in _read(Fonts.from_bytes(b"no font", psf2), screen)
    # Nobody else's fonts have changed.
    assert "strange" not in (_read(Fonts.built_in(), screen))


def test_a_screen_is_read_anew_when_fonts_come() -> None:
    fonts = Fonts()
    decoder, screen = Decoder(fonts), Framebuffer(640, 400)
    for row in range(5):
        write(screen, "words of any kind", 0, row)
    assert decoder.decode(screen.packed) is None
    assert fonts.add(BIOS.read_bytes()) == 3
    text = decoder.decode(screen.packed, [])
    assert text is not None
    assert text.text(4) == "words of any kind"


def test_this_machines_fonts_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.psf").write_bytes(b"\x36\x04 broken")
    (tmp_path / "vga.psf").write_bytes(BIOS.read_bytes())
    fonts = Fonts()
    assert fonts.search([(str(tmp_path), "*.psf"), (str(tmp_path / "nowhere"), "*")]) == 1
    assert (8, 16) in fonts.sizes


def test_what_a_terminal_obeys_is_never_read() -> None:
    """GNU Unifont draws a box for each control: what a guest shows of them stays unread."""
    seen = "A\N{BOX DRAWINGS LIGHT HORIZONTAL}"
    never = "\x7f\x85\x9b\xa0\xad\u0301\u200b\u202e\u2028\ue000"
    lines = (f"{ord(c):04X}:{number + 1:032X}" for number, c in enumerate(seen + never))
    fonts = Fonts()
    assert fonts.add("\n".join(lines).encode()) == 1
    table = fonts.table((8, 16))
    codes = {int(code) for codes in (table.upright_codes, table.turned_codes) for code in codes}
    assert codes <= {ord(c) for c in seen}
    assert codes
    for size in Fonts.built_in().sizes:
        table = Fonts.built_in().table(size)
        for code in (*table.upright_codes, *table.turned_codes):
            assert chr(code).isprintable(), hex(code)


def test_damaged_fonts_are_refused() -> None:
    chance = random.Random(3)
    psf = gzip.decompress((console_fonts() / "Lat15-Terminus16.psf.gz").read_bytes())
    pf2 = b"FILE\0\0\0\4PFF2" + b"".join(
        name + struct.pack(">I", len(data)) + data
        for name, data in (
            (b"ASCE", b"\0\x0e"), (b"DESC", b"\0\2"), (b"CHIX", struct.pack(">IBI", 65, 0, 70)),
            (b"DATA", b""),
        )
    ) + bytes(40)  # fmt: skip
    parse(pf2)
    for whole in (psf, pf2, BIOS.read_bytes(), b"0041:" + b"18" * 16, b"\x72\xb5\x4a\x86" + bytes(60)):
        for _ in range(150):
            data = bytearray(whole[: chance.randrange(len(whole))] if chance.random() < 0.5 else whole)
            for _ in range(chance.randrange(8)):
                if data:
                    data[chance.randrange(min(len(data), 80))] = chance.randrange(256)
            Fonts().add(bytes(data))
    assert Fonts().add(b"") == 0
    assert Fonts().add(gzip.compress(psf)[:-300]) in (0, 1)


def test_the_file_of_digests_is_what_would_be_learnt_again() -> None:
    fonts = learn([BIOS])
    tables = load(dump(fonts))
    assert set(tables) == set(fonts.sizes)
    for size, table in tables.items():
        for mine, learnt in zip(table, fonts.table(size), strict=True):
            assert np.asarray(mine).tolist() == np.asarray(learnt).tolist()
    # What a BIOS has is in the file that comes with the project.
    built_in = load(BUILT_IN.read_bytes())
    for size in ((8, 16), (9, 16), (8, 14), (8, 8)):
        assert np.isin(fonts.table(size).upright, built_in[size].upright).all()


def _read(fonts: Fonts, screen: Framebuffer) -> str:
    text = Decoder(fonts).decode(screen.packed)
    return text.plain() if text else ""
