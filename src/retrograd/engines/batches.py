"""How an order of rows is cut into batches: pass after pass, each with batches of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from retrograd.errors import OptionError
from retrograd.graph.node import Array


@dataclass(frozen=True)
class Batches:
    """Batches of `size` rows each; the last of a pass, of `rows` rows, may have fewer.

    >>> five = Batches(5, 2)
    >>> five.count(10), [five.start(i) for i in range(7)]
    (6, [0, 2, 4, 5, 7, 9, 10])
    """

    rows: int
    size: int

    @property
    def of_pass(self) -> int:
        """How many a pass has; of no rows there is one, too."""
        return max(1, -(-self.rows // self.size))

    def count(self, n: int) -> int:
        """How many so many rows have: whole passes."""
        return n // self.rows * self.of_pass if n else 0

    def start(self, batch: int) -> int:
        """Where a batch starts in the order: the rows of all before it."""
        passed, here = divmod(batch, self.of_pass)
        return passed * self.rows + here * self.size

    def starts(self, n: int) -> Array:
        """Where each batch of so many rows starts."""
        of_one = np.arange(0, self.rows, self.size)
        return np.add.outer(np.arange(0, n, self.rows or 1), of_one).ravel()


def checked_batches(n: int, batch_size: int | None, pass_rows: int | None) -> Batches:
    """The batches of an order of n rows, as `Session.run` is asked for them."""
    rows = n if pass_rows is None else pass_rows
    if pass_rows is not None and (pass_rows < 1 or n % pass_rows):
        raise OptionError(
            f"session: an order is whole passes; {n} rows are none of pass_rows={pass_rows}"
        )
    return Batches(rows, max(1, rows if batch_size is None else min(batch_size, rows)))
