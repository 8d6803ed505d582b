"""Checking gradients on the reference engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from numpy.typing import ArrayLike

from retrograd.autodiff import check
from retrograd.autodiff.check import AUTO
from retrograd.autodiff.checked import GradientCheck
from retrograd.graph.node import Like, Node
from retrograd.run import compile


def check_gradient(
    output: Node,
    wrt: Node | Sequence[Node] | None = None,
    values: Mapping[Node, ArrayLike] | None = None,
    *,
    gradients: Mapping[Node, Like] | None = None,
    method: str = AUTO,
    entries: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
) -> GradientCheck:
    """Compare the gradient of `output` with numbers from forward passes alone, entry by entry.

    Where every gate on the way is analytic the numbers come from the complex step, one forward pass
    an entry [Squire & Trapp 1998]; otherwise from central differences, extrapolated from the steps
    that agree best, six or so passes an entry [Ridders 1982]. All of it is in float64, whatever the
    graph's own dtypes.

    Args:
        output: a scalar node.
        wrt: the variables to check; by default all floating variables that `output` depends on, or
            those of `gradients`.
        values: values for variables, in place of their own.
        gradients: gradients to check in place of backpropagation's, one by hand or from another
            engine: a node or an array for each variable.
        method: "auto", "complex" or "central".
        entries: at least 1. Check so many entries of each variable, drawn at random, not all.
        seed: of that draw.
        tolerance: above 0. The largest relative error that passes; by default 1e-10 for the complex
            step and 1e-6 for central differences.

    Returns:
        `.ok`, `.max_relative_error`, `.worst` (variable, index, analytic, numeric), `.variables`,
        `.passes`, `.method`; printed, a table.

    An error is relative to the largest entry of its variable's gradient. Where all entries are so
    small that they are rounding error of `output`, as for a gradient that is 0 everywhere, it is
    relative to that rounding error instead. An entry that is NaN or infinite does not pass.

    At a kink (relu at exactly 0, a tie in max) the slopes on the two sides differ: there is no
    derivative to compare with. Such entries are counted (`.variables[i].kinks`) and not judged.
    Where kinks meet that cancel, as in relu(x) - relu(-x) at 0, the function has a derivative that
    no backpropagation finds, and the check fails: check at other values.

    >>> from retrograd import tanh, variable
    >>> w, x = variable("w", 0.5), variable("x", [1.0, 2.0])
    >>> check_gradient(tanh(w * x) @ x).ok
    True
    """
    return check.check_gradient(
        output,
        wrt,
        values,
        compile=partial(compile, engine="numpy"),
        gradients=gradients,
        method=method,
        entries=entries,
        seed=seed,
        tolerance=tolerance,
    )
