"""How a table looks: its parts and their colours in dark, light and the terminal's own themes."""

from __future__ import annotations

from pilot.widgets.table_flash import PHASES

COMPONENTS = {
    "table--header",
    "table--sorted",
    "table--cursor",
    "table--bar",
    "table--marked",
    "table--stale",
    "table--empty",
    "tone--good",
    "tone--busy",
    "tone--bad",
    "tone--dim",
    "tone--strong",
    *(f"table--flash-{phase}" for phase in range(1, PHASES + 1)),
}
"""Parts that a theme may draw differently."""

CSS = """
TableView {
    background: $background;
    color: $foreground;
    overflow-x: hidden;
    overflow-y: auto;
    scrollbar-size-vertical: 1;

    & > .table--header { color: $foreground 60%; }
    & > .table--sorted { color: $foreground; text-style: bold; }
    & > .table--cursor { background: $foreground 8%; }
    & > .table--bar { color: $foreground 40%; }
    & > .table--marked { color: $accent; }
    & > .table--stale { color: $foreground 45%; }
    & > .table--empty { color: $foreground 60%; }
    & > .tone--good { color: $text-success; }
    & > .tone--busy { color: $text-warning; }
    & > .tone--bad { color: $text-error; text-style: bold; }
    & > .tone--dim { color: $foreground 60%; }
    & > .tone--strong { text-style: bold; }
    & > .table--flash-1 { background: $accent 40%; }
    & > .table--flash-2 { background: $accent 25%; }
    & > .table--flash-3 { background: $accent 12%; }

    &:focus > .table--cursor { background: $foreground 14%; }
    &:focus > .table--bar { color: $accent; }

    &:ansi {
        & > .table--header { color: ansi_default; text-style: dim; }
        & > .table--sorted { text-style: bold not dim; }
        & > .table--cursor { background: ansi_default; text-style: bold; }
        & > .table--bar { color: ansi_bright_blue; }
        & > .table--marked { color: ansi_cyan; }
        & > .table--stale { color: ansi_default; text-style: dim; }
        & > .table--empty { color: ansi_default; text-style: dim; }
        & > .tone--good { color: ansi_green; }
        & > .tone--busy { color: ansi_yellow; }
        & > .tone--bad { color: ansi_red; text-style: bold; }
        & > .tone--dim { color: ansi_default; text-style: dim; }
        & > .table--flash-1 { background: ansi_default; text-style: reverse; }
        & > .table--flash-2 { background: ansi_default; text-style: underline; }
        & > .table--flash-3 { background: ansi_default; text-style: underline; }
    }
}
"""
