"""Ensembles as model files: each member as `serial` describes it, shared weights once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from retrograd.arrays import Array
from retrograd.errors import ModelFileError
from retrograd.estimators.base import BaseMLP
from retrograd.estimators.choices import from_json, to_json
from retrograd.estimators.options import SHARED
from retrograd.estimators.problem import OF_DATA, take_over
from retrograd.estimators.serial import (
    BEST,
    best_from_arrays,
    described,
    optimizer_from_json,
    restored,
)
from retrograd.estimators.shared import hand_out
from retrograd.files import container

if TYPE_CHECKING:
    from retrograd.estimators.ensemble import BaseMLPEnsemble

FACTORS = "members' "  # before the names of the arrays that members do not share


def save(model: BaseMLPEnsemble, path: str | PathLike[str]) -> None:
    """Write a fitted ensemble to one file, whole or not at all.

    The kind of the file is the name of its class. `estimators_samples_` is not written. Raises
    OptionError for a parameter, or labels, that JSON cannot hold; FileError if it cannot write.
    """
    check_is_fitted(model)
    params = {name: to_json(value, name) for name, value in model.get_params(deep=False).items()}
    header: dict[str, Any] = {"params": params}
    if hasattr(model, "_trunk"):
        header["trunk"], arrays = described(model._trunk)
        header["seeds"] = [to_json(one.random_state, "seed") for one in model.estimators_]
        own = {n: value for n, value in model.parameters_.items() if not n.startswith("W")}
        arrays |= {FACTORS + name: value for name, value in own.items()}
    else:
        arrays, header["members"] = {}, []
        for m, member in enumerate(model.estimators_):
            facts, own = described(member)
            header["members"].append(facts)
            arrays |= {f"{m}: {name}": value for name, value in own.items()}
    container.write(path, type(model).__name__, header, arrays)


def restore(model_class: type[BaseMLPEnsemble], file: container.ModelFile) -> BaseMLPEnsemble:
    """The ensemble that a model file holds; ModelFileError if it holds none."""
    try:
        return _restored(model_class, file.header, file.arrays)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise ModelFileError(f"does not describe a {file.kind}: {error!r}") from error


def _restored(
    model_class: type[BaseMLPEnsemble], header: Mapping[str, Any], arrays: Mapping[str, Array]
) -> BaseMLPEnsemble:
    model = model_class(**{name: from_json(v) for name, v in header["params"].items()})
    model._validate_params()
    if "trunk" in header:
        _restore_shared(model, header, arrays)
    else:
        parts: list[dict[str, Array]] = [{} for _ in header["members"]]
        for full, value in arrays.items():
            number, _, name = full.partition(": ")
            parts[int(number)][name] = value
        model.estimators_ = [
            restored(model._member_class, facts, own)
            for facts, own in zip(header["members"], parts, strict=True)
        ]
        first = header["members"][0]["preprocessing"]["inputs"]
        for member, facts in zip(model.estimators_, header["members"], strict=True):
            if facts["preprocessing"]["inputs"] == first:  # then they predict in one call
                member._inputs = model.estimators_[0]._inputs
    lead = model.estimators_[0]
    _require_alike(model.estimators_)
    take_over([model], lead, (*OF_DATA, "n_outputs_"))
    model._take_figures()
    return model


def _restore_shared(
    model: BaseMLPEnsemble, header: Mapping[str, Any], arrays: Mapping[str, Array]
) -> None:
    """The trunk, the parameters and the members of an ensemble with shared weights."""
    if model.members != SHARED:
        raise ModelFileError("has shared weights, its parameters say that members have their own")
    apart = (FACTORS, BEST)  # of all members, not of a network that is one of theirs
    plain = {name: value for name, value in arrays.items() if not name.startswith(apart)}
    trunk = restored(model._member_class, {**header["trunk"], "optimizer": None}, plain)
    M, seeds = len(header["seeds"]), header["seeds"]
    parameters = {}
    for i, W in enumerate(trunk.coefs_, start=1):
        parameters[f"W{i}"] = W
        for name, size in (("r", len(W)), ("s", W.shape[1]), ("b", W.shape[1])):
            value = parameters[f"{name}{i}"] = arrays[f"{FACTORS}{name}{i}"]
            if value.shape != (M, size):
                raise ModelFileError(f"has {name}{i} of the shape {value.shape}, not {(M, size)}")
    optimizer_from_json(trunk, header["trunk"]["optimizer"], {**plain, **parameters})
    best_from_arrays(trunk, arrays, parameters)
    model._trunk, model.parameters_ = trunk, parameters
    model.estimators_ = model._new_members(seeds)
    take_over(model.estimators_, trunk)
    hand_out(trunk, model.estimators_, parameters)


def _require_alike(members: list[BaseMLP]) -> None:
    """ModelFileError unless the members are networks of one form and dtype, with equal labels."""
    lead: Any = members[0]
    for member in members:
        own: Any = member
        # Each may have learned from rows of its own what becomes of the columns.
        forms = [replace(one._form(), sizes=one._form().sizes[1:]) for one in (own, lead)]
        if forms[0] != forms[1] or own._dtype != lead._dtype:
            raise ModelFileError("its members are not of one form")
        if own.n_features_in_ != lead.n_features_in_:
            raise ModelFileError("its members have different features")
        if not np.array_equal(getattr(own, "classes_", []), getattr(lead, "classes_", [])):
            raise ModelFileError("its members have different labels")
