"""A page of a replay: text, tables, and checks of the numbers printed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import typer
from numpy.typing import ArrayLike

from retrograd.cli.terminal import print_table

TOLERANCE = 1e-12  # relative: float64 after a few dozen operations


class Page:
    """Prints a replay as it goes, and counts its checks. `ok` tells whether all have passed."""

    def __init__(self, title: str) -> None:
        self.n_checks = 0
        self.failures: list[str] = []
        typer.echo(title)

    @property
    def ok(self) -> bool:
        """Whether every check has passed so far."""
        return not self.failures

    def section(self, row: str, text: str) -> None:
        """Begin a part: the rows of the lecture that it replays, and what it shows."""
        typer.echo(f"\n{row}  {text}")

    def line(self, text: str) -> None:
        """Print one line."""
        typer.echo(f"  {text}")

    def table(
        self, header: Sequence[str], rows: Iterable[Sequence[object]], *, left: Sequence[int] = (0,)
    ) -> None:
        """Print a table; the columns numbered in `left` hold words."""
        print_table(header, rows, left=left)

    def matrix(self, name: str, value: ArrayLike) -> None:
        """Print a small matrix with its name and shape, a row a line."""
        array = np.asarray(value)
        start = f"  {name} {array.shape} = "
        for row in np.atleast_2d(array):
            typer.echo(start + "  ".join(f"{entry:10.6f}" for entry in row))
            start = " " * len(start)

    def check(
        self, what: str, found: ArrayLike, expected: ArrayLike, *, tolerance: float = TOLERANCE
    ) -> None:
        """Compare numbers, relative to the largest expected one; a failure is printed at once."""
        self.n_checks += 1
        found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
        scale = max(float(np.abs(expected).max()), np.finfo(np.float64).tiny)
        is_same = found.shape == expected.shape
        error = float(np.abs(found - expected).max()) / scale if is_same else float("inf")
        if not error <= tolerance:
            self.failures.append(what)
            typer.echo(f"  WRONG: {what}: {found.tolist()}, expected {expected.tolist()}")

    def end(self) -> bool:
        """Print the count of the checks; whether all have passed."""
        verdict = "all agree" if self.ok else f"{len(self.failures)} DISAGREE"
        typer.echo(f"\n{self.n_checks} checks of the numbers above: {verdict}")
        return self.ok
