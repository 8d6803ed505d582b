"""The labels of classifiers: which are known, and how much the rows of each count."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils import compute_sample_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target

from retrograd.arrays import Array
from retrograd.errors import DataError, OptionError
from retrograd.estimators.border import plainly


def be_told(model: Any, y: Any, classes: Any) -> None:
    """Give a classifier, or an ensemble of them, the classes of its first partial_fit."""
    with plainly():
        if _check_partial_fit_first_call(model, classes):
            is_multilabel = type_of_target(y).startswith("multilabel")
            model._label_binarizer = LabelBinarizer().fit(y if is_multilabel else classes)


def require_labels(found: Array, classes: Array, *, are_all: bool) -> None:
    """Raise DataError for labels that are none of the classes; with `are_all`, unless all are."""
    if are_all:
        if set(found) != set(classes):
            raise DataError(
                "warm_start can only be used where `y` has the same classes as in the previous "
                f"call to fit. Previously got {classes}, `y` has {found}"
            )
    elif np.setdiff1d(found, classes, assume_unique=True).size:
        raise DataError(
            f"`y` has classes not in `self.classes_`. `self.classes_` has {classes}. "
            f"'y' has {found}."
        )


def weights_of_classes(class_weight: Any, y: Any, *, is_partial: bool) -> Array:
    """The weight of each row by its class, (n,)."""
    if is_partial and class_weight == "balanced":
        raise OptionError(
            "class_weight 'balanced' is not supported for partial_fit: these rows need not "
            "have the shares of all; give {label: weight}, as "
            "sklearn.utils.compute_class_weight finds it from all rows"
        )
    for weights in class_weight if isinstance(class_weight, list) else [class_weight]:
        _require_weights(weights)
    try:
        weights = np.asarray(compute_sample_weight(class_weight, y))
    except ValueError as error:
        raise OptionError(f"class_weight={class_weight!r}: {error}") from error
    if not weights.any():
        raise OptionError("class_weight gives every row the weight 0")
    return weights


def _require_weights(weights: Any) -> None:
    """Raise OptionError unless each label of a dictionary has a finite number of at least 0."""
    for label, weight in weights.items() if isinstance(weights, dict) else ():
        is_number = isinstance(weight, Real) and math.isfinite(weight)
        if not is_number or weight < 0:
            raise OptionError(
                f"class_weight: the weight of a class is a finite number >= 0, that of {label!r} "
                f"is {weight!r}"
            )
