"""Graphic rendition (SGR): colours and attributes of the characters that come next."""

from __future__ import annotations

from functools import lru_cache

_LONGEST = 512
"""Bytes of parameters that are read; no terminal takes as many."""
_LONGEST_CODE = 32
_CACHED = 1024

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
    b"54": ("frame",), b"55": ("overline",), b"59": ("line",), b"4:0": ("underline",),
}  # fmt: skip
_COLOURS = {b"38": "ink", b"48": "paper", b"58": "line"}

Attributes = dict[str, bytes]
"""What is in force: the parameters that set each attribute."""


class Rendition(tuple[bytes, ...]):
    """The parameters in force, one an attribute, in a fixed order. Empty: as at rest."""

    __slots__ = ()

    @classmethod
    def of(cls, attributes: Attributes) -> Rendition:
        """The same from attributes."""
        return cls(sorted(attributes.values(), key=lambda code: (b";" in code, code)))

    def attributes(self) -> Attributes:
        """The same by attribute."""
        out: Attributes = {}
        for parameters in self:
            change(out, parameters)
        return out

    def sequence(self) -> bytes:
        """What sets it on a terminal at rest."""
        single = b";".join(parameters for parameters in self if b";" not in parameters)
        groups = [single] if single else []
        groups += [parameters for parameters in self if b";" in parameters]
        return b"".join(b"\x1b[" + parameters + b"m" for parameters in groups)


PLAIN = Rendition()


def change(attributes: Attributes, parameters: bytes) -> None:
    """Apply one SGR sequence."""
    for name, code in _changes(parameters[:_LONGEST]):
        if code:
            attributes[name] = code
        elif name:
            attributes.pop(name, None)
        else:
            attributes.clear()


@lru_cache(_CACHED)
def _changes(parameters: bytes) -> tuple[tuple[str, bytes], ...]:
    """What a sequence changes, in order: an attribute and its code; no code ends it, no name all of them."""
    out: list[tuple[str, bytes]] = []
    codes = parameters.split(b";")
    at = 0
    while at < len(codes):
        code = codes[at].lstrip(b"0") or b"0"
        kind = code.partition(b":")[0]
        taken = 1
        if code == b"0":
            out = [("", b"")]
        elif ended := _ENDS.get(code):
            out += [(name, b"") for name in ended]
        elif code in _COLOURS:
            taken = {b"5": 3, b"2": 5}.get(codes[at + 1] if at + 1 < len(codes) else b"", 1)
            if taken > 1 and at + taken <= len(codes):
                out.append((_COLOURS[code], b";".join(codes[at : at + taken])))
        elif name := _COLOURS.get(kind, _ATTRIBUTES.get(kind, "")):
            out.append((name, code))
        at += taken
    return tuple((name, code) for name, code in out if len(code) <= _LONGEST_CODE)
