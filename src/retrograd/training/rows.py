"""Rows of data: a user's X, Y and weights, checked and brought to the form of a step's inputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from numpy.typing import DTypeLike

from retrograd.arrays import Array, SparseRows, as_weights, require_same_rows
from retrograd.errors import DataError, unknown_name
from retrograd.nn.losses import JointLoss, Loss, Target, Targets
from retrograd.nn.named import Named, as_x
from retrograd.nn.network import Network
from retrograd.training.objective import SAMPLE_WEIGHT, TARGET, of


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked data: X (n, I), the targets, and sample weights (n,) or None; of heads by name.

    Where heads have weights, `sample_weight` says what a row counts in the weight of a batch.
    """

    X: Array | SparseRows
    target: Target | Targets
    sample_weight: Array | None = None
    weights_of: Mapping[str, Array] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.X)

    @property
    def only_target(self) -> Target:
        """The targets of a network's one output."""
        (target,) = self.target.parts.values()
        return target

    @property
    def weights(self) -> Mapping[str, Array]:
        """The sample weights of each head that has some; "" is the one output."""
        if self.weights_of or self.sample_weight is None:
            return self.weights_of
        return {"": self.sample_weight}

    def weighed(self, weights: Mapping[str, Array]) -> Rows:
        """The same with these weights."""
        of_heads = {head: w for head, w in weights.items() if head}
        return replace(self, sample_weight=weights.get(""), weights_of=of_heads)

    def named(self) -> dict[str, Any]:
        """The arrays by the name of their variable."""
        targets = {of(TARGET, head): part.array for head, part in self.target.parts.items()}
        weights = {of(SAMPLE_WEIGHT, head): w for head, w in self.weights.items()}
        return {"x": self.X, **targets, **weights}


def check_rows(
    network: Network,
    loss: Loss | JointLoss,
    X: Named,
    Y: Named,
    sample_weight: Named | None = None,
    *,
    dtype: DTypeLike | None = None,
) -> Rows:
    """A user's X, Y and weights, checked against the network and the loss.

    In float32 or float64, or in X's own float type where `dtype` is None.
    """
    x = as_x(X, network.inputs, network.n_inputs, dtype=dtype)
    target: Target | Targets
    if isinstance(loss, JointLoss):
        target = loss.target(Y, network.heads, x.dtype)
    elif isinstance(Y, Mapping):
        raise DataError("Y: is a dict, but the network has one output, and takes one array")
    else:
        target = loss.target(Y, network.n_outputs, x.dtype)
    require_same_rows("X", len(x), "Y", len(target))
    rows = Rows(x, target)
    return rows if sample_weight is None else rows.weighed(_weights(sample_weight, network, rows))


def _weights(given: Any, network: Network, rows: Rows) -> dict[str, Array]:
    """A user's sample weights by head: one array is for all of them."""
    options: Any = {"n_rows": len(rows), "dtype": rows.X.dtype}
    if not isinstance(given, Mapping):
        w = as_weights(given, SAMPLE_WEIGHT, **options)
        return dict.fromkeys(network.heads or ("",), w)
    if not network.heads:
        raise DataError("sample_weight: is a dict, but the network has one output")
    for head in given:
        if head not in network.heads:
            raise DataError(f"sample_weight: {unknown_name('head', head, network.heads)}")
    return {
        head: as_weights(w, f"{SAMPLE_WEIGHT}[{head!r}]", **options) for head, w in given.items()
    }
