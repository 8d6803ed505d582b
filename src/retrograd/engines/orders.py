"""Orders that rows are gone through in, shuffled as NumPy shuffles them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from retrograd.graph.node import Array


def shuffle_in_turn(generators: Sequence[np.random.RandomState], orders: Array) -> None:
    """Shuffle the orders of each generator, as `Shuffles.shuffle` does, with NumPy's own code."""
    for generator, own in zip(generators, orders, strict=True):
        before = own[0]
        for order in own:
            order[:] = before
            generator.shuffle(order)
            before = order
