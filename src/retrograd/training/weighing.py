"""How much rows, batches and heads count: in the penalty, and in the means over an epoch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.engines.batches import Batches
from retrograd.training.figures import Epoch, Means, mean_by
from retrograd.training.rows import Rows

Penalty = float | Callable[[Array], Array]
"""The l2 of every batch, or a function from the weights of the batches to the l2 of each."""


class Weighing:
    """The weights of the rows of a session, and what follows from them.

    The weight of a batch is its number of rows, or the sum of their sample weights.
    `rows`: those of the session. `of_heads`: how much each head's loss counts in J.
    """

    def __init__(self, rows: Rows, l2: Penalty, of_heads: Mapping[str, float]) -> None:
        self.rows, self._of_heads = rows, of_heads
        self._l2 = l2 if callable(l2) else float(l2)
        self._sizes: tuple[tuple[int, ...], int, Array] | None = None  # of batches
        # Of batches without sample weights: the form of the order, their rows, and the l2 of each.
        self._known_l2: tuple[tuple[tuple[int, ...], int] | None, float | Array] = None, 0.0

    def means(self, epoch: Epoch, order: Array, batch_size: int) -> Means:
        """The means over rows: each batch counts by its rows, or by their sample weights."""
        return self.means_by(self.all_weights(order[: epoch.n_rows], batch_size), epoch)

    def means_by(self, weights: Mapping[str, Array], epoch: Epoch) -> Means:
        """The means of J over batches of these weights, see `all_weights`."""
        J = mean_by(weights[""], epoch.J)
        if not self._of_heads:
            return Means(J)
        J_of = {
            head: mean_by(weights.get(head, weights[""]), own) for head, own in epoch.J_of.items()
        }
        if len(weights) > 1:  # heads weigh the batches differently; the penalty counts by rows
            penalty = mean_by(weights[""], epoch.J - self.total(epoch.J_of))
            J = penalty + self.total(J_of)
        return Means(J, J_of)

    def total(self, of_heads: Mapping[str, Any]) -> Any:
        """The sum over heads, each by its weight."""
        return sum(self._of_heads[head] * own for head, own in of_heads.items())

    def all_weights(self, order: Array, batch_size: int) -> dict[str, Array]:
        """The weights of each batch, under "", and of each head that has sample weights."""
        found = {"": self.weights(order, batch_size)}
        if self.rows.weights_of:
            starts = np.arange(0, len(order), batch_size)
            for head, w in self.rows.weights_of.items():
                found[head] = np.asarray(np.add.reduceat(w[order], starts))
        return found

    def weights(self, order: Array, batch_size: int) -> Array:
        """The weight of each batch; with heads its number of rows.

        `order`: (n,), or (n_epochs, n) of several passes.
        """
        if self.rows.sample_weight is not None:
            starts = Batches(order.shape[-1], batch_size).starts(order.size)
            return np.asarray(np.add.reduceat(self.rows.sample_weight[order.ravel()], starts))
        if self._sizes is None or self._sizes[:2] != (order.shape, batch_size):
            starts = Batches(order.shape[-1], batch_size).starts(order.size)
            sizes = np.diff(starts, append=order.size).astype(np.float64)
            self._sizes = order.shape, batch_size, sizes
        return self._sizes[2]

    def shares(self, order: Array) -> Array:
        """The share of each row in the mean over these rows, (n,): 1 / n, or w / sum(w)."""
        if self.rows.sample_weight is None:
            return np.full(len(order), 1.0 / len(order))
        w = self.rows.sample_weight[order].astype(np.float64)
        return np.asarray(w / max(float(w.sum()), float(np.finfo(np.float64).tiny)))

    def l2_of(self, order: Array, batch_size: int) -> float | Array:
        """The l2 of each batch of these rows, or of all of them."""
        if not callable(self._l2):
            return self._l2
        form = (order.shape, batch_size) if self.rows.sample_weight is None else None
        if form is None or self._known_l2[0] != form:
            found = self._l2(self.weights(order, batch_size))
            self._known_l2 = form, float(found[0]) if len(found) == 1 else found
        return self._known_l2[1]

    def validation_means(self, order: Array, loss: Array, loss_of: Mapping[str, Array]) -> Means:
        """The means of what `score_all` found for these rows, all of one weight.

        A row of the weight 0 in a head has no target there, and does not count in it.
        """
        if not loss_of:
            return Means(float(loss.mean(dtype=np.float64)))
        known = {head: w[order] > 0 for head, w in self.rows.weights_of.items()}
        J_of = {
            head: float(own[known.get(head, slice(None))].mean(dtype=np.float64))
            for head, own in loss_of.items()
        }
        return Means(self.total(J_of), J_of)
