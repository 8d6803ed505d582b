"""Class weights: rows of a rare class made to count for more, as sample weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from retrograd.arrays import Array, require_number
from retrograd.errors import OptionError
from retrograd.nn.losses import Loss, Target
from retrograd.training.session import Rows

BALANCED = "balanced"

ClassWeight = Mapping[int, float] | str | None
"""A weight for each class by its label, "balanced", or None."""


def weigh_classes(
    class_weight: ClassWeight,
    loss: Loss,
    data: Rows,
    n_outputs: int,
    train_rows: Array | None = None,
) -> Rows:
    """The rows with their sample weights multiplied by the weights of their classes.

    "balanced" is n / (classes * rows of the class), as in scikit-learn, of the rows to train on
    (all by default); a class that a mapping does not name has weight 1. Since J is
    sum(w * loss) / sum(w), it is PyTorch's mean with `weight`; Keras divides by the number of rows
    instead.

    Raises OptionError for a loss without classes, and for a label or a weight out of range.
    """
    if class_weight is None:
        return data
    if not loss.is_classification or loss.is_multilabel:
        raise OptionError(
            f"train: class_weight needs a loss of classes, one for each row; this is {loss.name}"
            f"{' of several yes-or-no outputs' * loss.is_multilabel}"
        )
    labels = _labels(data.target)
    counted = slice(None) if train_rows is None else train_rows
    classes = {label: label for label in range(max(n_outputs, 2))}
    if data.target.has_sides:
        classes[-1] = 0
    by_label = _weights(class_weight, labels[counted], classes)
    weights = by_label[labels].astype(data.X.dtype)
    if data.sample_weight is not None:
        weights = data.sample_weight * weights
    if not weights[counted].any():
        raise OptionError("train: class_weight gives every row the weight 0")
    return replace(data, sample_weight=weights)


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
