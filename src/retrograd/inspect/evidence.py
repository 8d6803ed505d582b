"""What a diagnosis goes by: a batch's trace, the course of a training, one step's updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from retrograd.inspect.layers import LayerTrace, NetworkTrace
from retrograd.inspect.subject import Subject
from retrograd.nn.losses import JointLoss, Targets
from retrograd.nn.losses.classes import BinaryCrossEntropy, CategoricalCrossEntropy
from retrograd.training.history import History


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that may be at hand; what is not is None or empty.

    - `subject`, `trace`: the rows, and their pass with every layer's gradients.
    - `still`: the same pass as in predictions.
    - `history`: of the training. `step`: statistics of one step from the parameters as they are.
    """

    subject: Subject | None = None
    trace: NetworkTrace | None = None
    still: NetworkTrace | None = None
    history: History | None = None
    step: dict[str, float] = field(default_factory=dict)

    def layers(self, kinds: tuple[str, ...]) -> Iterator[tuple[LayerTrace, str]]:
        """The layers with one activation of these names, and its name."""
        for layer in self.trace.layers if self.trace is not None else ():
            function = None if layer.layer.parts else next(iter(layer.layer.functions), None)
            if isinstance(function, str) and function in kinds:
                yield layer, function

    @property
    def is_searched(self) -> bool:
        """Whether a solver of full batches made the history, which has no learning rate."""
        rates = [] if self.history is None else self.history.learning_rate
        return bool(rates) and bool(np.isnan(rates).all())

    @property
    def delta_norms(self) -> dict[str, float]:
        """The norm of delta of each layer with weights: of the rows, or recorded last."""
        if self.trace is not None:
            return {
                layer.place: float(np.linalg.norm(layer.delta.astype(np.float64)))
                for layer in self.trace.layers
                if "W" in layer.gradients
            }
        recorded = {} if self.history is None else self.history.statistics
        weights = recorded.get("gradient_norm", {})
        return {
            place: values[-1]
            for place, values in recorded.get("delta_norm", {}).items()
            if f"W{place}" in weights
        }

    @property
    def update_ratios(self) -> dict[str, list[float]]:
        """The norm of the update over that of the weights, by parameter: each epoch's, or one."""
        if self.history is not None and self.history.statistics:
            recorded = self.history.statistics
            norms, updates = recorded["norm"], recorded["update_norm"]
        else:
            one = History()
            one.record(self.step)
            norms = one.statistics.get("norm", {})
            updates = one.statistics.get("update_norm", {})
        return {
            name: [u / w for u, w in zip(updates[name], values, strict=True) if w > 0]
            for name, values in norms.items()
            if name.startswith("W") and any(values)
        }

    @property
    def guess(self) -> float | None:
        """The mean loss of the best constant guess for these rows; None where it is not known."""
        if self.subject is None or self.subject.rows.weights:
            return None
        target, loss = self.subject.rows.target, self.subject.loss
        if isinstance(target, Targets) or isinstance(loss, JointLoss):
            return None
        y, formula = target.array, loss.per_row
        if loss.name in ("half_squared_error", "squared_error"):
            variance = float(y.astype(np.float64).var(axis=0).sum())
            return variance if loss.name == "squared_error" else variance / 2
        if isinstance(formula, BinaryCrossEntropy):
            yes = y.astype(np.float64).mean(axis=0)
            shares, n_classes = np.stack([yes, 1.0 - yes]), 2
        elif isinstance(formula, CategoricalCrossEntropy):
            n_classes = self.subject.network.n_outputs
            if y.ndim == 1:
                shares = np.bincount(y, minlength=n_classes) / len(y)
            else:
                shares = y.astype(np.float64).mean(axis=0)
        else:
            return None
        # What the targets are on average, smoothed as the loss does: its entropy.
        shares = (1.0 - formula.label_smoothing) * shares + formula.label_smoothing / n_classes
        shares = shares[shares > 0]
        return float(-(shares * np.log(shares)).sum())
