"""The steps of residuals: their values, and the gradient of each column of them."""

from __future__ import annotations

from collections.abc import Mapping

from retrograd import gates
from retrograd.autodiff.gradient import gradient
from retrograd.graph.node import Node
from retrograd.graph.step import Step


def residual_steps(
    residuals: Node,
    inputs: Mapping[str, Node],
    parameters: Mapping[str, Node],
    state: Mapping[str, Node] | None = None,
) -> dict[str, Step]:
    """The steps "residuals" and "jacobian" of a node (rows, O).

    "jacobian" has the gradient of each of the O columns, summed over the batch, in each parameter,
    under `slope_name`. Run with batches of one row it gives each row's own: the Jacobian. One sweep
    back for each column; no row of it costs more than a step of training on that row.

    `parameters`: what it is differentiated in; `state`: other variables without rows.
    """
    n_columns = residuals.shape[1]
    assert isinstance(n_columns, int)
    slopes: dict[str, Node] = {}
    for column in range(n_columns):
        total = gates.sum(residuals[:, column])
        found = gradient(total, list(parameters.values()))
        slopes |= {slope_name(p, column): g for p, g in zip(parameters, found, strict=True)}
    common = {"inputs": inputs, "state": {**parameters, **(state or {})}}
    return {
        "residuals": Step(outputs={"residuals": residuals}, **common),
        "jacobian": Step(outputs=slopes, **common),
    }


def slope_name(parameter: str, column: int) -> str:
    """The name of the gradient of a column of the residuals: `d0/dW1`."""
    return f"d{column}/d{parameter}"
