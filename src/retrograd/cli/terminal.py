"""Printing: tables that a narrow pipe does not cut."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Any

PIPE_WIDTH = 120  # columns where standard output is no terminal, and has no width of its own


def console() -> Any:
    """A rich console on standard output that prints text as it is, without markup or colours."""
    from rich.console import Console

    class Output(Console):
        def on_broken_pipe(self) -> None:  # rich would leave the program itself
            raise BrokenPipeError

    width = None if sys.stdout.isatty() else PIPE_WIDTH
    return Output(width=width, markup=False, highlight=False, emoji=False, soft_wrap=True)


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], *, left: Sequence[int] = (0,)
) -> None:
    """Print a table; the columns numbered in `left` hold words, the others numbers."""
    from rich.box import ASCII, SIMPLE_HEAD
    from rich.table import Table

    out = console()
    is_unicode = "utf" in (sys.stdout.encoding or "").lower()
    table = Table(box=SIMPLE_HEAD if is_unicode else ASCII, pad_edge=False, show_edge=False)
    for number, name in enumerate(header):
        table.add_column(
            name, justify="left" if number in left else "right", overflow="fold", no_wrap=False
        )
    for row in rows:
        table.add_row(*map(str, row))
    out.print(table)
