"""Tables of text in the layout that scripts of Ollama users know."""

from collections.abc import Sequence

from actorllm.cli.text import one_line, width

__all__ = ["section", "table"]

_GAP = 4
Row = Sequence[str]


def table(header: Row, rows: Sequence[Row]) -> str:
    """Lay out left-aligned columns, each padded to its width and four spaces.

    The header's last cell is followed by one space only.
    """
    cells = [[one_line(cell) for cell in row] for row in (header, *rows)]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    first, *others = cells
    head = "".join(map(_pad, first[:-1], widths)) + f"{first[-1]} \n"
    return head + "".join(f"{_join(row, widths)}\n" for row in others)


def section(title: str, rows: Sequence[Row]) -> str:
    """Lay out a titled block: rows indented by four, then an empty line. No rows, no block."""
    if not rows:
        return ""
    columns = max(map(len, rows))
    cells = [[one_line(c) for c in row] + [""] * (columns - len(row)) for row in rows]
    widths = [max(map(width, column)) for column in zip(*cells, strict=True)]
    lines = "".join(f"{' ' * _GAP}{_join(row, widths)}\n" for row in cells)
    return f"  {title}\n{lines}\n"


def _join(row: Row, widths: Sequence[int]) -> str:
    return "".join(map(_pad, row, widths))


def _pad(cell: str, columns: int) -> str:
    return cell + " " * (columns - width(cell) + _GAP)
