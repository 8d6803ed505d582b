"""Estimators as model files: choices and figures as strict JSON, numbers as arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from retrograd.arrays import Array
from retrograd.errors import ModelFileError, OptionError
from retrograd.estimators.choices import from_json, to_json
from retrograd.estimators.form import listed, named
from retrograd.estimators.inputs import Inputs, Scale
from retrograd.estimators.optimizers import OptimizerState
from retrograd.files import container
from retrograd.nn.network import Network
from retrograd.optim.base import Optimizer
from retrograd.tabular import Columns

if TYPE_CHECKING:
    from retrograd.estimators.base import BaseMLP

FIGURES = (
    "n_iter_",
    "t_",
    "loss_",
    "best_loss_",
    "best_validation_score_",
    "out_activation_",
    "is_stopped_",
    "_no_improvement_count",
)
LOSSES = ("loss_", "best_loss_", "loss_curve_")  # scikit-learn has them as NumPy's numbers
CURVES = ("loss_curve_", "validation_scores_", "validation_loss_curve_")
PARAMETER = re.compile(r"[Wb]\d+")
TRAINED = re.compile(r"[Wbrs]\d+")  # the factors of members that share their weights, too
STATE = "optimizer: "  # before the names of the optimizer's arrays
BEST = "best: "  # before the names of the best weights of calls of partial_fit


def save(model: BaseMLP, path: str | PathLike[str]) -> None:
    """Write a fitted estimator to one file, whole or not at all.

    The kind of the file is the name of its class. Raises OptionError for a parameter, or labels,
    that JSON cannot hold; FileError if the file cannot be written.
    """
    check_is_fitted(model)
    container.write(path, type(model).__name__, *described(model))


def described(model: BaseMLP) -> tuple[dict[str, Any], dict[str, Array]]:
    """A fitted estimator as the header and the arrays of a model file."""
    model._settle()
    params = {name: to_json(value, name) for name, value in model.get_params(deep=False).items()}
    figures = {
        name: to_json(getattr(model, name), name) for name in FIGURES if hasattr(model, name)
    }
    weights = named(*model._weights())
    arrays = dict(weights)
    for name in CURVES:
        if getattr(model, name, None) is not None:
            arrays[name] = np.array(getattr(model, name), np.float64)
    arrays |= {BEST + name: value for name, value in (model._best_weights or {}).items()}
    targets = model._target_facts(arrays)
    header = {
        "params": params,
        "network": model._form().network(model._dtype).to_json(),
        "preprocessing": {
            "n_features": int(model.n_features_in_),
            "feature_names": _feature_names(model),
            "labels": targets["labels"],
            "inputs": _inputs_to_json(model),
            "targets": targets["targets"],
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
        figure = from_json(value)
        is_loss = name in LOSSES and figure is not None
        setattr(model, name, np.float64(figure) if is_loss else figure)
    weights = {name: value for name, value in arrays.items() if PARAMETER.fullmatch(name)}
    network = Network.from_json(header["network"], weights)
    model.coefs_, model.intercepts_ = listed({name: weights[name] for name in network.parameters})
    model._dtype, facts = network.dtype, header["preprocessing"]
    model.n_layers_, model.n_outputs_ = len(model.coefs_) + 1, network.n_outputs
    model._take_target_facts(facts, arrays)
    if model._form().network(network.dtype).to_json() != header["network"]:
        raise ModelFileError("its network is not the one that its parameters describe")
    model.n_features_in_, model._inputs = facts["n_features"], _inputs_from_json(facts)
    n_inputs = model.n_features_in_ if model._inputs is None else model._inputs.n_inputs
    if n_inputs != network.n_inputs:
        raise ModelFileError("its network and its preprocessing differ in the number of features")
    best_from_arrays(model, arrays, weights)
    if facts["feature_names"] is not None:
        model.feature_names_in_ = np.array(facts["feature_names"], object)
    optimizer_from_json(model, header["optimizer"], arrays)
    if hasattr(model, "best_loss_"):  # scikit-learn has it so where nothing validates
        model.validation_scores_ = None
    for name in CURVES:
        if name in arrays:
            setattr(model, name, list(arrays[name]) if name in LOSSES else arrays[name].tolist())
    return model


def best_from_arrays(
    model: BaseMLP, arrays: Mapping[str, Array], parameters: Mapping[str, Array]
) -> None:
    """Give a model the best weights of its calls of partial_fit, shaped as its parameters are."""
    best = {name[len(BEST) :]: v for name, v in arrays.items() if name.startswith(BEST)}
    shapes = {name: value.shape for name, value in parameters.items()}
    if best and {name: value.shape for name, value in best.items()} != shapes:
        raise ModelFileError("its best weights have other shapes than its weights")
    model._best_weights = best or None


def target_facts(model: Any, arrays: dict[str, Array]) -> dict[str, Any]:
    """How the targets of one output become numbers: their labels, and their scale."""
    labels = _labels_to_json(model, arrays)
    return {"labels": labels, "targets": _scale_to_json(model._target_scale)}


def take_target_facts(model: Any, facts: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """The inverse of `target_facts`."""
    model._target_scale = _scale_from_json(facts["targets"])
    _labels_from_json(model, facts["labels"], arrays)


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


def _inputs_to_json(model: Any) -> Any:
    found: Inputs | None = model._inputs
    if found is None:
        return None
    columns = None if found.columns is None else found.columns.to_json()
    return {"scale": _scale_to_json(found.scale), "columns": columns}


def _inputs_from_json(facts: Mapping[str, Any]) -> Inputs | None:
    inputs = facts["inputs"]
    if inputs is None:
        return None
    columns = None if inputs["columns"] is None else Columns.from_json(inputs["columns"])
    scale = _scale_from_json(inputs["scale"])
    n_columns = len(columns.columns) if columns is not None else len(scale.mean) if scale else 0
    if n_columns != facts["n_features"]:
        raise ModelFileError("its preprocessing has another number of columns than of features")
    return Inputs(scale, columns)


def _scale_to_json(scale: Scale | None) -> Any:
    return scale and {"mean": scale.mean.tolist(), "scale": scale.scale.tolist()}


def _scale_from_json(facts: Any) -> Scale | None:
    if facts is None:
        return None
    mean, scale = (np.array(facts[name], np.float64) for name in ("mean", "scale"))
    if mean.ndim != 1 or mean.shape != scale.shape or not (scale > 0).all():
        raise ModelFileError("has a scale that is not above 0")
    return Scale(mean, scale)


def _optimizer_to_json(model: Any, arrays: dict[str, Array]) -> Any:
    own: OptimizerState | None = getattr(model, "_optimizer", None)
    if own is None:
        return None
    arrays |= {STATE + name: value for name, value in own.state.items()}
    return {
        "optimizer": to_json(own.optimizer, "solver"),
        "schedule": own.schedule,
        "power_t": float(own.power_t),
        "first_rate": own.first_rate,
    }


def optimizer_from_json(model: Any, facts: Any, arrays: Mapping[str, Array]) -> None:
    """Give a model its optimizer; `arrays` has the parameters too, whose shapes are compared."""
    if facts is None:
        return
    optimizer = from_json(facts["optimizer"])
    if not isinstance(optimizer, Optimizer):
        raise ModelFileError(f"has {optimizer!r} in place of an optimizer")
    state = {name[len(STATE) :]: v for name, v in arrays.items() if name.startswith(STATE)}
    shapes = {name: value.shape for name, value in arrays.items() if TRAINED.fullmatch(name)}
    known = shapes | {name: slot.shape for name, slot in optimizer.state(shapes).items()}
    for name, value in state.items():
        if value.shape != known.get(name, ()):  # what it counts is one number
            raise ModelFileError(f"its optimizer's {name} has the shape {value.shape}")
    model._optimizer = OptimizerState(
        optimizer, facts["schedule"], facts["power_t"], facts["first_rate"], state
    )
