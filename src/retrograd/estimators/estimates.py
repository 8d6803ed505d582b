"""What the outputs of a network of numbers estimate: means, deviations, quantiles, in y's unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.arrays import Array
from retrograd.estimators.inputs import Scale
from retrograd.estimators.losses import is_gaussian, quantiles_of
from retrograd.nn.losses.likelihood import GaussianNLL


@dataclass(frozen=True, eq=False)
class Estimates:
    """How outputs (n, n_outputs) are read. `scale`: of the targets, where they were standardised.

    >>> Estimates("squared_error", Scale(np.array([10.0]), np.array([2.0]))).means(np.ones((1, 1)))
    array([[12.]])
    """

    loss: Any
    scale: Scale | None

    def means(self, output: Array) -> Array:
        """The estimates of the targets: (n, n_targets)."""
        found = self.of_targets(output)
        return found if self.scale is None else self.scale.undo(found)

    def of_targets(self, output: Array) -> Array:
        """The outputs that estimate the targets, as they are: of quantiles the nearest to 1/2."""
        quantiles = quantiles_of(self.loss)
        if quantiles:
            middle = int(np.abs(np.subtract(quantiles, 0.5)).argmin())
            return output[:, middle :: len(quantiles)]
        return output[:, : output.shape[1] // 2] if is_gaussian(self.loss) else output

    def deviations(self, output: Array) -> Array:
        """The standard deviations that "gaussian_nll" estimates: (n, n_targets)."""
        epsilon = getattr(self.loss, "epsilon", GaussianNLL.epsilon)
        std = np.sqrt(np.exp(output[:, output.shape[1] // 2 :]) + epsilon)
        return np.asarray(std if self.scale is None else std * self.scale.scale)

    def quantiles(self, output: Array) -> Array:
        """The quantiles of each target, in the order of the loss: (n, n_targets, n_quantiles)."""
        found = output.reshape(len(output), -1, len(quantiles_of(self.loss)))
        if self.scale is None:
            return found
        return np.moveaxis(self.scale.undo(np.moveaxis(found, 1, 2)), 2, 1)


def squeezed(output: Array) -> Array:
    """(n,) where there is one column, as predictions of one target are."""
    return output.ravel() if output.shape[1] == 1 else output
