"""What becomes of the app's own picture before it is drawn: each word where its column is."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as Xml

import pytest
from rich.console import Console
from rich.text import Text

SOURCE = Path(__file__).parents[1] / "docs/picture_svg.py"


@pytest.fixture
def picture_svg() -> ModuleType:
    """The module, which is beside the documents and in no package."""
    spec = importlib.util.spec_from_file_location("picture_svg", SOURCE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_words_stand_at_their_columns_and_lines_touch(picture_svg: ModuleType) -> None:
    console = Console(record=True, width=40, file=Path("/dev/null").open("w"))  # noqa: SIM115
    with console.file:
        console.print(Text("  on │ two  ● x"))
    root = Xml.fromstring(picture_svg.placed(console.export_svg(title="t")))
    found = {}
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        place = text.get("x") or text.get("transform", "(").split("(")[1].split()[0]
        found[text.text] = round(float(place) / picture_svg.COLUMN)
    del found["t"]
    assert found == {"on": 2, "│": 5, "two": 7, "●": 12, "x": 14}
    style = "".join(style.text or "" for style in root.iter("{http://www.w3.org/2000/svg}style"))
    assert "http" not in style
    assert picture_svg.FONT in style
