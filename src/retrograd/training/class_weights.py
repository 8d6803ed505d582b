"""Class weights: rows of a rare class made to count for more, as sample weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from retrograd.arrays import Array, require_number
from retrograd.errors import OptionError, unknown_name
from retrograd.nn.losses import JointLoss, Loss, Target
from retrograd.nn.network import Network
from retrograd.training.rows import Rows

BALANCED = "balanced"

ClassWeight = Mapping[int, float] | str | None
"""A weight for each class by its label, "balanced", or None."""


def weigh_classes(
    class_weight: Any,
    loss: Loss | JointLoss,
    data: Rows,
    network: Network,
    train_rows: Array | None = None,
) -> Rows:
    """The rows with their sample weights multiplied by the weights of their classes.

    "balanced" is n / (classes * rows of the class), as in scikit-learn, of the rows to train on
    (all by default); a class that a mapping does not name has weight 1. Since J is
    sum(w * loss) / sum(w), it is PyTorch's mean with `weight`; Keras divides by the number of rows
    instead. With heads, `class_weight` is a dict of theirs.

    Raises OptionError for a loss without classes, and for a label or a weight out of range.
    """
    if class_weight is None:
        return data
    chosen = {"": class_weight}
    if network.heads:
        chosen = _by_head(class_weight, network)
    weights = dict(data.weights)
    counted = slice(None) if train_rows is None else train_rows
    for head, own in chosen.items():
        n_outputs = network.heads[head].n_outputs if head else network.n_outputs
        try:
            found = _of_rows(own, loss.by_head[head], data.target.parts[head], n_outputs, counted)
            found = found.astype(data.X.dtype) * weights.get(head, 1)
            if not found[counted].any():
                raise OptionError("train: class_weight gives every row the weight 0")
        except OptionError as error:
            raise (OptionError(f"head {head!r}: {error}") if head else error) from None
        weights[head] = found
    return data.weighed(weights)


def _by_head(class_weight: Any, network: Network) -> dict[str, Any]:
    if not isinstance(class_weight, Mapping) or not class_weight:
        raise OptionError(
            "train: with heads, class_weight is a dict by head, such as {'kind': 'balanced'}; "
            f"got {class_weight!r}"
        )
    for head in class_weight:
        if head not in network.heads:
            raise unknown_name("head", head, network.heads)
    return {head: own for head, own in class_weight.items() if own is not None}


def _of_rows(
    class_weight: Any, loss: Loss, target: Target, n_outputs: int, counted: Array | slice
) -> Array:
    """The weight of each row by its class."""
    if not loss.is_classification or loss.is_multilabel:
        raise OptionError(
            f"train: class_weight needs a loss of classes, one for each row; this is {loss.name}"
            f"{' of several yes-or-no outputs' * loss.is_multilabel}"
        )
    labels = _labels(target)
    classes = {label: label for label in range(max(n_outputs, 2))}
    if target.has_sides:
        classes[-1] = 0
    return _weights(class_weight, labels[counted], classes)[labels]


def _labels(target: Target) -> Array:
    Y = target.array
    if Y.ndim == 1:
        return Y
    return Y.argmax(axis=1) if Y.shape[1] > 1 else (Y[:, 0] > 0.5).astype(np.int64)


def _weights(
    class_weight: Mapping[int, float] | str, labels: Array, classes: Mapping[int, int]
) -> Array:
    """The weight of each class. `classes`: their numbers by what the user may call them."""
    n_classes = max(classes.values()) + 1
    if isinstance(class_weight, str) and class_weight == BALANCED:
        rows = np.bincount(labels, minlength=n_classes)
        return len(labels) / (np.count_nonzero(rows) * np.maximum(rows, 1))
    if not isinstance(class_weight, Mapping):
        raise OptionError(
            f"train: class_weight is 'balanced' or {{label: weight}}, got {class_weight!r}"
        )
    if -1 in classes and {-1, 0} <= set(class_weight):
        raise OptionError("train: class_weight has the labels -1 and 0, which are one class here")
    weights = np.ones(n_classes)
    for label, weight in class_weight.items():
        is_label = isinstance(label, int | np.integer) and not isinstance(label, bool)
        if not is_label or label not in classes:
            raise OptionError(
                f"train: class_weight has the label {label!r}; labels are integers from "
                f"{min(classes)} to {n_classes - 1}"
            )
        require_number("train", f"class_weight[{label}]", weight)
        weights[classes[label]] = weight
    return weights
