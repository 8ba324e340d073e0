"""Graphic rendition (SGR): colours and attributes of the characters that come next."""

from __future__ import annotations

_LONGEST = 16
"""Sequences kept as they came before they are boiled down."""

_ATTRIBUTES = {
    **{str(code).encode(): "font" for code in range(10, 20)},
    **{str(code).encode(): "ink" for code in (*range(30, 38), *range(90, 98))},
    **{str(code).encode(): "paper" for code in (*range(40, 48), *range(100, 108))},
    b"1": "bold", b"2": "dim", b"3": "italic", b"4": "underline", b"21": "underline", b"5": "blink",
    b"6": "blink", b"7": "inverse", b"8": "hidden", b"9": "struck", b"51": "frame", b"52": "frame",
    b"53": "overline",
}  # fmt: skip
_ENDS = {
    b"10": ("font",), b"22": ("bold", "dim"), b"23": ("italic",), b"24": ("underline",), b"25": ("blink",),
    b"27": ("inverse",), b"28": ("hidden",), b"29": ("struck",), b"39": ("ink",), b"49": ("paper",),
    b"54": ("frame",), b"55": ("overline",), b"59": ("line",),
}  # fmt: skip
_COLOURS = {b"38": "ink", b"48": "paper", b"58": "line"}


class Rendition(tuple[bytes, ...]):
    """The parameters of the SGR sequences since the last reset, oldest first. Empty: as at rest."""

    __slots__ = ()

    def after(self, parameters: bytes) -> Rendition:
        """The rendition after one more SGR sequence."""
        if parameters in (b"", b"0", b"00"):
            return PLAIN
        if parameters.startswith((b"0;", b";")):
            return Rendition((parameters,))
        if len(self) < _LONGEST:
            return Rendition((*self, parameters)) if self[-1:] != (parameters,) else self
        return Rendition(_boiled_down((*self, parameters)))

    def sequence(self) -> bytes:
        """What sets it on a terminal at rest."""
        return b"".join(b"\x1b[" + parameters + b"m" for parameters in self)


PLAIN = Rendition()


def _boiled_down(sequences: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """One sequence an attribute that is in force."""
    in_force: dict[str, bytes] = {}
    for sequence in sequences:
        codes = sequence.split(b";")
        at = 0
        while at < len(codes):
            code = codes[at].lstrip(b"0") or b"0"
            kind, _, _ = code.partition(b":")
            taken = 1
            if code == b"0":
                in_force.clear()
            elif code in _ENDS or code == b"4:0":
                for name in _ENDS.get(code, ("underline",)):
                    in_force.pop(name, None)
            elif code in _COLOURS:
                taken = {b"5": 3, b"2": 5}.get(codes[at + 1] if at + 1 < len(codes) else b"", 1)
                in_force[_COLOURS[code]] = b";".join(codes[at : at + taken])
            elif name := _COLOURS.get(kind, _ATTRIBUTES.get(kind, "")):
                in_force[name] = code
            at += taken
    return tuple(in_force.values())
