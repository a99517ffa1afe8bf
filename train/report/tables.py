"""A table once, written as HTML for the page or as Markdown for the documentation."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from edge_daemon.report.wording import text

Mark: TypeAlias = Literal["", "best", "differs", "better", "worse", "soft"]
_WORDS = {"better": "better", "worse": "worse"}
_MARKDOWN = re.compile(r"([\\`*_|<>\[\]])")


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands at one place of a table.

    Attributes:
        value: text; a second line in smaller type follows a newline.
        mark: why it stands out.
        class_id: number of the defect class whose colour stands before it; 0 for none.
    """

    value: str
    mark: Mark = ""
    class_id: int = 0


Row: TypeAlias = tuple[Cell | str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under heads; the first column names its row.

    Attributes:
        caption: what it tells.
        head: of each column.
        rows: as many cells each.
        note: a sentence below, or empty.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    note: str = ""


def table_html(table: Table) -> str:
    """The table, which scrolls on a narrow screen and can be read out row by row."""
    head = "".join(f"<th scope=col>{_lines_html(name)}</th>" for name in table.head)
    rows = "".join(f"<tr>{_row_html(row)}</tr>\n" for row in table.rows)
    note = f"<p class=hint>{text(table.note)}</p>\n" if table.note else ""
    caption = text(table.caption)
    return (
        f'<div class="panel scroll" tabindex=0 role=region aria-label="{caption}">'
        f"<table><caption>{caption}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n{note}"
    )


def table_markdown(table: Table) -> str:
    """The table as GitHub writes it, under its caption; marks become bold type."""
    lines = [f"**{_escape(table.caption)}**", ""]
    lines.append(_line([_escape(name.replace("\n", " ")) for name in table.head]))
    lines.append(_line(["---"] + ["---:"] * (len(table.head) - 1)))
    lines += [_line([_cell_markdown(_cell(one)) for one in row]) for row in table.rows]
    if table.note:
        lines += ["", _escape(table.note)]
    return "\n".join(lines) + "\n"


def _row_html(row: Row) -> str:
    first, *others = (_cell(one) for one in row)
    parts = [f"<th scope=row>{_cell_html(first)}</th>"]
    for one in others:
        attribute = f" class={one.mark}" if one.mark else ""
        parts.append(f"<td{attribute}>{_cell_html(one)}</td>")
    return "".join(parts)


def _cell(value: Cell | str) -> Cell:
    return value if isinstance(value, Cell) else Cell(value)


def _cell_html(cell: Cell) -> str:
    content = _lines_html(cell.value)
    if cell.class_id:
        content = f'<span class="chip c{cell.class_id}">{content}</span>'
    if cell.mark == "differs":
        content = f"<mark>{content}</mark>"
    if cell.mark in _WORDS:
        # Said to who doesn't see the colour.
        content += f"<span class=unseen> ({_WORDS[cell.mark]})</span>"
    return content


def _lines_html(value: str) -> str:
    first, newline, rest = value.partition("\n")
    return f"{text(first)}<small>{text(rest)}</small>" if newline else text(first)


def _cell_markdown(cell: Cell) -> str:
    first, newline, rest = cell.value.partition("\n")
    content = _escape(first)
    if cell.mark in ("best", "differs", "better", "worse") and content:
        content = f"**{content}**"
    return f"{content} ({_escape(rest)})" if newline else content


def _escape(value: str) -> str:
    return _MARKDOWN.sub(r"\\\1", value.replace("\n", " "))


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
