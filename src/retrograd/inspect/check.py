"""Checking gradients: of a graph or a model, and an engine's against the reference's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from retrograd.autodiff import check
from retrograd.autodiff.asked import AUTO
from retrograd.autodiff.checked import GradientCheck
from retrograd.errors import OptionError, unknown_name
from retrograd.graph.node import Like, Node
from retrograd.inspect.against import compare_engine
from retrograd.inspect.options import PassOptions
from retrograd.inspect.passes import fresh_passes
from retrograd.nn.network import Network
from retrograd.nn.sharing import walk
from retrograd.run import compile, find_engine


def check_gradient(
    output: Any,
    wrt: Any = None,
    values: Any = None,
    *,
    gradients: Mapping[Node, Like] | None = None,
    method: str = AUTO,
    entries: int | None = None,
    seed: int = 0,
    tolerance: float | None = None,
    **options: Any,
) -> GradientCheck:
    """Compare a gradient with numbers from forward passes alone, entry by entry.

    Of a node, `check_gradient(output, wrt, values)`; of a network, a fitted estimator or a table
    model that of J on a batch, `check_gradient(model, X, Y)`.

    Where every gate on the way is analytic the numbers come from the complex step, one forward pass
    an entry [Squire & Trapp 1998]; otherwise from central differences, extrapolated from the steps
    that agree best, six or so passes an entry [Ridders 1982]. All of it is in float64, whatever the
    graph's own dtypes.

    Args:
        output: a scalar node, or a model.
        wrt: the variables to check; by default all floating variables that `output` depends on, or
            those of `gradients`. Of a model X, its rows; all its parameters are checked.
        values: values for variables, in place of their own. Of a model Y, the targets.
        gradients: gradients to check in place of backpropagation's, one by hand or from another
            engine: a node or an array for each variable.
        method: "auto", "complex" or "central".
        entries: at least 1. Check so many entries of each variable, drawn at random, not all.
        seed: of that draw.
        tolerance: above 0. The largest relative error that passes; by default 1e-10 for the complex
            step, 1e-6 for central differences, and what rounding explains for an engine.
        options: of a model. loss, l2, sample_weight, frozen, mode: as in `rg.trace`.
            engine: "numpy" checks the gradient itself. "cpu" compares the compiled engine's
            gradient in float32 with the reference's in float64, every entry.

    Returns:
        `.ok`, `.max_relative_error`, `.worst` (variable, index, analytic, numeric, layer),
        `.variables`, `.passes`, `.method`; `.gates`, the names of gates whose derivative is wrong;
        printed, a table.

    An error is relative to the largest entry of its variable's gradient. Where all entries are so
    small that they are rounding error of `output`, as for a gradient that is 0 everywhere, it is
    relative to that rounding error instead. An entry that is NaN or infinite does not pass.

    At a kink (relu at exactly 0, a tie in max) the slopes on the two sides differ: there is no
    derivative to compare with. Where kinks meet that cancel, as in relu(x) - relu(-x) at 0, the
    function has a derivative that no backpropagation finds. Such entries are judged where they are
    moved off the kink, to both sides: if right they are counted (`.variables[i].kinks`), if wrong
    what was found beside the kink is told. `gradients` by hand may be of this point alone: theirs
    are counted without a judgement where there is no derivative.

    >>> from retrograd import tanh, variable
    >>> w, x = variable("w", 0.5), variable("x", [1.0, 2.0])
    >>> check_gradient(tanh(w * x) @ x).ok
    True
    >>> net = rg.MLP([2, 3, 1], activation="tanh")
    >>> check_gradient(net, [[1.0, 2.0], [3.0, 4.0]], [[1.0], [0.0]]).worst.layer in ("1", "2")
    True
    """
    how: dict[str, Any] = {"method": method, "entries": entries, "seed": seed}
    how["tolerance"] = tolerance
    if isinstance(output, Node) or not hasattr(output, "predict"):
        for name in options:
            known = ["gradients", "values", "wrt", *how]
            raise unknown_name("argument of check_gradient", name, known)
        return _of_node(output, wrt, values, gradients=gradients, **how)
    if gradients is not None:
        raise OptionError("check_gradient: gradients are of a node; a model's are its own")
    return _of_model(output, wrt, values, PassOptions.of("check_gradient", options, *how), **how)


_of_node = partial(check.check_gradient, compile=partial(compile, engine="numpy"))


def _of_model(
    model: Any, X: Any, Y: ArrayLike | None, options: PassOptions, **how: Any
) -> GradientCheck:
    subject = options.subject("check_gradient", model, X, Y)
    engine, held = find_engine(options.engine), options.held(subject.network)
    if engine.name == "numpy":
        # Built anew: a rule that was changed since must show.
        made = fresh_passes(subject, is_still=options.is_still, frozen=held)
        of = made.objective
        found = _of_node(of.J, [*of.trained.values()], made.values(subject), of_rows=True, **how)
    else:
        tolerance, is_still = how["tolerance"], options.is_still
        found = compare_engine(subject, engine, tolerance=tolerance, is_still=is_still, frozen=held)
    return _with_layers(found, subject.network)


def _with_layers(found: GradientCheck, network: Network) -> GradientCheck:
    """The same, each entry with the layer that has the parameter."""
    places = {
        full: place
        for place, layer in reversed([*walk(network.layers)])  # of a shared one its first
        for full in network.names_of(layer, place).values()
    }
    variables = [
        replace(x, worst=x.worst and replace(x.worst, layer=places.get(x.name, "")))
        for x in found.variables
    ]
    return replace(found, variables=tuple(variables))
