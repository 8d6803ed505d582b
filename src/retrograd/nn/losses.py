"""Losses: the loss of each example as a node, and what targets each takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from retrograd import gates
from retrograd.arrays import Array, as_labels, as_matrix, as_numbers, cast, require_finite
from retrograd.errors import DataError, OptionError, ShapeError, unknown_name
from retrograd.graph.function import call
from retrograd.graph.node import Node
from retrograd.graph.shape import Shape, rows, show
from retrograd.nn.network import Forward, Network

LossFunction = Callable[[Node, Node], Node]
LossChoice = str | LossFunction

AUTO = "auto"


def half_squared_error(forward: Forward, y: Node) -> Node:
    """1/2 sum over outputs of (output - y)**2.  dJ/d(output) = (output - y) / B   [L1.2]"""
    return 0.5 * gates.sum(gates.square(forward.output - y), axis=1)


def squared_error(forward: Forward, y: Node) -> Node:
    """The sum over outputs of (output - y)**2, without the 1/2."""
    return gates.sum(gates.square(forward.output - y), axis=1)


def categorical_cross_entropy(forward: Forward, y: Node) -> Node:
    """-sum over classes of y log(softmax(z)).

    delta = (softmax(z) - y) / B   [L4.2; Bishop 2006, eq. 4.109]
    y are integer labels (rows,), or one-hot rows or probabilities (rows, C).
    """
    if y.dtype == np.int64:
        y = gates.one_hot(y, int(forward.logits.shape[1]), forward.logits.dtype)  # type: ignore[arg-type]
    return -gates.sum(y * gates.log_softmax(forward.logits), axis=1)


def binary_cross_entropy(forward: Forward, y: Node) -> Node:
    """The sum over outputs of -y log(s) - (1 - y) log(1 - s) with s = sigmoid(z).

    Written softplus(z) - y z, which neither overflows nor takes log(0).
    delta = (sigmoid(z) - y) / B   [L4.2; Bishop 2006, sec. 4.3.2]
    """
    z = forward.logits
    return gates.sum(gates.softplus(z) - y * z, axis=1)


CROSS_ENTROPIES = {"softmax": categorical_cross_entropy, "sigmoid": binary_cross_entropy}


def half_squared_residuals(forward: Forward, y: Node) -> Node:
    """r = output - y, (rows, O): half_squared_error is 1/2 sum over outputs of r**2."""
    return forward.output - y


def squared_residuals(forward: Forward, y: Node) -> Node:
    """r = sqrt(2) (output - y), (rows, O): squared_error is 1/2 sum over outputs of r**2."""
    return math.sqrt(2.0) * (forward.output - y)


RESIDUALS = {
    "half_squared_error": half_squared_residuals,
    "squared_error": squared_residuals,
}
SQUARED = {"half_squared_error": half_squared_error, "squared_error": squared_error}
LOSSES = ("cross_entropy", *SQUARED)


@dataclass(frozen=True, eq=False)
class Target:
    """The targets of one data set, checked: the array, and the shape and dtype of its variable."""

    array: Array
    shape: Shape
    dtype: np.dtype[Any]


@dataclass(frozen=True)
class Loss:
    """A loss chosen for a network: its name, its formula, and how it takes targets.

    `per_row(forward, y)` is the loss of each example, (rows,). `target(Y, n_outputs, dtype)` checks
    a user's targets. Multi-label: each of several outputs is a yes or no of its own. `reported`,
    where it is given, is what J is said to be made of: the gradient is still that of `per_row`.
    `residuals`, (rows, O), are there where the loss of a row is 1/2 of the sum of their squares.
    """

    name: str
    per_row: Callable[[Forward, Node], Node]
    target: Callable[[ArrayLike, int, DTypeLike], Target]
    is_classification: bool = False
    is_multilabel: bool = False
    reported: Callable[[Forward, Node], Node] | None = None
    residuals: Callable[[Forward, Node], Node] | None = None


def find_loss(loss: LossChoice, network: Network) -> Loss:
    """The loss of a name, or of a Python function, for this network.

    Args:
        loss: "half_squared_error", "squared_error", "cross_entropy", or a function of two nodes,
            the network's output (rows, O) and the targets, that returns the loss of each example,
            (rows,). "auto" is cross_entropy where the output is softmax or sigmoid, else
            half_squared_error.
        network: cross_entropy is multi-class for a softmax output; binary or multi-label for a
            sigmoid output.
    """
    if loss == AUTO:
        is_class = isinstance(network.output, str) and network.output in CROSS_ENTROPIES
        loss = "cross_entropy" if is_class else "half_squared_error"
    if callable(loss):
        return Loss(getattr(loss, "__name__", "custom"), _custom(loss), _any_target)
    if isinstance(loss, str) and loss in SQUARED:
        return Loss(loss, SQUARED[loss], _number_target, residuals=RESIDUALS[loss])
    if loss != "cross_entropy":
        raise unknown_name("loss", loss, LOSSES)
    output = network.output
    if not isinstance(output, str) or output not in CROSS_ENTROPIES:
        raise OptionError(
            f"cross_entropy needs a network with output='softmax' (classes) or 'sigmoid' "
            f"(binary, multi-label); this one has output={output!r}"
        )
    if output == "softmax" and network.n_outputs == 1:
        raise OptionError(
            "cross_entropy: softmax over 1 output is always 1; "
            "use output='sigmoid' for two classes, or one output for each class"
        )
    return Loss(
        loss,
        CROSS_ENTROPIES[output],
        _class_target if output == "softmax" else _binary_target,
        is_classification=True,
        is_multilabel=output == "sigmoid" and network.n_outputs > 1,
    )


def require_two_classes(loss: Loss, target: Target) -> None:
    """Raise DataError where a classifier's targets are all of one class: nothing can be learned."""
    Y = target.array
    if not loss.is_classification or loss.is_multilabel or len(Y) == 1:
        return
    first = Y[0]
    is_certain = Y.ndim == 1 or bool(np.isin(first, (0, 1)).all())
    if is_certain and (first == Y).all():
        label = int(first if Y.ndim == 1 else first.argmax() if first.size > 1 else first[0])
        raise DataError(f"Y: every row has label {label}; a classifier needs two classes")


def _custom(function: LossFunction) -> Callable[[Forward, Node], Node]:
    def per_row(forward: Forward, y: Node) -> Node:
        result = call(function, forward.output, y, what="loss: the function")
        if result.shape != (rows,):
            raise ShapeError(
                f"loss: the function must return one number for each example, shape (rows,); "
                f"it returned {show(result.shape)}; sum over the outputs with axis=1 and leave "
                "the mean over rows to J"
            )
        return result

    return per_row


def _number_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
    array = as_matrix(Y, "Y", n_columns=n_outputs, dtype=dtype)
    return Target(array, (rows, n_outputs), array.dtype)


def _binary_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
    target = _number_target(Y, n_outputs, dtype)
    _require_probabilities(target.array)
    return target


def _class_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
    array = as_numbers(Y, "Y")
    if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1):
        labels = as_labels(array, "Y", n_classes=n_outputs)
        return Target(labels, (rows,), labels.dtype)
    target = _number_target(Y, n_outputs, dtype)
    _require_probabilities(target.array)
    off = np.abs(target.array.sum(axis=1) - 1.0)
    if off.max() > 1e-3:
        row = int(off.argmax())
        raise DataError(f"Y: row {row} sums to {target.array[row].sum():g}; probabilities sum to 1")
    return target


def _require_probabilities(array: Array) -> None:
    bad = np.argwhere((array < 0) | (array > 1))
    if len(bad):
        row, column = bad[0]
        raise DataError(
            f"Y: {array[row, column]:g} at row {row}, column {column}; "
            "cross_entropy takes 0, 1 or probabilities between"
        )


def _any_target(Y: ArrayLike, n_outputs: int, dtype: DTypeLike) -> Target:
    """Targets of a loss in Python: any shape; integers stay integers, so that they can be indices.

    Y (n,) for one output becomes (n, 1), as for the named losses: output - y must not be (n, n).
    """
    array = as_numbers(Y, "Y")
    if array.ndim == 0 or len(array) == 0:
        raise DataError(f"Y: expected one row for each example, got shape {array.shape}")
    if array.ndim == 1 and n_outputs == 1:
        return _number_target(array, n_outputs, dtype)
    require_finite(array, "Y")
    array = array.astype(np.int64) if array.dtype.kind in "iu" else cast(array, "Y", dtype)
    return Target(array, (rows, *array.shape[1:]), array.dtype)
