"""Tables: as lines of text, as rich prints them, as data frames."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from retrograd.errors import MissingDependencyError

Rows = Sequence[Sequence[str]]
"""A header, then a line for each row, all of one length."""


def as_lines(rows: Rows, *, right: int | None = None) -> str:
    """Columns side by side; those from number `right` on hold numbers, and end in one line.

    >>> print(as_lines([("node", "value"), ("w", "5"), ("%10", "-4.25")], right=1))
    node  value
    w         5
    %10   -4.25
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    right = len(widths) if right is None else right
    justify = [str.rjust if i >= right else str.ljust for i in range(len(widths))]
    return "\n".join(
        "  ".join(f(cell, n) for f, cell, n in zip(justify, row, widths, strict=True)).rstrip()
        for row in rows
    )


def as_rich(
    rows: Rows,
    *,
    right: int | None = None,
    title: str | None = None,
    width: int | None = None,
    words: Collection[int] | None = None,
) -> Any:
    """The same as a table of rich; rows whose first cell is empty belong to the one above.

    `width`: what there is room for, if it is known: a wider table has its columns side by side more
    narrowly. `words`: the columns that may go on in the next line; by default all but numbers.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    header, *lines = rows
    needed = sum(max(map(len, column)) + 3 for column in zip(*rows, strict=True))
    pad = 0 if width is not None and needed > width else 1
    table = Table(
        title=title and Text(title),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, pad),
        show_edge=bool(pad),
    )
    for number, name in enumerate(header):
        is_number = right is not None and number >= right
        # A number that is broken in two would be read as two.
        is_whole = is_number if words is None else number not in words
        table.add_column(
            name,
            justify="right" if is_number else "left",
            overflow="ellipsis" if is_whole else "fold",
            no_wrap=is_whole,
        )
    is_grouped = any(not row[0] for row in lines)
    for row in lines:
        if row[0] and is_grouped and table.row_count:
            table.add_section()
        table.add_row(*map(Text, row))
    return table


def data_frame(owner: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    """A pandas data frame; MissingDependencyError without pandas."""
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingDependencyError(
            f"{owner}: a data frame needs pandas: pip install pandas"
        ) from error
    return pd.DataFrame(rows)
