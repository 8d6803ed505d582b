"""Data sets by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from retrograd.datasets.classic import parity, two_spirals
from retrograd.datasets.dataset import Dataset
from retrograd.datasets.pin_fin import fin
from retrograd.errors import unknown_name


@dataclass(frozen=True)
class _Bundled:
    """What scikit-learn does not say of a data set that it carries."""

    target_name: str
    description: str
    task: Literal["classification", "regression"] = "classification"
    units: Mapping[str, str] = field(default_factory=dict)


_IRIS = ("sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)")

_BUNDLED = {
    "digits": _Bundled(
        "digit",
        "1797 handwritten digits as 8 x 8 pixels of 0 to 16 "
        "[Alpaydin and Kaynak 1998, UCI: Optical Recognition of Handwritten Digits]",
    ),
    "iris": _Bundled(
        "species",
        "150 irises of three species by the size of their sepals and petals "
        "[Fisher 1936, The use of multiple measurements in taxonomic problems]",
        units=dict.fromkeys(_IRIS, "cm"),
    ),
    "wine": _Bundled(
        "cultivar",
        "178 wines of three cultivars by 13 chemical measures "
        "[Aeberhard and Forina 1992, UCI: Wine]",
    ),
    "breast_cancer": _Bundled(
        "diagnosis",
        "569 breast masses, malignant or benign, by 30 measures of their cell nuclei "
        "[Wolberg, Mangasarian, Street and Street 1993, UCI: Breast Cancer Wisconsin (Diagnostic)]",
    ),
    "diabetes": _Bundled(
        "progression",
        "442 patients: the disease's progression in a year by 10 measures, each centred and scaled "
        "to norm 1 [Efron, Hastie, Johnstone and Tibshirani 2004, Least angle regression]",
        task="regression",
    ),
}

_MADE: Mapping[str, Callable[[], Dataset]] = {
    "fin": fin,
    "two_spirals": two_spirals,
    "parity": parity,
}


def names() -> tuple[str, ...]:
    """The names that `load` knows.

    >>> names()
    ('digits', 'iris', 'wine', 'breast_cancer', 'diabetes', 'fin', 'two_spirals', 'parity')
    """
    return (*_BUNDLED, *_MADE)


def load(name: str) -> Dataset:
    """A data set by its name: one of `names()`, else UnknownNameError. Needs no network.

    >>> iris = load("iris")
    >>> iris.X.shape, iris.task, iris.class_names
    ((150, 4), 'classification', ('setosa', 'versicolor', 'virginica'))
    """
    if name in _MADE:
        return _MADE[name]()
    if name not in _BUNDLED:
        raise unknown_name("data set", name, names())
    import sklearn.datasets

    bundled = _BUNDLED[name]
    data = getattr(sklearn.datasets, f"load_{name}")()
    is_classes = bundled.task == "classification"
    y: Any = np.asarray(data.target, np.int64 if is_classes else np.float64)
    return Dataset(
        name=name,
        task=bundled.task,
        X=np.asarray(data.data, np.float64),
        y=y,
        feature_names=tuple(map(str, data.feature_names)),
        target_name=bundled.target_name,
        class_names=tuple(map(str, data.target_names)) if is_classes else None,
        description=bundled.description,
        units=bundled.units,
    )
