"""What a diagnosis goes by: a batch's trace, the course of a training, one step's updates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

import numpy as np

from retrograd.inspect.figures import figures
from retrograd.inspect.layers import LayerTrace, NetworkTrace
from retrograd.inspect.subject import Subject
from retrograd.nn.activations import Activation
from retrograd.nn.ends import Heads
from retrograd.nn.losses import JointLoss, Targets
from retrograd.nn.losses.classes import BinaryCrossEntropy, CategoricalCrossEntropy
from retrograd.nn.network import Network
from retrograd.training.history import History


@dataclass(frozen=True, eq=False)
class Evidence:
    """All that may be at hand; what is not is None or empty.

    - `subject`, `trace`: the rows, and their pass with every layer's gradients.
    - `still`: the same pass as in predictions.
    - `history`: of the training. `step`: statistics of one step from the parameters as they are.
    - `network`: that was trained. `unknown`: of a table, by column, words that training had not.
    """

    subject: Subject | None = None
    trace: NetworkTrace | None = None
    still: NetworkTrace | None = None
    history: History | None = None
    step: dict[str, float] = field(default_factory=dict)
    network: Network | None = None
    unknown: dict[str, str] | None = None

    def layers(self) -> Iterator[tuple[LayerTrace, Activation]]:
        """The layers with an activation, and that: its name, or the function itself."""
        for layer in self.trace.layers if self.trace is not None else ():
            function = None if layer.layer.parts else next(iter(layer.layer.functions), None)
            if function is not None and function != "identity":
                yield layer, function

    @property
    def n_not_finite(self) -> int:
        """How many numbers of the pass are NaN or infinite: of J, outputs, values, gradients."""
        if self.trace is None:
            return 0
        found = [np.asarray(self.trace.J), self.trace.losses, self.trace.output]
        for layer in self.trace.layers:
            found += [layer.z, layer.a, layer.delta, layer.e, *layer.gradients.values()]
        return sum(int(np.count_nonzero(~np.isfinite(x))) for x in found)

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
                layer.place: figures(layer.delta).norm
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
    def delta_ratios(self) -> dict[str, float]:
        """Each norm over that of the last layers it leads to: of several heads, all together."""
        norms, network = self.delta_norms, self.network
        if not norms:
            return {}
        *_, last = norms
        ends = {place: [last] for place in norms}
        joined = None if network is None else network.layers[-1]
        if network is not None and isinstance(joined, Heads):
            top = str(len(network.layers))
            counts = accumulate(map(len, joined.branches), initial=1)
            heads = [
                [f"{top}.{number}" for number in range(begin, end)]
                for begin, end in pairwise(counts)
            ]
            own = [[x for x in norms if _above(x, top) in head] for head in heads]
            # A head without such a layer takes a part of what comes from the last before the heads.
            before = [place for place in norms if not any(place in head for head in own)]
            closing = {(head or before)[-1] for head in own if head or before}
            ends = {place: sorted(closing) for place in norms}
            ends |= {place: [head[-1]] for head in own for place in head}
        elif network is None and "." in last:  # what is beside the others is not known
            top = last.split(".")[0]
            block = [place for place in norms if place.split(".")[0] == top]
            ends = {place: block for place in norms if place not in block}
        sums = {place: float(np.hypot.reduce([norms[x] for x in at])) for place, at in ends.items()}
        return {place: _ratio(norms[place], total) for place, total in sums.items()}

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


def _above(place: str, top: str) -> str:
    """The place right below `top` that holds this one, "3.2" for "3.2.1"; or is it."""
    return ".".join(place.split(".")[: len(top.split(".")) + 1])


def _ratio(norm: float, last: float) -> float:
    if last == 0:  # the fit is perfect, and every gradient 0
        return 1.0 if norm == 0 else np.inf
    return norm / last
