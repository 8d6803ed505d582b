"""Estimators as model files: choices and figures as strict JSON, numbers as arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from retrograd.arrays import Array
from retrograd.errors import ModelFileError, OptionError
from retrograd.estimators.descent import OptimizerState
from retrograd.estimators.form import listed, named
from retrograd.files import container
from retrograd.nn.network import Network
from retrograd.optim.scikit_learn import ScikitLearnAdam, ScikitLearnSGD

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

FIGURES = (
    "n_iter_",
    "t_",
    "loss_",
    "best_loss_",
    "best_validation_score_",
    "out_activation_",
    "_no_improvement_count",
)
CURVES = ("loss_curve_", "validation_scores_")
OPTIMIZERS = {kind.name: kind for kind in (ScikitLearnSGD, ScikitLearnAdam)}
STATE = "optimizer: "  # before the names of the optimizer's arrays


def save(model: BaseMLP, path: str | PathLike[str]) -> None:
    """Write a fitted estimator to one file, whole or not at all.

    The kind of the file is the name of its class. Raises OptionError for a parameter, or labels,
    that JSON cannot hold; FileError if the file cannot be written.
    """
    check_is_fitted(model)
    container.write(path, type(model).__name__, *described(model))


def described(model: BaseMLP) -> tuple[dict[str, Any], dict[str, Array]]:
    """A fitted estimator as the header and the arrays of a model file."""
    params = {name: to_json(value, name) for name, value in model.get_params(deep=False).items()}
    figures = {
        name: to_json(getattr(model, name), name) for name in FIGURES if hasattr(model, name)
    }
    weights = named(model.coefs_, model.intercepts_)
    arrays = dict(weights)
    for name in CURVES:
        if getattr(model, name, None) is not None:
            arrays[name] = np.array(getattr(model, name), np.float64)
    header = {
        "params": params,
        "network": model._form().network(model.coefs_[0].dtype).to_json(),
        "preprocessing": {
            "n_features": int(model.n_features_in_),
            "feature_names": _feature_names(model),
            "labels": _labels_to_json(model, arrays),
        },
        "fitted": figures,
        "optimizer": _optimizer_to_json(model, arrays),
    }
    return header, arrays


def restore(model_class: type[BaseMLP], file: container.ModelFile) -> BaseMLP:
    """The estimator that a model file holds; ModelFileError if it holds none."""
    try:
        return restored(model_class, file.header, file.arrays)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelFileError(f"does not describe a {file.kind}: {error!r}") from error


def restored(
    model_class: type[BaseMLP], header: Mapping[str, Any], arrays: Mapping[str, Array]
) -> BaseMLP:
    """The inverse of `described`."""
    model: Any = model_class(**{name: from_json(v) for name, v in header["params"].items()})
    model._validate_params()
    for name, value in header["fitted"].items():
        if name not in FIGURES:
            raise ModelFileError(f"has the attribute {name!r}, which this version does not know")
        setattr(model, name, from_json(value))
    weights = {name: value for name, value in arrays.items() if name[0] in "Wb"}
    network = Network.from_json(header["network"], weights)
    model.coefs_, model.intercepts_ = listed({name: weights[name] for name in network.parameters})
    if model._form().network(network.dtype).to_json() != header["network"]:
        raise ModelFileError("its network is not the one that its parameters describe")
    model.n_layers_, model.n_outputs_ = len(model.coefs_) + 1, network.n_outputs
    model.n_features_in_ = network.n_inputs
    if header["preprocessing"]["n_features"] != network.n_inputs:
        raise ModelFileError("its network and its preprocessing differ in the number of features")
    if header["preprocessing"]["feature_names"] is not None:
        model.feature_names_in_ = np.array(header["preprocessing"]["feature_names"], object)
    _labels_from_json(model, header["preprocessing"]["labels"], arrays)
    optimizer_from_json(model, header["optimizer"], arrays)
    if hasattr(model, "best_loss_"):  # a stochastic fit
        for name in CURVES:
            setattr(model, name, arrays[name].tolist() if name in arrays else None)
    return model


def to_json(value: Any, name: str) -> Any:
    """A parameter or figure as strict JSON; OptionError if there is no way to write it.

    >>> to_json((100, 50), "hidden_layer_sizes")
    {'tuple': [100, 50]}
    """
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": str(value)}
    if isinstance(value, list):
        return [to_json(item, name) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [to_json(item, name) for item in value]}
    if isinstance(value, np.ndarray) and value.ndim == 1 and value.dtype.kind in "iu":
        return {"array": [int(item) for item in value], "dtype": value.dtype.name}
    raise OptionError(
        f"{name} is a {type(value).__name__}, which a model file does not hold; "
        f"use set_params({name}=...) with a number, a name, None or a list of these"
    )


def from_json(value: Any) -> Any:
    """The inverse of `to_json`."""
    match value:
        case {"float": ("inf" | "-inf" | "nan") as text}:
            return float(text)
        case {"tuple": list(items)}:
            return tuple(from_json(item) for item in items)
        case {"array": list(items), "dtype": str(dtype)}:
            return np.array(items, dtype)
        case list(items):
            return [from_json(item) for item in items]
        case dict():
            raise ModelFileError(f"has a value of an unknown form, {str(value)[:80]}")
    return value


def _feature_names(model: Any) -> list[str] | None:
    names = getattr(model, "feature_names_in_", None)
    return None if names is None else [str(name) for name in names]


def _labels_to_json(model: Any, arrays: dict[str, Array]) -> Any:
    """How labels become numbers: numeric classes go to the arrays, text stays here."""
    if not hasattr(model, "classes_"):
        return None
    binarizer, classes = model._label_binarizer, model.classes_
    facts = {"type": str(binarizer.y_type_), "sparse": bool(binarizer.sparse_input_)}
    if classes.dtype.kind in "biuf":
        arrays["classes"] = classes
        return facts
    if not all(isinstance(label, str) for label in classes):
        raise OptionError(
            f"labels of the type {classes.dtype} are not held by a model file; "
            "fit with numbers or text as labels"
        )
    width = classes.dtype.itemsize // 4 if classes.dtype.kind == "U" else None
    return facts | {"classes": [str(label) for label in classes], "width": width}


def _labels_from_json(model: Any, facts: Any, arrays: Mapping[str, Array]) -> None:
    if facts is None:
        return
    from sklearn.preprocessing import LabelBinarizer

    classes = arrays.get("classes")
    if classes is None:
        width = facts["width"]
        classes = np.array(facts["classes"], object if width is None else f"U{int(width)}")
    n_needed = model.n_outputs_ if model.n_outputs_ > 1 else 2
    if classes.ndim != 1 or not 1 <= len(classes) <= n_needed:
        raise ModelFileError(f"has {classes.size} classes and {model.n_outputs_} outputs")
    binarizer = LabelBinarizer()
    binarizer.classes_, binarizer.y_type_ = classes, facts["type"]
    binarizer.sparse_input_ = facts["sparse"]
    model.classes_, model._label_binarizer = classes, binarizer


def _optimizer_to_json(model: Any, arrays: dict[str, Array]) -> Any:
    own: OptimizerState | None = getattr(model, "_optimizer", None)
    if own is None:
        return None
    arrays |= {STATE + name: value for name, value in own.state.items()}
    numbers = {name: to_json(value, name) for name, value in vars(own.optimizer).items()}
    return {
        "name": own.optimizer.name,
        "numbers": numbers,
        "schedule": own.schedule,
        "power_t": float(own.power_t),
        "first_rate": own.first_rate,
    }


def optimizer_from_json(model: Any, facts: Any, arrays: Mapping[str, Array]) -> None:
    """Give a model its optimizer; `arrays` has the parameters too, whose shapes are compared."""
    if facts is None:
        return
    if facts["name"] not in OPTIMIZERS:
        raise ModelFileError(f"has the optimizer {facts['name']!r}, unknown to this version")
    optimizer = OPTIMIZERS[facts["name"]](**facts["numbers"])
    state = {name[len(STATE) :]: v for name, v in arrays.items() if name.startswith(STATE)}
    for name, value in state.items():
        parameter = name.rpartition(" of ")[2]
        if parameter != name and value.shape != arrays[parameter].shape:
            raise ModelFileError(f"its optimizer's {name} has the shape {value.shape}")
    model._optimizer = OptimizerState(
        optimizer, facts["schedule"], facts["power_t"], facts["first_rate"], state
    )
