"""How much batches count in the penalty."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from retrograd.training.weighing import Weighing


def test_the_l2_of_batches_follows_their_size_their_number_and_their_weights():
    rows = SimpleNamespace(sample_weight=None)
    weighing = Weighing(rows, lambda weights: 12.0 / weights, {})
    order, w = np.arange(6), np.array([1.0, 2.0, 3.0, 1.0, 1.0, 1.0])

    def found(order, batch_size, weights=None):
        rows.sample_weight = weights
        return np.asarray(weighing.l2_of(order, batch_size)).tolist()

    for _ in range(2):  # whatever was asked for before
        assert found(order, 6) == 2.0
        assert found(order, 4) == [3.0, 6.0]
        assert found(order[:4], 4) == 3.0
        assert found(order, 4, w) == [12.0 / 7.0, 6.0]
        assert found(order[::-1], 4, w) == [2.0, 4.0]
        assert found(np.stack([order, order]), 6) == [2.0, 2.0]
