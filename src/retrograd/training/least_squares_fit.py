"""What a least-squares fit found: parameters, and how well the data determine them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from retrograd.arrays import Array


@dataclass(frozen=True, eq=False)
class LeastSquaresFit:
    """What `rg.least_squares` found; printed, it is a table.

    - `parameters`, `standard_errors`: by name, in the parameters' own shapes. A standard error is
      infinite where the data do not determine the parameter.
    - `covariance`: (P, P) of all parameters in one vector, in the order of `parameters`:
      s**2 (J.T J)^-1 with s**2 = `residual_sum_of_squares` / `degrees_of_freedom`.
    - `residuals`: at the parameters found, in the shape of the node.
    - `offset`: how far from a minimum it ended. At one the residuals are at right angles to the
      tangent plane of the model; this is the part of them in that plane relative to the part
      across it, each per degree of freedom [Bates & Watts 1981]. The parameters are off by about
      this part of their standard errors.
    - `converged`: whether that is within the tolerance, or within rounding, and the data determine
      every parameter. `message`: how it ended, in words.
    """

    parameters: Mapping[str, Array]
    standard_errors: Mapping[str, Array]
    covariance: Array = field(repr=False)
    residuals: Array = field(repr=False)
    residual_sum_of_squares: float
    degrees_of_freedom: int
    n_iterations: int
    offset: float
    converged: bool
    message: str

    def __str__(self) -> str:
        entries = [
            (name, place, value[place], self.standard_errors[name][place])
            for name, value in self.parameters.items()
            for place in np.ndindex(value.shape)
        ]
        lines = [
            f"{name}{list(place) if place else ''} = {value:.8g} ± {error:.2g}"
            for name, place, value, error in entries
        ]
        iterations = "iteration" if self.n_iterations == 1 else "iterations"
        return "\n".join(
            [
                *lines,
                f"residual sum of squares {self.residual_sum_of_squares:.8g}, "
                f"{self.degrees_of_freedom} degrees of freedom",
                f"{self.message} after {self.n_iterations} {iterations}",
            ]
        )
